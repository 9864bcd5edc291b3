//! One job: what it is, what happened to it, and the buttons.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query},
    response::Response,
};
use clipqueue_entities::{
    JobId, Timestamp,
    job::{self, JobState},
    job_attempt::{self, AttemptOutcome},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    page::{self, Frame, Place},
    session::Visit,
    show::{Chip, Span, When, cut, hold_sentence},
};
use crate::domain::{
    error::{Code, Error, Refusal, Result},
    operators,
};

/// Characters of an error or an argument on the page.
const MAX_TEXT: usize = 2000;

/// An argument, with the page that it leads to.
struct Argument {
    name: String,
    value: String,
    path: Option<String>,
}

/// An attempt that did not succeed.
struct Attempt {
    number: i32,
    chip: Chip,
    error: String,
    worker: String,
    started: When,
    finished: When,
    took: Option<Span>,
}

impl Attempt {
    fn new(row: &job_attempt::Model, now: Timestamp) -> Self {
        Self {
            number: row.attempt,
            chip: match row.outcome {
                AttemptOutcome::Failed => Chip::new("failed", "bad"),
                AttemptOutcome::Crashed => Chip::new("crashed", "bad"),
                AttemptOutcome::TimedOut => Chip::new("timed out", "warn"),
            },
            error: cut(&row.error, MAX_TEXT),
            worker: row.worker.clone().unwrap_or_default(),
            started: When::new(row.started_at, now),
            finished: When::new(row.finished_at, now),
            took: row.started_at.map(|at| Span(row.finished_at.since(at))),
        }
    }
}

/// Something that happened, for the timeline.
struct Step {
    at: Timestamp,
    when: When,
    text: String,
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    frame: Frame,
    job: job::Model,
    chip: Chip,
    said: Option<&'static str>,
    arguments: Vec<Argument>,
    progress: Option<String>,
    hold: Option<(String, &'static str)>,
    error: Option<String>,
    run_at: When,
    created: When,
    started: When,
    finished: When,
    dispatched: When,
    lease: When,
    attempts: Vec<Attempt>,
    steps: Vec<Step>,
    can_retry: bool,
    can_cancel: bool,
    can_release: bool,
}

/// What was just done, as the address says it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Done {
    done: String,
}

/// The page.
pub(super) async fn show(
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    Query(done): Query<Done>,
) -> Response {
    page::answer(&visit, read(&visit, &id, &done).await)
}

async fn read(visit: &Visit, id: &str, done: &Done) -> Result<JobPage> {
    let id: JobId = id.parse().map_err(|_| Error::NotFound)?;
    let app = &visit.console.app;
    let job = operators::job(app, id).await?;
    let failed = operators::failed_attempts(app, id).await?;
    let when = |at: Option<Timestamp>| When::new(at, visit.now);
    let attempts: Vec<Attempt> = failed
        .iter()
        .map(|row| Attempt::new(row, visit.now))
        .collect();
    Ok(JobPage {
        frame: Frame::new(visit, Place::Elsewhere),
        chip: job.state.into(),
        said: said(&done.done),
        arguments: arguments(&job.args),
        progress: job
            .progress
            .as_ref()
            .map(|value| cut(&value.to_string(), MAX_TEXT)),
        hold: job.hold_reason.clone().map(|reason| {
            let sentence = hold_sentence(&reason);
            (reason, sentence)
        }),
        error: job.last_error.as_deref().map(|text| cut(text, MAX_TEXT)),
        run_at: when(Some(job.run_at)),
        created: when(Some(job.created_at)),
        started: when(job.started_at),
        finished: when(job.finished_at),
        dispatched: when(job.dispatched_at),
        lease: when(job.lease_until.filter(|_| job.state == JobState::Running)),
        steps: steps(&job, &failed, visit.now),
        attempts,
        can_retry: matches!(
            job.state,
            JobState::Retryable | JobState::Held | JobState::Discarded | JobState::Cancelled
        ),
        can_release: job.state == JobState::Held,
        can_cancel: !job.state.is_final() && !job.cancel_requested,
        job,
    })
}

fn said(done: &str) -> Option<&'static str> {
    match done {
        "retry" => Some("It is due now and runs as soon as a worker is free."),
        "release" => Some("It is let go and runs when it is due."),
        "cancel" => Some("It is called off. A running one stops as soon as its handler can."),
        _ => None,
    }
}

/// Arguments are ids by rule; whatever else is stored is shown as text.
fn arguments(args: &Value) -> Vec<Argument> {
    let Value::Object(map) = args else {
        return vec![Argument {
            name: "arguments".to_owned(),
            value: cut(&args.to_string(), MAX_TEXT),
            path: None,
        }];
    };
    map.iter()
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let is_id = text.parse::<JobId>().is_ok();
            Argument {
                path: match name.as_str() {
                    "post_id" if is_id => Some(format!("/posts/{text}")),
                    "account_id" if is_id => Some(format!("/jobs?lane={text}")),
                    _ => None,
                },
                name: name.clone(),
                value: cut(&text, MAX_TEXT),
            }
        })
        .collect()
}

/// What is known of the job's life, oldest first.
fn steps(job: &job::Model, failed: &[job_attempt::Model], now: Timestamp) -> Vec<Step> {
    let step = |at: Timestamp, text: String| Step {
        at,
        when: When::new(at, now),
        text,
    };
    let mut steps = vec![step(job.created_at, "Enqueued".to_owned())];
    for row in failed {
        if let Some(at) = row.started_at {
            steps.push(step(at, format!("Attempt {} started", row.attempt)));
        }
        let end = match row.outcome {
            AttemptOutcome::Failed => "failed",
            AttemptOutcome::Crashed => "lost its process",
            AttemptOutcome::TimedOut => "ran out of time",
        };
        steps.push(step(
            row.finished_at,
            format!("Attempt {} {end}", row.attempt),
        ));
    }
    let told = failed.iter().any(|row| row.started_at == job.started_at);
    if let Some(at) = job.started_at.filter(|_| !told) {
        steps.push(step(at, format!("Attempt {} started", job.attempt.max(1))));
    }
    if let Some(at) = job.finished_at {
        steps.push(step(at, format!("Ended {}", job.state.as_str())));
    }
    if job.state == JobState::Held {
        let reason = job.hold_reason.as_deref().unwrap_or("no reason");
        steps.push(step(job.updated_at, format!("Held: {reason}")));
    }
    if matches!(job.state, JobState::Scheduled | JobState::Retryable) && job.run_at > now {
        steps.push(step(job.run_at, "Due".to_owned()));
    }
    steps.sort_by_key(|step| step.at);
    steps
}

/// A button.
pub(super) async fn act(
    Extension(visit): Extension<Visit>,
    Path((id, act)): Path<(String, String)>,
) -> Response {
    let done = carry_out(&visit, &id, &act).await;
    page::acted(&visit, done, |job| format!("/jobs/{}?done={act}", job.id))
}

async fn carry_out(visit: &Visit, id: &str, act: &str) -> Result<job::Model> {
    let id: JobId = id.parse().map_err(|_| Error::NotFound)?;
    let app = &visit.console.app;
    match act {
        "retry" => operators::retry_job(app, visit.actor(), id).await,
        "cancel" => operators::cancel_job(app, visit.actor(), id).await,
        "release" => operators::release_job(app, visit.actor(), id).await,
        _ => {
            let text = "a job can be retried, cancelled and released";
            Err(Refusal::whole(Code::Invalid, text).into())
        }
    }
}
