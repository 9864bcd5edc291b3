//! What a person says became of a post: its owner for the creator, or an operator.
//!
//! A person's word settles a doubt, or tells what became of a draft. It is stored as the proof that
//! it is, with who said it; TikTok's own word may still correct it afterwards.

use std::time::Duration;

use clipqueue_entities::{
    PostId, post,
    post::{PostMode, PostState},
};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseTransaction, EntityTrait as _, QuerySelect as _,
};
use serde::Serialize;
use serde_json::json;

use super::{get, get_locked};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        actor::Actor,
        attempts, audit,
        error::{Code, Error, Refusal, Result},
        idempotency::{Request, Seen},
        post_change::{Change, Evidence, Failure, apply_in_tx},
        post_state::PostEvent,
        video_link::{self, VideoLink},
        videos::{self, Found, Weight},
    },
};

/// The code of a post that somebody says was not posted.
pub const NOT_POSTED: &str = "not_posted";
/// TikTok may take some minutes to show a video; until then "it is not there" is no news.
const TOO_SOON: Duration = Duration::from_secs(15 * 60);
/// What an operator's settling is called on the record.
const SETTLE: &str = "post.settle";
/// Longest reason of an operator, in characters.
const MAX_REASON: usize = 500;

/// What somebody says.
#[derive(Clone, Debug, Serialize)]
pub struct Word {
    /// Whether the post is on the creator's profile.
    pub posted: bool,
    /// TikTok's id of the video.
    pub video_id: Option<String>,
    /// The address of the video.
    pub share_url: Option<String>,
}

/// The owner says what became of a post.
pub async fn confirm(
    app: &App,
    actor: &Actor,
    id: PostId,
    word: &Word,
    idempotency_key: &str,
) -> Result<post::Model> {
    let request = Request::new(actor.user_id, idempotency_key, "confirmPost", &(id, word))?;
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return get(app.db.read(), actor.user_id, PostId(id)).await;
    }
    let video = named(word)?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let post = get_locked(&tx, actor.user_id, id).await?;
    if let Seen::Before(id) = request.record_in_tx(&tx, now, id.0).await? {
        tx.rollback().await?;
        return get(app.db.read(), actor.user_id, PostId(id)).await;
    }
    let proof = by(actor, Evidence::creator("confirmPost"));
    take(app, tx, post, word.posted, video, proof, "creator").await
}

/// An operator says what became of a post, of whomever it is, and why that is known.
pub async fn settle(
    app: &App,
    operator: &Actor,
    id: PostId,
    word: &Word,
    reason: &str,
    idempotency_key: &str,
) -> Result<post::Model> {
    let subject = format!("post:{id}");
    let details = json!({ "posted": word.posted, "reason": reason });
    let settled = settle_recorded(app, operator, id, word, reason, idempotency_key).await;
    audit::refusal(app, operator, SETTLE, &subject, details, settled).await
}

async fn settle_recorded(
    app: &App,
    operator: &Actor,
    id: PostId,
    word: &Word,
    reason: &str,
    idempotency_key: &str,
) -> Result<post::Model> {
    let body = (id, word, reason);
    let request = Request::new(operator.user_id, idempotency_key, "settlePost", &body)?;
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return of_anybody(app.db.read(), PostId(id), false).await;
    }
    if reason.trim().is_empty() || reason.chars().count() > MAX_REASON {
        let message = "say in 1 to 500 characters how you know";
        return Err(Refusal::new("reason", Code::Invalid, message).into());
    }
    let video = named(word)?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let post = of_anybody(&tx, id, true).await?;
    if let Seen::Before(id) = request.record_in_tx(&tx, now, id.0).await? {
        tx.rollback().await?;
        return of_anybody(app.db.read(), PostId(id), false).await;
    }
    let details = json!({ "posted": word.posted, "reason": reason, "video": word.video_id });
    audit::record_in_tx(app, &tx, operator, SETTLE, &format!("post:{id}"), details).await?;
    let proof = Evidence::operator("settlePost")
        .with("reason", reason)
        .with("operator", operator.user_name.as_str());
    let proof = by(operator, proof);
    take(app, tx, post, word.posted, video, proof, "operator").await
}

/// Whose word it is, by what was shown.
fn by(actor: &Actor, proof: Evidence) -> Evidence {
    let key = actor.key_id.map(|id| ("key_id", id.to_string()));
    let session = actor.session_id.map(|id| ("session_id", id.to_string()));
    match key.or(session) {
        Some((name, id)) => proof.with(name, id),
        None => proof,
    }
}

async fn of_anybody(db: &impl ConnectionTrait, id: PostId, locked: bool) -> Result<post::Model> {
    let mut query = post::Entity::find_by_id(id);
    if locked {
        query = query.lock_exclusive();
    }
    query.one(db).await?.ok_or(Error::NotFound)
}

