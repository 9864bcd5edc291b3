//! Seeing to one notice, step by step, until its word is known of the post or shown to be nothing.

use std::time::Duration;

use clipqueue_entities::{
    AccountId, NoticeId, Timestamp,
    account::{self, AccountStatus},
    account_token,
    erasure::{ErasureCause, ErasureScope},
    notice::{self, NoticeKind},
    post, post_attempt,
};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::json;

use super::{apply, settle_in_tx, take::account_of, unanswered};
use crate::{
    app::App,
    config::WhenRemoved,
    crash::{self, Commit},
    domain::{
        accounts, attempts, erasure,
        error::{Error, Result},
        events::{self, NewEvent},
        post_change::{Evidence, insert_evidence},
        tokens,
    },
    job::{PURGE, STATUS},
    queue::{Lease, ledger::Hastened},
};

/// How long a publish id that nobody knows is waited for: the notice may be faster than our commit of
/// the id, and our database may be away for a while.
const UNKNOWN_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long TikTok's answer is waited for before the notice counts by itself.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether TikTok has confirmed a notice.
const LOOK_AGAIN: Duration = Duration::from_secs(20);
/// A question that is under way is over soon.
const UNDER_WAY: Duration = Duration::from_secs(2);
/// TikTok tells times in seconds.
const SECOND: Duration = Duration::from_secs(1);

/// What is left to do about a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Done,
    /// Look again after this time.
    Again(Duration),
}

/// Does what can be done about a notice now.
pub async fn follow(app: &App, lease: &Lease, id: NoticeId) -> Result<Next> {
    let found = notice::Entity::find_by_id(id).one(app.db.read()).await?;
    let Some(notice) = found.filter(|notice| notice.settled_at.is_none()) else {
        return Ok(Next::Done);
    };
    if notice.kind == NoticeKind::AuthorizationRemoved {
        return removed(app, lease, &notice).await;
    }
    match (notice.post_id, notice.attempt_id) {
        (Some(post), Some(attempt)) => {
            let post = post::Entity::find_by_id(post).one(app.db.read()).await?;
            let attempt = post_attempt::Entity::find_by_id(attempt)
                .one(app.db.read())
                .await?;
            match (post, attempt) {
                (Some(post), Some(attempt)) => check(app, lease, &notice, post, attempt).await,
                _ => settle(app, lease, id, "post_gone").await,
            }
        }
        _ => find(app, lease, &notice).await,
    }
}

/// Looks for the post that a notice is about.
async fn find(app: &App, lease: &Lease, notice: &notice::Model) -> Result<Next> {
    let now = app.clock.now();
    let publish_id = notice.publish_id.as_deref().unwrap_or_default();
    let Some(attempt) = attempts::by_publish_id(app.db.read(), publish_id).await? else {
        if unanswered::adopt(app, notice).await? {
            return Ok(Next::Again(Duration::ZERO));
        }
        let age = now.since(notice.received_at);
        if age < UNKNOWN_KEPT {
            return Ok(Next::Again(unknown_gap(age)));
        }
        tracing::warn!(notice.id = %notice.id, "no post has the publish id of a notice");
        return settle(app, lease, notice.id, "unknown_publish").await;
    };
    let found = post::Entity::find_by_id(attempt.post_id)
        .one(app.db.read())
        .await?;
    let Some(post) = found else {
        return settle(app, lease, notice.id, "post_gone").await;
    };
    if !is_of(app, notice, post.account_id).await? {
        tracing::warn!(notice.id = %notice.id, post.id = %post.id, "a notice names another creator than its publish");
        return settle(app, lease, notice.id, "other_creator").await;
    }
    remember(app, lease, notice, post, attempt, now).await
}

/// The id of a publish is committed within moments, or, while something is away, within hours.
fn unknown_gap(age: Duration) -> Duration {
    Duration::from_secs(match age.as_secs() {
        0..10 => 2,
        10..60 => 10,
        60..600 => 60,
        _ => 600,
    })
}

/// Whether a notice is about the creator whose account it is. One that names nobody is.
async fn is_of(app: &App, notice: &notice::Model, account: AccountId) -> Result<bool> {
    let Some(open_id) = &notice.open_id else {
        return Ok(true);
    };
    Ok(account_of(app.db.read(), open_id).await? == Some(account))
}

/// Puts a notice on the record of its post and lets TikTok be asked now.
async fn remember(
    app: &App,
    lease: &Lease,
    notice: &notice::Model,
    post: post::Model,
    attempt: post_attempt::Model,
    now: Timestamp,
) -> Result<Next> {
    let asks = !apply::is_known(app, notice, &post, &attempt).await?;
    let tx = attempts::fenced(app, lease).await?;
    if asks {
        // Jobs are locked before events everywhere.
        let hastened = app.hasten_in_tx(&tx, &attempts::poll_job(&post)).await?;
        if hastened == Hastened::Running {
            // Its answer may be older than the notice.
            tx.rollback().await?;
            return Ok(Next::Again(UNDER_WAY));
        }
    }
    let evidence = evidence(notice).of(attempt.id);
    let evidence_id = insert_evidence(&tx, now, &post, evidence).await?;
    let event = NewEvent {
        user_id: post.user_id,
        account_id: Some(post.account_id),
        post_id: Some(post.id),
        kind: "post.notice",
        data: json!({ "notice": apply::word(notice.kind), "video_id": apply::video(notice) }),
        evidence_id: Some(evidence_id),
    };
    events::append_in_tx(&tx, now, event).await?;
    let row = notice::ActiveModel {
        post_id: Set(Some(post.id)),
        attempt_id: Set(Some(attempt.id)),
        account_id: Set(Some(post.account_id)),
        matched_at: Set(Some(now)),
        ..Default::default()
    };
    notice::Entity::update_many()
        .set(row)
        .filter(notice::Column::Id.eq(notice.id))
        .exec(&tx)
        .await?;
    if !asks {
        apply::note_visibility_in_tx(&tx, notice, &post).await?;
        settle_in_tx(&tx, now, notice.id, "known").await?;
    }
    crash::commit(tx, Commit::NoticeFollowed).await?;
    app.announce(post.user_id).await;
    app.nudge(STATUS);
    Ok(if asks {
        Next::Again(LOOK_AGAIN)
    } else {
        Next::Done
    })
}

