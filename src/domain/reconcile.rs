//! What TikTok's word about a publish means for the post.
//!
//! TikTok's answer is the evidence; a change of state always stores it. An answer that says nothing
//! new changes nothing. After the commit point only such a word moves a post: to PROCESSING when
//! TikTok has every byte, back to UPLOADING when it lacks some and its address lives, to the inbox,
//! to the profile, or to FAILED, which is TikTok's promise that nothing was posted.

use std::time::Duration;

use clipqueue_entities::{
    post::{self, PostKind, PostState},
    post_attempt::{self, AttemptPhase},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
};
use serde_json::{Value, json};
use tiktok::{Answer, ChunkPlan, FailReason, PublishState, PublishStatus};

use super::{
    attempts,
    error::Result,
    events::{self, NewEvent},
    fail_reason::failure,
    post_change::{Change, Evidence, Failure, apply_in_tx, takes},
    post_state::PostEvent,
    posts,
    videos::{self, Found, Weight},
};
use crate::{
    app::App,
    crash::{self, Commit},
    job::UPLOADS,
    queue::Lease,
};

/// The wait before a failure of TikTok's own is tried again, times the attempts so far.
pub const RETRY_STEP: Duration = Duration::from_secs(60);

/// How long after the last chunk "it lacks bytes" is not believed yet.
const LAST_CHUNK_SETTLES: Duration = Duration::from_secs(60);

/// Applies TikTok's answer about `attempt`; gives the post as it is afterwards.
pub async fn apply_status(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    answer: &Answer<PublishStatus>,
) -> Result<post::Model> {
    let status = &answer.value;
    let evidence = Evidence::answer("publish.status", answer, body(status)).of(attempt.id);
    match &status.state {
        PublishState::ProcessingUpload => {
            if post.state != PostState::Unconfirmed || attempts::overtaken(app, attempt).await? {
                return Ok(post);
            }
            doubt(app, lease, post, attempt, status, evidence).await
        }
        PublishState::SendToUserInbox => {
            Box::pin(in_inbox(app, lease, post, attempt, evidence)).await
        }
        PublishState::PublishComplete => {
            let videos: Vec<Found> = status
                .post_ids
                .iter()
                .map(|id| Found::id(id.as_str()))
                .collect();
            Box::pin(published(app, lease, post, attempt, &videos, evidence)).await
        }
        PublishState::Failed => {
            let reason = status.fail_reason.clone();
            Box::pin(failed(app, lease, post, attempt, reason, evidence)).await
        }
        // The init whose answer was lost was accepted after all.
        PublishState::ProcessingDownload
            if post.state == PostState::Unconfirmed && attempt.phase == AttemptPhase::PullSent =>
        {
            let tx = attempts::fenced(app, lease).await?;
            attempts::complete_in_tx(&tx, attempt).await?;
            let change = Change::new(PostEvent::TiktokProcessing, evidence);
            apply(app, tx, post, change).await
        }
        // A word that TikTok's pages do not have is taken as "still working".
        PublishState::ProcessingDownload | PublishState::Unknown(_) => Ok(post),
    }
}

/// TikTok put the draft into the creator's inbox.
pub async fn in_inbox(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    evidence: Evidence,
) -> Result<post::Model> {
    if matches!(
        post.state,
        PostState::InInbox | PostState::Published | PostState::Lapsed
    ) {
        // A draft that lapsed is still in the inbox; that is no news.
        return Ok(post);
    }
    let change = Change::new(PostEvent::TiktokInbox, evidence);
    Box::pin(finish(app, lease, post, attempt, "inbox", change)).await
}

