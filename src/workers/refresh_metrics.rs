//! `RefreshMetrics`: reads the counters of one account's own public videos.
//!
//! 1. List the newest videos, or all of them, page by page; each page is written down with its place.
//! 2. Ask by id for those that the listing should have shown, and for young ones that are due beyond it.
//! 3. Hold the list against drafts whose video nobody knows yet.
//!
//! Reading changes nothing at TikTok, so what cannot be had is had later. An account that cannot be read
//! until the creator acts is marked with the reason; its job is done.

use std::time::Duration;

use clipqueue_entities::{AccountId, Timestamp, account, account::AccountStatus, tracked_video};
use tiktok::{
    Answer, Class, Endpoint, limits,
    video::{VideoIds, VideoPage},
};

use super::{Halt, Step, no_token};
use crate::{
    app::App,
    calls::Wait,
    domain::{
        accounts::{self, REAUTH_REQUIRED, SCOPE_MISSING},
        counters::{
            planner::Depth,
            plans,
            reading::{self, Look},
        },
        doubt::VIDEO_LIST,
        drafts,
        error::Error,
        tokens::{self, NoToken, Usable},
        video_search::posted_at,
    },
    queue::Lease,
};

/// A refresh takes some seconds.
const TOKEN_WAIT: Duration = Duration::from_secs(5);
/// The wait after an answer that could not be had.
const FAULT_WAIT: Duration = Duration::from_secs(60);

pub(super) async fn run(app: &App, lease: &Lease, id: AccountId) -> Step {
    let account = match accounts::for_worker(app, id).await {
        Ok(account) => account,
        Err(Error::NotFound) => return Err(Halt::cancel("the account is gone")),
        Err(error) => return Err(error.into()),
    };
    if account.status == AccountStatus::Disconnected {
        return Err(Halt::cancel("the account was disconnected"));
    }
    if !account.scopes.split(',').any(|scope| scope == VIDEO_LIST) {
        return pause(app, id, SCOPE_MISSING).await;
    }
    let usable = match tokens::usable(app, &account, Duration::ZERO).await {
        Ok(usable) => usable,
        Err(NoToken::Reconnect) => return pause(app, id, REAUTH_REQUIRED).await,
        Err(error) => return Err(no_token(app, id, error).await),
    };
    match Box::pin(read(app, lease, &account, &usable)).await? {
        Read::Done => Ok(()),
        Read::Refused(reason) => pause(app, id, reason).await,
    }
}