/// Looks whether TikTok has confirmed a notice.
async fn check(
    app: &App,
    lease: &Lease,
    notice: &notice::Model,
    post: post::Model,
    attempt: post_attempt::Model,
) -> Result<Next> {
    if apply::is_known(app, notice, &post, &attempt).await? {
        let tx = attempts::fenced(app, lease).await?;
        apply::note_visibility_in_tx(&tx, notice, &post).await?;
        settle_in_tx(&tx, app.clock.now(), notice.id, "confirmed").await?;
        crash::commit(tx, Commit::NoticeFollowed).await?;
        return Ok(Next::Done);
    }
    let account = accounts::for_worker(app, post.account_id).await?;
    let waited = app
        .clock
        .now()
        .since(notice.matched_at.unwrap_or(notice.received_at));
    // Without a token nobody can ask.
    if account.status == AccountStatus::Active && waited < PATIENCE {
        let tx = attempts::fenced(app, lease).await?;
        app.hasten_in_tx(&tx, &attempts::poll_job(&post)).await?;
        crash::commit(tx, Commit::NoticeFollowed).await?;
        app.nudge(STATUS);
        return Ok(Next::Again(LOOK_AGAIN));
    }
    let outcome = match apply::by_itself(app, lease, notice, post, &attempt).await {
        Ok(outcome) => outcome,
        // Somebody moved the post meanwhile: look again.
        Err(Error::Refused(_)) => return Ok(Next::Again(UNDER_WAY)),
        Err(error) => return Err(error),
    };
    settle(app, lease, notice.id, outcome).await
}

/// The creator, or TikTok, ended the grant. A grant that was given afterwards is left alone.
async fn removed(app: &App, lease: &Lease, notice: &notice::Model) -> Result<Next> {
    let Some(account_id) = notice.account_id else {
        return settle(app, lease, notice.id, "unknown_creator").await;
    };
    let row = account::Entity::find_by_id(account_id)
        .one(app.db.read())
        .await?;
    let tokens = account_token::Entity::find_by_id(account_id)
        .one(app.db.read())
        .await?;
    let (Some(account), Some(tokens)) = (row, tokens) else {
        return settle(app, lease, notice.id, "unknown_creator").await;
    };
    let connected = account.connected_at;
    let outcome = match notice.occurred_at {
        Some(at) if at + SECOND <= connected => "superseded",
        Some(at) if at > connected => {
            let reason = notice.facts["reason"].as_str().unwrap_or("unknown");
            if app.config.erasure.when_removed == WhenRemoved::Delete {
                return disconnect(app, lease, notice, &account).await;
            }
            let reason = format!("authorization_removed:{reason}");
            accounts::require_reauth(app, account_id, tokens.generation, &reason).await?;
            tracing::warn!(account.id = %account_id, reason, "TikTok says that a creator's grant is over");
            "applied"
        }
        // It cannot be told which came first: a refresh will.
        Some(_) | None => {
            tokens::suspect(app, account_id, tokens.generation).await?;
            "verified_by_refresh"
        }
    };
    settle(app, lease, notice.id, outcome).await
}

/// The creator left: the account is erased as if its owner had disconnected it.
async fn disconnect(
    app: &App,
    lease: &Lease,
    notice: &notice::Model,
    account: &account::Model,
) -> Result<Next> {
    let tx = app.db.begin().await?;
    let (scope, cause) = (ErasureScope::Account, ErasureCause::Tiktok);
    let (user, id) = (account.user_id, Some(account.id));
    erasure::begin_in_tx(app, &tx, scope, cause, user, id).await?;
    lease
        .prove_in_tx(&tx)
        .await
        .map_err(|error| Error::Internal(error.into()))?;
    settle_in_tx(&tx, app.clock.now(), notice.id, "erased").await?;
    crash::commit(tx, Commit::NoticeFollowed).await?;
    tracing::warn!(account.id = %account.id, "TikTok says that a creator left: the account is erased");
    app.nudge(PURGE);
    app.announce(user).await;
    Ok(Next::Done)
}

async fn settle(app: &App, lease: &Lease, id: NoticeId, outcome: &'static str) -> Result<Next> {
    let tx = attempts::fenced(app, lease).await?;
    settle_in_tx(&tx, app.clock.now(), id, outcome).await?;
    crash::commit(tx, Commit::NoticeFollowed).await?;
    Ok(Next::Done)
}

/// The proof that a notice is.
pub(super) fn evidence(notice: &notice::Model) -> Evidence {
    let mut facts = notice.facts.clone();
    if let Some(facts) = facts.as_object_mut() {
        facts.insert("publish_id".to_owned(), json!(notice.publish_id));
        facts.insert(
            "occurred_at".to_owned(),
            json!(notice.occurred_at.map(Timestamp::as_millis)),
        );
    }
    Evidence::webhook(&apply::word(notice.kind), facts)
}