/// The video that a word names, if it names one.
fn named(word: &Word) -> Result<Option<VideoLink>> {
    let link = match &word.share_url {
        Some(text) => Some(video_link::parse(text).map_err(|why| {
            Error::from(Refusal::new("shareUrl", Code::Invalid, why.to_string()))
        })?),
        None => None,
    };
    let id = match &word.video_id {
        Some(text) => Some(tiktok::PostId::parse(text.as_str()).map_err(|_| {
            let message = "must be TikTok's id of the video: 1 to 20 digits";
            Error::from(Refusal::new("videoId", Code::Invalid, message))
        })?),
        None => None,
    };
    if !word.posted && (link.is_some() || id.is_some()) {
        let message = "a post that was not posted has no video; leave videoId and shareUrl out";
        return Err(Refusal::new("posted", Code::Invalid, message).into());
    }
    match (link, id) {
        (Some(link), Some(id)) if link.id != id.as_str() => {
            let message = "names another video than shareUrl; give one of them, or the same";
            Err(Refusal::new("videoId", Code::Invalid, message).into())
        }
        (Some(link), _) => Ok(Some(link)),
        (None, Some(id)) => Ok(Some(VideoLink {
            id: id.to_string(),
            url: None,
        })),
        (None, None) => Ok(None),
    }
}

async fn take(
    app: &App,
    tx: DatabaseTransaction,
    post: post::Model,
    posted: bool,
    video: Option<VideoLink>,
    proof: Evidence,
    class: &'static str,
) -> Result<post::Model> {
    let user = post.user_id;
    let post = if posted {
        seen(app, &tx, post, video, proof).await?
    } else {
        missing(app, &tx, post, proof, class).await?
    };
    crash::commit(tx, Commit::WordTaken).await?;
    app.announce(user).await;
    Ok(post)
}

/// It is on the profile.
async fn seen(
    app: &App,
    tx: &DatabaseTransaction,
    post: post::Model,
    video: Option<VideoLink>,
    proof: Evidence,
) -> Result<post::Model> {
    if !matches!(
        post.state,
        PostState::Unconfirmed | PostState::InInbox | PostState::Lapsed | PostState::Published
    ) {
        let message =
            "only an UNCONFIRMED, IN_INBOX, LAPSED or PUBLISHED post can be confirmed as posted";
        return Err(Refusal::whole(Code::WrongState, message).into());
    }
    let Some(video) = video else {
        if post.state == PostState::Published {
            return Ok(post);
        }
        attempts::close_in_tx(app, tx, &post, "seen_posted", None).await?;
        return apply_in_tx(app, tx, post, Change::new(PostEvent::SeenPosted, proof)).await;
    };
    if videos::owner(tx, &video.id)
        .await?
        .is_some_and(|owner| owner != post.id)
    {
        let message = "that video is known to be another post's";
        return Err(Refusal::new("videoId", Code::Invalid, message).into());
    }
    let proof = proof.with("video_id", video.id.as_str());
    let found = Found {
        share_url: video.url,
        ..Found::id(video.id)
    };
    let joined = videos::join_in_tx(app, tx, &post, &[found], Weight::Other).await?;
    attempts::close_in_tx(app, tx, &post, "seen_posted", None).await?;
    let change = Change::new(PostEvent::SeenPosted, proof).edit(|row| {
        row.tiktok_post_ids = Set(json!(joined.ids));
        row.share_url = Set(joined.share_url);
    });
    apply_in_tx(app, tx, post, change).await
}

/// It is not on the profile and will not be.
async fn missing(
    app: &App,
    tx: &DatabaseTransaction,
    post: post::Model,
    proof: Evidence,
    class: &'static str,
) -> Result<post::Model> {
    let change = Change::new(PostEvent::SaidNotPosted, proof);
    match post.state {
        PostState::InInbox if post.mode == PostMode::Inbox => {
            apply_in_tx(app, tx, post, change).await
        }
        PostState::Unconfirmed => {
            let believable = post.state_since + TOO_SOON;
            if app.clock.now() < believable {
                let mut refusal = Refusal::whole(
                    Code::WrongState,
                    "TikTok may still be working on it; look again a quarter of an hour after the doubt began",
                );
                refusal.retry_at = Some(believable);
                return Err(refusal.into());
            }
            attempts::close_in_tx(app, tx, &post, "said_not_posted", None).await?;
            let change = change.failure(Failure {
                class,
                code: NOT_POSTED.to_owned(),
                message: "The answer to the last step was lost, and somebody looked: it is not on the profile. Retry the post; TikTok is asked once more before."
                    .to_owned(),
                retryable: true,
            });
            apply_in_tx(app, tx, post, change).await
        }
        _ => Err(Refusal::whole(
            Code::WrongState,
            "only an UNCONFIRMED post, or a draft that is IN_INBOX, can be said not to be posted",
        )
        .into()),
    }
}
