//! Stopping a post, and trying one again that has ended.

use clipqueue_entities::{
    PostId, post,
    post::{PostKind, PostState},
    post_attempt::AttemptPhase,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _,
};

use super::{create::as_request, files, get, get_locked, rules::validate, upload_job};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        actor::Actor,
        attempts,
        error::{Code, Refusal, Result},
        idempotency::{Request, Seen},
        lateness::LATE,
        post_change::{Change, Evidence, apply_in_tx, insert_evidence},
        post_state::PostEvent,
    },
    job::UPLOADS,
    queue::ledger::{self, CancelOutcome},
};

/// Stops a post. Before its commit point it ends CANCELLED; a running upload is told to stop and
/// ends CANCELLED before its last chunk; of photos that TikTok is fetching, TikTok is asked to stop.
/// What TikTok has whole cannot be taken back.
pub async fn cancel(app: &App, actor: &Actor, id: PostId) -> Result<post::Model> {
    let tx = app.db.begin().await?;
    let post = get(&tx, actor.user_id, id).await?;
    match post.state {
        PostState::Cancelled => {
            tx.rollback().await?;
            Ok(post)
        }
        PostState::Draft | PostState::Scheduled | PostState::Held => {
            // Jobs are locked before posts everywhere.
            app.cancel_job_in_tx(&tx, &upload_job(&post)).await?;
            let change = Change::new(PostEvent::Cancelled, Evidence::creator("cancelPost"));
            let post = apply_in_tx(app, &tx, post, change).await?;
            crash::commit(tx, Commit::PostStopped).await?;
            app.announce(actor.user_id).await;
            Ok(post)
        }
        PostState::Preflight | PostState::InitSent | PostState::Uploading => {
            cancel_sending(app, tx, post).await
        }
        PostState::Processing if post.kind == PostKind::Photo => stop_pull(app, tx, post).await,
        PostState::Processing
        | PostState::InInbox
        | PostState::Published
        | PostState::Unconfirmed
        | PostState::Lapsed => Err(too_late().into()),
        PostState::Failed | PostState::Missed => Err(Refusal::whole(
            Code::WrongState,
            "the post has ended already; there is nothing to stop",
        )
        .into()),
    }
}

/// Stops a post that a worker has begun. A waiting job is stopped here and now; a running one is told
/// to stop, and its worker ends the post before the last chunk.
async fn cancel_sending(
    app: &App,
    tx: DatabaseTransaction,
    post: post::Model,
) -> Result<post::Model> {
    let now = app.clock.now();
    let key = upload_job(&post).unique_key();
    let job = ledger::live(&tx, std::slice::from_ref(&key))
        .await?
        .remove(&key);
    let outcome = match job {
        Some(id) => ledger::cancel_in(&tx, now, id).await?,
        None => CancelOutcome::NotFound,
    };
    let user = post.user_id;
    let id = post.id;
    // The row is written before the phase is read: a worker that is about to send the last chunk writes
    // it too, so one of the two comes first and the other sees it.
    post::Entity::update_many()
        .col_expr(
            post::Column::CancelRequested,
            sea_orm::sea_query::Expr::value(true),
        )
        .filter(post::Column::Id.eq(id))
        .exec(&tx)
        .await?;
    let past_commit_point = attempts::open(&tx, id)
        .await?
        .is_some_and(|attempt| attempt.phase >= AttemptPhase::LastChunk);
    if past_commit_point {
        tx.rollback().await?;
        return Err(too_late().into());
    }
    if outcome == CancelOutcome::Requested {
        insert_evidence(&tx, now, &post, Evidence::creator("cancelPost")).await?;
        crash::commit(tx, Commit::PostStopped).await?;
        if let Some(job) = job {
            app.queue.announce_cancel(job, outcome).await?;
        }
        return get(app.db.read(), user, id).await;
    }
    attempts::close_in_tx(app, &tx, &post, "cancelled", None).await?;
    let change = Change::new(PostEvent::Cancelled, Evidence::creator("cancelPost"));
    let post = apply_in_tx(app, &tx, post, change).await?;
    crash::commit(tx, Commit::PostStopped).await?;
    app.announce(user).await;
    Ok(post)
}