/// How a look ended.
enum Read {
    Done,
    /// The creator must act first.
    Refused(&'static str),
}

async fn pause(app: &App, id: AccountId, reason: &str) -> Step {
    plans::pause(app, id, reason).await?;
    metrics::counter!("clipqueue_metric_looks_total", "outcome" => reason.to_owned()).increment(1);
    tracing::info!(account.id = %id, reason, "an account's counters cannot be read");
    Ok(())
}

async fn read(app: &App, lease: &Lease, account: &account::Model, usable: &Usable) -> Step<Read> {
    let mut look = reading::begin(app, account.id).await?;
    let most = match look.depth {
        Depth::Newest => 1,
        Depth::Whole => app
            .config
            .metrics
            .max_videos
            .div_ceil(u32::from(limits::VIDEO_PAGE_MAX)),
    };
    let mut covered = None;
    let mut newest = None;
    for page in 1.. {
        let Some(answer) = list(app, account, usable, look.cursor).await? else {
            return Ok(Read::Refused(SCOPE_MISSING));
        };
        let listed = &answer.value;
        let more = listed.has_more && listed.cursor.is_some() && listed.cursor != look.cursor;
        // What lies behind the last video of an unfinished listing was not looked at.
        covered = listed.videos.last().and_then(posted_at).or(covered);
        let goes_on = (more && page < most).then_some(listed.cursor).flatten();
        reading::page(app, lease, &look, &listed.videos, goes_on).await?;
        look.cursor = goes_on;
        if newest.is_none() {
            newest = Some(answer.clone().map(|listed| listed.videos));
        }
        if goes_on.is_none() {
            if !more {
                covered = None;
            }
            break;
        }
    }
    if ask_for(app, lease, account, usable, &look, covered)
        .await?
        .is_none()
    {
        return Ok(Read::Refused(SCOPE_MISSING));
    }
    let again = reading::end(app, lease, &look).await?;
    if let Some(newest) = newest {
        drafts::offer(app, lease, account.id, &newest).await?;
    }
    metrics::counter!("clipqueue_metric_looks_total", "outcome" => "read").increment(1);
    match again {
        Some(at) => Err(Halt::snooze(at.since(app.clock.now()))),
        None => Ok(Read::Done),
    }
}

/// One page; nothing when the creator did not grant it.
async fn list(
    app: &App,
    account: &account::Model,
    usable: &Usable,
    cursor: Option<i64>,
) -> Step<Option<Answer<VideoPage>>> {
    let endpoint = Endpoint::VideoList;
    let mut permit = app.calls.ask(Some(account.id), &[endpoint]).await?;
    let answered = app
        .tiktok
        .list_videos(&usable.token, cursor, limits::VIDEO_PAGE_MAX)
        .await;
    let resting = app.calls.heard(&mut permit, endpoint, &answered).await;
    heard(app, account.id, usable, answered, resting).await
}

/// Asks by id for what the listing leaves open; nothing when the creator did not grant it.
async fn ask_for(
    app: &App,
    lease: &Lease,
    account: &account::Model,
    usable: &Usable,
    look: &Look,
    covered: Option<Timestamp>,
) -> Step<Option<()>> {
    let unseen = reading::unseen(app, look, covered).await?;
    for some in unseen.chunks(limits::VIDEO_QUERY_MAX) {
        let endpoint = Endpoint::VideoQuery;
        let ids =
            VideoIds::new(some.iter().filter_map(id_of).collect()).map_err(anyhow::Error::from)?;
        let mut permit = app.calls.ask(Some(account.id), &[endpoint]).await?;
        let answered = app.tiktok.query_videos(&usable.token, &ids).await;
        let resting = app.calls.heard(&mut permit, endpoint, &answered).await;
        let Some(answer) = heard(app, account.id, usable, answered, resting).await? else {
            return Ok(None);
        };
        let gone = reading::told(app, lease, look, some, &answer.value).await?;
        if gone > 0 {
            tracing::info!(account.id = %account.id, gone, "TikTok no longer shows videos");
        }
    }
    Ok(Some(()))
}

fn id_of(row: &tracked_video::Model) -> Option<tiktok::PostId> {
    row.video_id.parse().ok()
}

/// The answer, or nothing when the creator did not grant the question.
async fn heard<T>(
    app: &App,
    account: AccountId,
    usable: &Usable,
    answered: Result<Answer<T>, tiktok::Error>,
    resting: Option<Wait>,
) -> Step<Option<Answer<T>>> {
    let error = match answered {
        Ok(answer) => return Ok(Some(answer)),
        Err(error) => error,
    };
    tracing::info!(account.id = %account, %error, "TikTok did not tell a creator's counters");
    match error.class() {
        Class::ScopeMissing => Ok(None),
        Class::TokenRejected | Class::GrantDead => {
            let young = tokens::is_young(app, account).await?;
            tokens::suspect(app, account, usable.generation).await?;
            // A new token that is rejected too is replaced with growing gaps.
            Err(if young {
                Halt::retry(error)
            } else {
                Halt::snooze(TOKEN_WAIT)
            })
        }
        Class::RateLimited | Class::Transient | Class::Ambiguous => {
            let rest = resting.map_or(Duration::ZERO, |resting| resting.wait);
            Err(Halt::snooze(FAULT_WAIT.max(rest)))
        }
        Class::CreatorCap
        | Class::PendingDraftsCap
        | Class::AppUserCap
        | Class::CreatorBanned
        | Class::UnauditedClient
        | Class::PrivacyMismatch
        | Class::UrlNotOwned
        | Class::CreatorAppTooOld
        | Class::NotFoundYet
        | Class::NotCancellable
        | Class::BadMedia
        | Class::BadRequest
        | Class::OurFault
        | Class::UploadDead
        | Class::UploadOutOfStep { .. }
        | Class::SourceFailed => Err(Halt::retry(error)),
    }
}
