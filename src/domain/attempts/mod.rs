//! The ledger of attempts: what may have been sent to TikTok, written before it is sent.
//!
//! Every function is one fenced transaction: it first proves that the worker still holds the newest
//! token of its job, then moves the attempt, the post and whatever follows together. A worker that
//! lost its lease can therefore neither open an attempt nor close one.

mod address;
mod find;
mod pull;
mod unsent;

use std::time::Duration;

use clipqueue_entities::{
    AttemptId,
    post::{self, PostState},
    post_attempt::{self, AttemptPhase},
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait,
    DatabaseTransaction, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, sea_query::Expr,
};
use serde_json::json;
use tiktok::{ChunkPlan, PublishId, UploadUrl, limits::UPLOAD_URL_LIFE};

use address::url_place;
pub use address::{upload_url, url_has_ended};
pub use find::{by_id, by_publish_id, list, newest_published, open, overtaken};
pub use pull::{
    STOP_CALL, accepted_pull, begin_pull, keep_publish_id, stop_asked, stop_was_asked,
    unanswered_pull,
};
pub use unsent::{fenced_unsent, in_last_chunk_in_tx, unsent_in_tx};

use super::{
    error::{Error, Result},
    events::{self, NewEvent},
    post_change::{Change, Evidence, apply_in_tx, log_id},
    post_state::PostEvent,
    tokens,
};
use crate::{
    app::App,
    crash::{self, Commit},
    job::{Job, STATUS},
    queue::Lease,
};

/// Begins a transaction in which `lease` is proved to be the newest.
pub async fn fenced(app: &App, lease: &Lease) -> Result<DatabaseTransaction> {
    let tx = app.db.begin().await?;
    lease
        .prove_in_tx(&tx)
        .await
        .map_err(|error| Error::Internal(error.into()))?;
    Ok(tx)
}

/// Opens an attempt: PREFLIGHT → INIT_SENT. The init call may follow once this has returned.
pub async fn begin(
    app: &App,
    lease: &Lease,
    post: post::Model,
    plan: &ChunkPlan,
) -> Result<(post::Model, post_attempt::Model)> {
    let tx = fenced(app, lease).await?;
    let number = list(&tx, post.id)
        .await?
        .last()
        .map_or(1, |attempt| attempt.number + 1);
    let attempt = post_attempt::Model {
        id: AttemptId::new(),
        post_id: post.id,
        account_id: Some(post.account_id),
        number,
        phase: AttemptPhase::InitSent,
        open_key: Some(post.id.to_string()),
        publish_id: None,
        upload_url_sealed: None,
        upload_url_expires_at: None,
        pull_ends_at: None,
        video_size: i64::try_from(plan.size()).unwrap_or(i64::MAX),
        chunk_size: i64::try_from(plan.chunk_size()).unwrap_or(i64::MAX),
        chunk_count: i32::try_from(plan.count()).unwrap_or(i32::MAX),
        bytes_acked: 0,
        last_chunk_at: None,
        outcome: None,
        error_code: None,
        log_id: None,
        created_at: app.clock.now(),
        closed_at: None,
    };
    post_attempt::Entity::insert(attempt.clone().into_active_model().reset_all())
        .exec_without_returning(&tx)
        .await?;
    let evidence = Evidence::own("attempt.opened")
        .of(attempt.id)
        .with("attempt", number);
    let change = Change::new(PostEvent::InitStarted, evidence).edit(|row| {
        row.bytes_sent = Set(0);
    });
    let post = apply_in_tx(app, &tx, post, change).await?;
    crash::commit(tx, Commit::AttemptOpened).await?;
    app.announce(post.user_id).await;
    Ok((post, attempt))
}

/// TikTok answered init: INIT_SENT → UPLOADING, with everything needed to go on after a crash.
pub async fn accepted(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    publish_id: &PublishId,
    upload_url: &UploadUrl,
    evidence: Evidence,
) -> Result<(post::Model, post_attempt::Model)> {
    let tx = fenced(app, lease).await?;
    let key = tokens::data_key(app, &tx, post.account_id).await?;
    let row = attempt.id.to_string();
    let sealed = key.seal(url_place(&row), upload_url.expose().as_bytes());
    let expires_at = app.clock.now() + UPLOAD_URL_LIFE;
    let attempt = update(&tx, attempt.id, |row| {
        row.phase = Set(AttemptPhase::Uploading);
        row.publish_id = Set(Some(publish_id.to_string()));
        row.upload_url_sealed = Set(Some(sealed));
        row.upload_url_expires_at = Set(Some(expires_at));
    })
    .await?;
    let change = Change::new(PostEvent::InitAccepted, evidence.of(attempt.id));
    let post = apply_in_tx(app, &tx, post, change).await?;
    crash::commit(tx, Commit::InitAccepted).await?;
    app.announce(post.user_id).await;
    Ok((post, attempt))
}