/// An UNCONFIRMED post that TikTok is still taking in: does TikTok have every byte?
async fn doubt(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    status: &PublishStatus,
    evidence: Evidence,
) -> Result<post::Model> {
    if attempt.phase != AttemptPhase::LastChunk {
        // TikTok took the last chunk and has been silent too long: "still working" is no news.
        return Ok(post);
    }
    let size = u64::try_from(attempt.video_size).unwrap_or_default();
    // TikTok leaves out fields that are zero. To send bytes again to the same address is harmless, so
    // that reading is good enough for that, but not to call the post failed.
    let uploaded = status.uploaded_bytes.unwrap_or_default();
    let now = app.clock.now();
    let settling = attempt
        .last_chunk_at
        .is_some_and(|at| now < at + LAST_CHUNK_SETTLES);
    if uploaded < size && settling {
        // The chunk may still be on its way through TikTok's gateways, and status lags.
        return Ok(post);
    }
    let tx = attempts::fenced(app, lease).await?;
    if uploaded >= size {
        attempts::complete_in_tx(&tx, attempt).await?;
        return apply(
            app,
            tx,
            post,
            Change::new(PostEvent::TiktokProcessing, evidence),
        )
        .await;
    }
    if attempts::url_has_ended(attempt, now) {
        if status.uploaded_bytes.is_none() {
            tx.rollback().await?;
            return Ok(post);
        }
        let change = Change::new(PostEvent::TiktokFailed, evidence).failure(Failure {
            class: "clipqueue",
            code: "upload_expired".to_owned(),
            message: "TikTok's upload address ended before it had the whole video, so nothing was posted. Retry the post."
                .to_owned(),
            retryable: true,
        });
        return attempts::close(app, tx, post, "expired", None, change).await;
    }
    let offset = chunk_plan(attempt).map_or(attempt.bytes_acked, |plan| {
        i64::try_from(plan.next_offset(uploaded)).unwrap_or(attempt.bytes_acked)
    });
    attempts::resume_in_tx(&tx, attempt.id, offset).await?;
    let change = Change::new(PostEvent::UploadResumed, evidence);
    let post = apply_in_tx(app, &tx, post, change).await?;
    app.enqueue_in_tx(&tx, posts::upload_job(&post), None)
        .await?;
    crash::commit(tx, Commit::UploadResumed).await?;
    app.announce(post.user_id).await;
    app.nudge(UPLOADS);
    Ok(post)
}

/// TikTok posted it; `videos` are those that it names.
pub async fn published(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    found: &[Found],
    evidence: Evidence,
) -> Result<post::Model> {
    let known = videos::ids(&post);
    let news = found.iter().any(|video| !known.contains(&video.id));
    let was_published = post.state == PostState::Published;
    if was_published && !news {
        return Ok(post);
    }
    let tx = attempts::fenced(app, lease).await?;
    let joined = videos::join_in_tx(app, &tx, &post, found, Weight::Tiktok).await?;
    let change = Change::new(PostEvent::TiktokPublished, evidence).edit(|row| {
        if news {
            row.tiktok_post_ids = Set(json!(joined.ids));
            row.share_url = Set(joined.share_url);
        }
    });
    let post = end(app, tx, post, attempt, "published", change).await?;
    if was_published {
        tracing::info!(post.id = %post.id, "the public id of a post became known");
    }
    Ok(post)
}

/// TikTok failed it, which is its promise that nothing was posted.
pub async fn failed(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    reason: Option<FailReason>,
    evidence: Evidence,
) -> Result<post::Model> {
    // A late failure undoes nothing that was seen, and that of an earlier attempt says nothing of
    // the one that is being made.
    if !takes(&post, PostEvent::TiktokFailed) || attempts::overtaken(app, attempt).await? {
        return Ok(post);
    }
    let reason = reason.unwrap_or_else(|| FailReason::Unknown("unknown".to_owned()));
    if reason == FailReason::Cancelled && owner_stopped(app, &post, attempt).await? {
        let change = Change::new(PostEvent::Cancelled, evidence);
        return Box::pin(finish(app, lease, post, attempt, reason.as_str(), change)).await;
    }
    let change = Change::new(PostEvent::TiktokFailed, evidence).failure(failure(&reason));
    let tx = attempts::fenced(app, lease).await?;
    let failures = 1 + failures_at_tiktok(&tx, attempt).await?;
    let again = reason.retryable() && failures < app.config.posts.max_attempts;
    if !again {
        return attempts::close(app, tx, post, reason.as_str(), None, change).await;
    }
    attempts::close_in_tx(app, &tx, &post, reason.as_str(), None).await?;
    let post = apply_in_tx(app, &tx, post, change).await?;
    let retry = Change::new(PostEvent::Retried, Evidence::own("retry.automatic"));
    let post = apply_in_tx(app, &tx, post, retry).await?;
    let wait = RETRY_STEP * failures;
    app.enqueue_in_tx(&tx, posts::upload_job(&post), Some(app.clock.now() + wait))
        .await?;
    crash::commit(tx, Commit::TriedAgain).await?;
    app.announce(post.user_id).await;
    Ok(post)
}

