//! What a notice means for a post: whether that is known already, and making it known without
//! TikTok's answer when there is none to be had.

use clipqueue_entities::{
    notice::{self, NoticeKind},
    post::{self, PostState},
    post_attempt,
};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
};
use tiktok::FailReason;

use super::follow::evidence;
use crate::{
    app::App,
    domain::{
        attempts,
        error::Result,
        post_change::takes,
        post_state::PostEvent,
        reconcile,
        videos::{self, Found},
    },
    queue::Lease,
};

/// TikTok's word for what a notice tells.
pub(super) fn word(kind: NoticeKind) -> String {
    kind.to_value()
}

/// The video that a notice names.
pub(super) fn video(notice: &notice::Model) -> Option<&str> {
    notice.facts["post_id"].as_str()
}

/// Whether the post says already what the notice tells, or can never come to say it.
pub(super) async fn is_known(
    app: &App,
    notice: &notice::Model,
    post: &post::Model,
    attempt: &post_attempt::Model,
) -> Result<bool> {
    Ok(match notice.kind {
        NoticeKind::InboxDelivered => {
            // What lapsed is in the inbox still.
            matches!(post.state, PostState::InInbox | PostState::Lapsed)
                || !takes(post, PostEvent::TiktokInbox)
        }
        NoticeKind::Complete => post.state == PostState::Published,
        NoticeKind::PubliclyAvailable => {
            let ids = videos::ids(post);
            post.state == PostState::Published
                && video(notice).is_none_or(|video| ids.iter().any(|id| id == video))
        }
        // A failure says nothing against a later attempt, nor against what was seen to be posted.
        NoticeKind::Failed => {
            !takes(post, PostEvent::TiktokFailed) || attempts::overtaken(app, attempt).await?
        }
        NoticeKind::NoLongerPublic | NoticeKind::AuthorizationRemoved => true,
    })
}

/// Lets the signed notice count by itself; gives what became of it, as a word.
pub(super) async fn by_itself(
    app: &App,
    lease: &Lease,
    notice: &notice::Model,
    post: post::Model,
    attempt: &post_attempt::Model,
) -> Result<&'static str> {
    let proof = evidence(notice).of(attempt.id);
    match notice.kind {
        NoticeKind::InboxDelivered => {
            Box::pin(reconcile::in_inbox(app, lease, post, attempt, proof)).await?;
        }
        NoticeKind::Complete => {
            Box::pin(reconcile::published(app, lease, post, attempt, &[], proof)).await?;
        }
        NoticeKind::PubliclyAvailable => {
            let found: Vec<Found> = video(notice).map(Found::id).into_iter().collect();
            Box::pin(reconcile::published(
                app, lease, post, attempt, &found, proof,
            ))
            .await?;
        }
        NoticeKind::Failed => {
            if notice.answered_at.is_some() {
                // TikTok was asked and does not say so; the poll goes on by its plan.
                return Ok("not_confirmed");
            }
            let reason = notice.facts["reason"].as_str().map(FailReason::from_wire);
            Box::pin(reconcile::failed(app, lease, post, attempt, reason, proof)).await?;
        }
        NoticeKind::NoLongerPublic | NoticeKind::AuthorizationRemoved => {}
    }
    Ok("applied")
}

/// Writes down whether everybody can see the video that a notice names, as the latest of all notices
/// about it says: they may come in any order.
pub(super) async fn note_visibility_in_tx(
    tx: &impl ConnectionTrait,
    notice: &notice::Model,
    post: &post::Model,
) -> Result<()> {
    let Some(video) = video(notice) else {
        return Ok(());
    };
    let told = notice::Entity::find()
        .filter(notice::Column::PostId.eq(post.id))
        .filter(
            notice::Column::Kind.is_in([NoticeKind::PubliclyAvailable, NoticeKind::NoLongerPublic]),
        )
        .all(tx)
        .await?;
    let latest = told
        .iter()
        .filter(|other| self::video(other) == Some(video))
        .max_by_key(|other| (other.occurred_at, other.received_at, other.id));
    let hidden_at = latest
        .filter(|latest| latest.kind == NoticeKind::NoLongerPublic)
        .map(|latest| latest.occurred_at.unwrap_or(latest.received_at));
    videos::set_hidden_in_tx(tx, post.id, video, hidden_at).await
}