/// TikTok acknowledged every byte before `offset`.
pub async fn acknowledged(
    app: &App,
    lease: &Lease,
    post: &post::Model,
    attempt: &post_attempt::Model,
    offset: u64,
) -> Result<post_attempt::Model> {
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    let now = app.clock.now();
    let tx = fenced(app, lease).await?;
    let attempt = update(&tx, attempt.id, |row| {
        row.bytes_acked = Set(offset);
    })
    .await?;
    let row = post::ActiveModel {
        bytes_sent: Set(offset),
        updated_at: Set(now),
        ..Default::default()
    };
    post::Entity::update_many()
        .set(row)
        .filter(post::Column::Id.eq(post.id))
        .exec(&tx)
        .await?;
    events::append_in_tx(
        &tx,
        now,
        NewEvent {
            user_id: post.user_id,
            account_id: Some(post.account_id),
            post_id: Some(post.id),
            kind: "post.progress",
            data: json!({ "bytes_sent": offset, "bytes_total": post.bytes_total }),
            evidence_id: None,
        },
    )
    .await?;
    crash::commit(tx, Commit::ChunkAcknowledged).await?;
    app.announce(post.user_id).await;
    Ok(attempt)
}

/// The last chunk is about to be sent: from here on a lost answer is never repeated blindly.
///
/// None when the post is not to be sent any more: its owner stopped it, it was given up, or somebody
/// else sends the last chunk. Either this commit or that of the other comes first, never both.
pub async fn last_chunk_started(
    app: &App,
    lease: &Lease,
    attempt: &post_attempt::Model,
) -> Result<Option<post_attempt::Model>> {
    let now = app.clock.now();
    let tx = fenced(app, lease).await?;
    let wanted = post::Entity::update_many()
        .col_expr(post::Column::UpdatedAt, Expr::value(now))
        .filter(post::Column::Id.eq(attempt.post_id))
        .filter(post::Column::State.eq(PostState::Uploading))
        .filter(post::Column::CancelRequested.eq(false))
        .exec(&tx)
        .await?;
    if wanted.rows_affected != 1 {
        tx.rollback().await?;
        return Ok(None);
    }
    let started = post_attempt::Entity::update_many()
        .col_expr(post_attempt::Column::LastChunkAt, Expr::value(now))
        .filter(post_attempt::Column::Id.eq(attempt.id))
        .filter(post_attempt::Column::Phase.eq(AttemptPhase::Uploading))
        .exec(&tx)
        .await?;
    if started.rows_affected != 1 {
        tx.rollback().await?;
        return Ok(None);
    }
    let attempt = update(&tx, attempt.id, |row| {
        row.phase = Set(AttemptPhase::LastChunk);
    })
    .await?;
    crash::commit(tx, Commit::LastChunkStarted).await?;
    Ok(Some(attempt))
}

/// TikTok acknowledged the last byte: → PROCESSING, and somebody must ask how it fares.
pub async fn sent(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    evidence: Evidence,
) -> Result<post::Model> {
    let tx = fenced(app, lease).await?;
    update(&tx, attempt.id, |row| {
        row.phase = Set(AttemptPhase::Sent);
        row.bytes_acked = Set(attempt.video_size);
    })
    .await?;
    let total = post.bytes_total;
    let change = Change::new(PostEvent::BytesAcknowledged, evidence.of(attempt.id))
        .edit(|row| row.bytes_sent = Set(total));
    let wait = Duration::from_secs(FIRST_POLL_S);
    ask_later(app, tx, post, change, wait, Commit::BytesAcknowledged).await
}

/// TikTok is seldom done sooner.
const FIRST_POLL_S: u64 = 3;