/// Whether TikTok stopped what its owner wanted to be stopped. The wish is taken back when TikTok refuses
/// a stop, which it does as well when it stopped before and its answer was lost: then the question is
/// the proof. A post in doubt ends as any other that TikTok says it did not post.
async fn owner_stopped(
    app: &App,
    post: &post::Model,
    attempt: &post_attempt::Model,
) -> Result<bool> {
    Ok(post.kind == PostKind::Photo
        && takes(post, PostEvent::Cancelled)
        && (post.cancel_requested || attempts::stop_was_asked(app.db.read(), attempt.id).await?))
}

/// How often TikTok failed the post before `attempt` for a reason that trying anew can cure. Attempts
/// that never came that far do not count.
async fn failures_at_tiktok(
    tx: &DatabaseTransaction,
    attempt: &post_attempt::Model,
) -> Result<u32> {
    let failed = attempts::list(tx, attempt.post_id)
        .await?
        .into_iter()
        .filter(|other| other.number < attempt.number)
        .filter_map(|other| other.outcome)
        .filter(|outcome| FailReason::from_wire(outcome).retryable())
        .count();
    Ok(u32::try_from(failed).unwrap_or(u32::MAX - 1))
}

/// Closes the attempt with a change that ends it.
async fn finish(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    outcome: &str,
    change: Change,
) -> Result<post::Model> {
    let tx = attempts::fenced(app, lease).await?;
    end(app, tx, post, attempt, outcome, change).await
}

/// Ends `attempt` with `outcome`, and with it one that was opened after it in the belief that it had
/// posted nothing.
async fn end(
    app: &App,
    tx: DatabaseTransaction,
    post: post::Model,
    attempt: &post_attempt::Model,
    outcome: &str,
    change: Change,
) -> Result<post::Model> {
    attempts::end_in_tx(app, &tx, &post, attempt, outcome).await?;
    attempts::close(app, tx, post, "overtaken", None, change).await
}

async fn apply(
    app: &App,
    tx: DatabaseTransaction,
    post: post::Model,
    change: Change,
) -> Result<post::Model> {
    let post = apply_in_tx(app, &tx, post, change).await?;
    crash::commit(tx, Commit::ProcessingConfirmed).await?;
    app.announce(post.user_id).await;
    Ok(post)
}

/// The plan that an attempt was begun with.
pub fn chunk_plan(attempt: &post_attempt::Model) -> Option<ChunkPlan> {
    ChunkPlan::restore(
        u64::try_from(attempt.video_size).ok()?,
        u64::try_from(attempt.chunk_size).ok()?,
        u64::try_from(attempt.chunk_count).ok()?,
    )
    .ok()
}

/// Whether a post is still worth asking about: the attempt's phase says that TikTok may have it.
pub fn may_be_at_tiktok(attempt: &post_attempt::Model) -> bool {
    match attempt.phase {
        AttemptPhase::LastChunk | AttemptPhase::PullSent | AttemptPhase::Sent => true,
        AttemptPhase::InitSent | AttemptPhase::Uploading | AttemptPhase::Closed => false,
    }
}

fn body(status: &PublishStatus) -> Value {
    json!({
        "status": status.state.as_str(),
        "fail_reason": status.fail_reason.as_ref().map(FailReason::as_str),
        "post_ids": status.post_ids.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "uploaded_bytes": status.uploaded_bytes,
    })
}

/// Notes an event about a post that changes no state.
pub async fn note(app: &App, post: &post::Model, kind: &'static str, data: Value) -> Result<()> {
    let tx = app.db.begin().await?;
    events::append_in_tx(
        &tx,
        app.clock.now(),
        NewEvent {
            user_id: post.user_id,
            account_id: Some(post.account_id),
            post_id: Some(post.id),
            kind,
            data,
            evidence_id: None,
        },
    )
    .await?;
    crash::commit(tx, Commit::EventNoted).await?;
    app.announce(post.user_id).await;
    Ok(())
}

/// Moves the deadline of a post that stays where it is.
pub async fn extend_deadline(app: &App, post: &post::Model, by: Duration) -> Result<()> {
    let moved = post::Entity::update_many()
        .col_expr(
            post::Column::DeadlineAt,
            sea_orm::sea_query::Expr::value(app.clock.now() + by),
        )
        .filter(post::Column::Id.eq(post.id))
        .exec(app.db.write());
    crash::write(Commit::DeadlineMoved, moved).await?;
    Ok(())
}