/// Asks for photos to be stopped that TikTok may still be fetching. TikTok is asked by the job that
/// looks after them, at its next look; when it agrees the post ends CANCELLED, and else goes on.
async fn stop_pull(app: &App, tx: DatabaseTransaction, post: post::Model) -> Result<post::Model> {
    let attempt = attempts::open(&tx, post.id).await?;
    let asked = match &attempt {
        Some(attempt) => attempts::stop_was_asked(&tx, attempt.id).await?,
        None => true,
    };
    if asked {
        tx.rollback().await?;
        if post.cancel_requested {
            // TikTok agreed, and its word that the post is gone is still on its way.
            return Ok(post);
        }
        return Err(too_late().into());
    }
    post::Entity::update_many()
        .col_expr(
            post::Column::CancelRequested,
            sea_orm::sea_query::Expr::value(true),
        )
        .filter(post::Column::Id.eq(post.id))
        .exec(&tx)
        .await?;
    insert_evidence(&tx, app.clock.now(), &post, Evidence::creator("cancelPost")).await?;
    crash::commit(tx, Commit::PostStopped).await?;
    app.announce(post.user_id).await;
    get(app.db.read(), post.user_id, post.id).await
}

fn too_late() -> Refusal {
    Refusal::whole(
        Code::WrongState,
        "TikTok has the whole post or may have it, so it can no longer be stopped here; delete it in the TikTok app",
    )
}

/// Sends a post now that is held because its time passed. One that is on its way already stays as it is.
pub async fn release(app: &App, actor: &Actor, id: PostId) -> Result<post::Model> {
    let post = get(app.db.read(), actor.user_id, id).await?;
    if on_its_way(post.state) {
        return Ok(post);
    }
    check_late(&post)?;
    let mut asked = as_request(app.db.read(), &post).await?;
    asked.publish_at = None;
    asked.local = None;
    validate(app, actor, &asked).await?;
    let tx = app.db.begin().await?;
    // Jobs are locked before posts everywhere.
    if !app.reschedule_in_tx(&tx, &upload_job(&post), None).await? {
        tx.rollback().await?;
        return get(app.db.read(), actor.user_id, id).await;
    }
    let post = get_locked(&tx, actor.user_id, id).await?;
    check_late(&post)?;
    let change = Change::new(PostEvent::Released, Evidence::creator("releasePost")).edit(|row| {
        row.publish_at = Set(None);
        row.local_time = Set(None);
    });
    let post = apply_in_tx(app, &tx, post, change).await?;
    crash::commit(tx, Commit::PostEdited).await?;
    app.announce(actor.user_id).await;
    app.nudge(UPLOADS);
    Ok(post)
}

fn on_its_way(state: PostState) -> bool {
    matches!(
        state,
        PostState::Scheduled | PostState::Preflight | PostState::InitSent | PostState::Uploading
    )
}

fn check_late(post: &post::Model) -> Result<()> {
    if post.state == PostState::Held && post.hold_reason.as_deref() == Some(LATE) {
        return Ok(());
    }
    Err(Refusal::whole(
        Code::WrongState,
        "only a post that is HELD because it is late can be released; nextAction says what this one waits for",
    )
    .into())
}

/// Tries a FAILED, MISSED or CANCELLED post again, when that can help.
pub async fn retry(
    app: &App,
    actor: &Actor,
    id: PostId,
    idempotency_key: &str,
) -> Result<post::Model> {
    let request = Request::new(actor.user_id, idempotency_key, "retryPost", &id)?;
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return get(app.db.read(), actor.user_id, PostId(id)).await;
    }
    let post = get(app.db.read(), actor.user_id, id).await?;
    if post.state == PostState::Failed && !post.failure_retryable {
        return Err(Refusal::whole(
            Code::WrongState,
            format!(
                "the same post would fail again ({}); make a new post with what it needs",
                post.failure_code.as_deref().unwrap_or("unknown")
            ),
        )
        .into());
    }
    let mut asked = as_request(app.db.read(), &post).await?;
    asked.publish_at = None;
    asked.local = None;
    let (_, files) = validate(app, actor, &asked).await?;
    let tx = app.db.begin().await?;
    if let Seen::Before(id) = request.record_in_tx(&tx, app.clock.now(), id.0).await? {
        tx.rollback().await?;
        return get(app.db.read(), actor.user_id, PostId(id)).await;
    }
    files::hold_all_in_tx(&tx, &files).await?;
    let post = get(&tx, actor.user_id, id).await?;
    let change = Change::new(PostEvent::Retried, Evidence::creator("retryPost")).edit(|row| {
        row.publish_at = Set(None);
        row.local_time = Set(None);
        row.cancel_requested = Set(false);
        row.bytes_sent = Set(0);
    });
    let post = apply_in_tx(app, &tx, post, change).await?;
    app.enqueue_in_tx(&tx, upload_job(&post), None).await?;
    crash::commit(tx, Commit::PostRetried).await?;
    app.announce(actor.user_id).await;
    app.nudge(UPLOADS);
    Ok(post)
}