/// The answer to the last chunk was lost: → UNCONFIRMED, and TikTok is asked at once.
pub async fn answer_lost(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    evidence: Evidence,
) -> Result<post::Model> {
    let tx = fenced(app, lease).await?;
    let change = Change::new(PostEvent::AnswerLost, evidence.of(attempt.id));
    ask_later(app, tx, post, change, Duration::ZERO, Commit::AnswerLost).await
}

async fn ask_later(
    app: &App,
    tx: DatabaseTransaction,
    post: post::Model,
    change: Change,
    wait: Duration,
    commit: Commit,
) -> Result<post::Model> {
    let post = apply_in_tx(app, &tx, post, change).await?;
    app.enqueue_in_tx(&tx, poll_job(&post), Some(app.clock.now() + wait))
        .await?;
    crash::commit(tx, commit).await?;
    app.announce(post.user_id).await;
    app.nudge(STATUS);
    Ok(post)
}

/// The job that asks TikTok about `post`.
pub fn poll_job(post: &post::Model) -> Job {
    Job::PollPost {
        post_id: post.id,
        account_id: post.account_id,
    }
}

/// Carries out `change` and closes the post's open attempt, if there is one, as `outcome`.
///
/// Only for changes that are proof that the attempt cannot post, or that it has.
pub async fn close(
    app: &App,
    tx: DatabaseTransaction,
    post: post::Model,
    outcome: &str,
    error: Option<&tiktok::Error>,
    change: Change,
) -> Result<post::Model> {
    close_in_tx(app, &tx, &post, outcome, error).await?;
    let post = apply_in_tx(app, &tx, post, change).await?;
    crash::commit(tx, Commit::PostChanged).await?;
    app.announce(post.user_id).await;
    Ok(post)
}

/// Closes the open attempt of `post`, if there is one.
pub async fn close_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    post: &post::Model,
    outcome: &str,
    error: Option<&tiktok::Error>,
) -> Result<()> {
    let Some(attempt) = open(tx, post.id).await? else {
        return Ok(());
    };
    let now = app.clock.now();
    update(tx, attempt.id, |row| {
        row.phase = Set(AttemptPhase::Closed);
        row.open_key = Set(None);
        // The address is as good as a password, and nobody needs it any more.
        row.upload_url_sealed = Set(None);
        row.outcome = Set(Some(outcome.to_owned()));
        row.closed_at = Set(Some(now));
        if let Some(error) = error {
            row.error_code = Set(Some(error.code().to_owned()));
            row.log_id = Set(log_id(error));
        }
    })
    .await?;
    Ok(())
}

/// Ends `attempt`, open or not, as TikTok's word shows it to have ended.
pub async fn end_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    post: &post::Model,
    attempt: &post_attempt::Model,
    outcome: &str,
) -> Result<()> {
    if attempt.phase != AttemptPhase::Closed {
        return close_in_tx(app, tx, post, outcome, None).await;
    }
    update(tx, attempt.id, |row| {
        row.outcome = Set(Some(outcome.to_owned()));
    })
    .await?;
    Ok(())
}

/// TikTok says that it has every byte, after our own word for it was lost.
pub async fn complete_in_tx(
    tx: &impl ConnectionTrait,
    attempt: &post_attempt::Model,
) -> Result<()> {
    update(tx, attempt.id, |row| {
        row.phase = Set(AttemptPhase::Sent);
        row.bytes_acked = Set(attempt.video_size);
    })
    .await?;
    Ok(())
}

/// TikTok says that it lacks bytes from `offset` on: the attempt goes back to UPLOADING.
pub async fn resume_in_tx(
    tx: &impl ConnectionTrait,
    attempt: AttemptId,
    offset: i64,
) -> Result<post_attempt::Model> {
    update(tx, attempt, |row| {
        row.phase = Set(AttemptPhase::Uploading);
        row.bytes_acked = Set(offset);
    })
    .await
}

async fn update(
    tx: &impl ConnectionTrait,
    id: AttemptId,
    edit: impl FnOnce(&mut post_attempt::ActiveModel),
) -> Result<post_attempt::Model> {
    let mut row = <post_attempt::ActiveModel as Default>::default();
    edit(&mut row);
    post_attempt::Entity::update_many()
        .set(row)
        .filter(post_attempt::Column::Id.eq(id))
        .exec(tx)
        .await?;
    post_attempt::Entity::find_by_id(id)
        .one(tx)
        .await?
        .ok_or(Error::NotFound)
}
