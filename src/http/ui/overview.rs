//! How the installation stands: every queue with its buttons, and what somebody should look at.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use clipqueue_entities::{JobId, PostId, Timestamp, job::JobState};
use serde::Deserialize;

use super::{
    Console,
    page::{self, Frame, Place},
    session::Visit,
    show::{Chip, Number, When},
};
use crate::{
    domain::{
        error::{Code, Refusal, Result},
        inspect::{self, Attention, Concerns},
        operators,
    },
    queue::{Mode, ledger::QueueStats},
};

/// States that a queue is shown with; what is over is in the list of jobs.
const SHOWN: [JobState; 6] = [
    JobState::Available,
    JobState::Running,
    JobState::Scheduled,
    JobState::Retryable,
    JobState::Held,
    JobState::Discarded,
];

/// A number of jobs of a queue in one state.
pub(super) struct Depth {
    word: &'static str,
    number: Number,
    /// Whether somebody should look at it.
    is_alarm: bool,
}

/// One queue.
pub(super) struct Card {
    name: String,
    is_paused: bool,
    can_drain: bool,
    chip: Chip,
    depths: Vec<Depth>,
    oldest: When,
}

impl Card {
    fn new(stats: &QueueStats, now: Timestamp) -> Self {
        let depth = |state: JobState| {
            let count = stats.depth.iter().find(|(of, _)| *of == state);
            let number = count.map_or(Number::exact(0), |(_, count)| Number {
                value: count.jobs,
                or_more: count.capped,
            });
            Depth {
                word: state.as_str(),
                number,
                is_alarm: matches!(state, JobState::Held | JobState::Discarded)
                    && !number.is_zero(),
            }
        };
        Self {
            name: stats.queue.clone(),
            is_paused: stats.paused,
            can_drain: stats.paused && !stats.draining,
            chip: match (stats.paused, stats.draining) {
                (true, true) if stats.is_drained() => Chip::new("drained", "warn"),
                (true, true) => Chip::new("draining", "warn"),
                (true, false) => Chip::new("paused", "warn"),
                (false, _) => Chip::new("open", "good"),
            },
            depths: SHOWN.map(depth).into(),
            oldest: When::new(stats.oldest_waiting, now),
        }
    }
}

/// The queues, as a part of a page: it is sent again when it changes.
#[derive(Template)]
#[template(path = "queues.html")]
pub(super) struct Queues {
    base: String,
    may_act: bool,
    cards: Vec<Card>,
    as_of: When,
}

impl Queues {
    pub(super) fn new(base: &str, may_act: bool, stats: &[QueueStats], now: Timestamp) -> Self {
        Self {
            base: base.to_owned(),
            may_act,
            cards: stats.iter().map(|stats| Card::new(stats, now)).collect(),
            as_of: When::new(now, now),
        }
    }

    async fn read(visit: &Visit) -> Result<Self> {
        let console = &visit.console;
        let stats = operators::queues(&console.app).await?;
        Ok(Self::new(&console.base, visit.may_act(), &stats, visit.now))
    }
}

/// Posts that somebody should look at.
struct Concern {
    path: &'static str,
    text: &'static str,
    number: Number,
}

fn concerned(concerns: &Concerns) -> Vec<Concern> {
    let number = |value| Number {
        value,
        or_more: value >= inspect::COUNT_CAP,
    };
    concerns
        .states
        .iter()
        .map(|(state, count)| {
            let (path, text) = match state {
                Attention::Held => ("/posts?state=held", "held"),
                Attention::Unconfirmed => ("/posts?state=unconfirmed", "unconfirmed"),
                Attention::Failed => ("/posts?state=failed", "failed"),
            };
            Concern {
                path,
                text,
                number: number(*count),
            }
        })
        .collect()
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    queues: Queues,
    concerns: Vec<Concern>,
    overdue: Number,
    not_found: bool,
}

/// What the overview is asked with.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    not_found: String,
}

/// The overview.
pub(super) async fn show(
    Extension(visit): Extension<Visit>,
    Query(asked): Query<Asked>,
) -> Response {
    page::answer(&visit, overview(&visit, !asked.not_found.is_empty()).await)
}

async fn overview(visit: &Visit, not_found: bool) -> Result<OverviewPage> {
    let concerns = inspect::concerns(&visit.console.app).await?;
    Ok(OverviewPage {
        frame: Frame::new(visit, Place::Overview),
        queues: Queues::read(visit).await?,
        concerns: concerned(&concerns),
        overdue: Number {
            value: concerns.overdue,
            or_more: concerns.overdue >= inspect::COUNT_CAP,
        },
        not_found,
    })
}

/// The same with another end of its address.
pub(super) async fn moved(State(console): State<Console>) -> Redirect {
    Redirect::permanent(&console.base)
}

/// An id that somebody has from a log line.
#[derive(Debug, Deserialize)]
pub(super) struct Sought {
    #[serde(default)]
    id: String,
}

/// Leads to the job or the post of that id.
pub(super) async fn find(
    Extension(visit): Extension<Visit>,
    Query(sought): Query<Sought>,
) -> Response {
    page::acted(&visit, place_of(&visit, sought.id.trim()).await, |path| {
        path
    })
}

async fn place_of(visit: &Visit, id: &str) -> Result<String> {
    let app = &visit.console.app;
    if let Ok(id) = id.parse::<JobId>()
        && inspect::is_job(app, id).await?
    {
        return Ok(format!("/jobs/{id}"));
    }
    if let Ok(id) = id.parse::<PostId>()
        && inspect::is_post(app, id).await?
    {
        return Ok(format!("/posts/{id}"));
    }
    Ok("?not_found=1".to_owned())
}

/// Pauses a queue, or lets it go.
pub(super) async fn steer(
    Extension(visit): Extension<Visit>,
    Path((queue, act)): Path<(String, String)>,
) -> Response {
    let done = steered(&visit, &queue, &act).await;
    match done {
        Ok(()) if visit.is_part => page::answer(&visit, Queues::read(&visit).await),
        done => page::acted(&visit, done, |()| String::new()).into_response(),
    }
}

async fn steered(visit: &Visit, queue: &str, act: &str) -> Result<()> {
    let mode = match act {
        "pause" => Mode::Paused,
        "drain" => Mode::Draining,
        "resume" => Mode::Open,
        _ => {
            let text = "a queue can be paused, drained and resumed";
            return Err(Refusal::whole(Code::Invalid, text).into());
        }
    };
    operators::set_mode(&visit.console.app, visit.actor(), queue, mode).await?;
    Ok(())
}
