//! A doubt, held against the creator's public videos: joined when one is unmistakable, suggested to
//! people when one is possible, and nothing otherwise.

use std::{collections::BTreeSet, time::Duration};

use clipqueue_entities::{
    Timestamp, account,
    post::{self, PostMode, PostState},
    post_attempt,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _,
};
use serde_json::json;
use tiktok::{Answer, video::Video};

use super::{
    attempts,
    error::Result,
    events::{self, NewEvent},
    post_change::{Change, Evidence, insert_evidence},
    post_state::PostEvent,
    video_link,
    video_search::{Likeness, Wanted, likeness, posted_at},
    videos::{self, Found, Weight},
};
use crate::{
    app::App,
    crash::{self, Commit},
    queue::Lease,
};

/// The scope without which TikTok shows no videos.
pub const VIDEO_LIST: &str = "video.list";
/// TikTok needs at least this long; before, its status is asked alone.
const LOOK_AFTER: Duration = Duration::from_secs(60);
/// A post that TikTok says is out gets its id by the status, usually within minutes.
const ID_IS_LATE: Duration = Duration::from_secs(10 * 60);
/// A direct post that took longer to appear is a matter for people.
const APPEARS_WITHIN: Duration = Duration::from_secs(24 * 3600);

/// Whether looking through the creator's videos can tell something about `post`.
pub fn is_worth_a_look(app: &App, post: &post::Model, account: &account::Model) -> bool {
    let age = app.clock.now().since(post.state_since);
    account.scopes.split(',').any(|scope| scope == VIDEO_LIST)
        && match post.state {
            PostState::Unconfirmed => age >= LOOK_AFTER,
            PostState::Published => videos::ids(post).is_empty() && age >= ID_IS_LATE,
            _ => false,
        }
}

/// When TikTok can have had the bytes of `attempt` whole at the earliest.
pub fn earliest(attempt: &post_attempt::Model) -> Timestamp {
    attempt.last_chunk_at.unwrap_or(attempt.created_at)
}

/// Holds the listed `candidates` against `post`; gives it as it is afterwards.
pub async fn compare(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    duration_ms: Option<u64>,
    listed: &Answer<Vec<Video>>,
) -> Result<post::Model> {
    let now = app.clock.now();
    let from = earliest(attempt);
    let wanted = Wanted {
        caption: &post.caption,
        caption_is_free: post.mode == PostMode::Inbox,
        duration_ms,
        from,
        until: match post.mode {
            PostMode::Direct => (from + APPEARS_WITHIN).min(now),
            PostMode::Inbox => now,
        },
    };
    let ids: Vec<String> = listed
        .value
        .iter()
        .map(|video| video.id.to_string())
        .collect();
    let taken: BTreeSet<String> = videos::taken(app.db.read(), &ids)
        .await?
        .into_iter()
        .collect();
    let mut whole = Vec::new();
    let mut partial = Vec::new();
    for video in &listed.value {
        if taken.contains(video.id.as_str()) {
            continue;
        }
        match likeness(&wanted, video) {
            Likeness::Whole => whole.push(video),
            Likeness::Partial => partial.push(video),
            Likeness::None => {}
        }
    }
    if let ([video], []) = (&whole[..], &partial[..])
        && !has_rivals(app.db.read(), &post).await?
    {
        return join(app, lease, post, attempt, video, listed).await;
    }
    whole.extend(partial);
    // A published draft whose id TikTok does not tell is a matter for its creator too.
    if !matches!(post.state, PostState::Unconfirmed | PostState::Published) {
        return Ok(post);
    }
    suggest(app, lease, post, attempt, &whole, listed).await
}

/// Whether another post of the account could be the same video.
async fn has_rivals(db: &impl ConnectionTrait, post: &post::Model) -> Result<bool> {
    let rivals = post::Entity::find()
        .filter(post::Column::AccountId.eq(post.account_id))
        .filter(post::Column::Id.ne(post.id))
        .filter(post::Column::Caption.eq(post.caption.as_str()))
        .filter(post::Column::TiktokPostIds.eq(json!([])))
        .filter(post::Column::State.is_in([
            PostState::Uploading,
            PostState::Processing,
            PostState::InInbox,
            PostState::Published,
            PostState::Unconfirmed,
            PostState::Lapsed,
        ]))
        .count(db)
        .await?;
    Ok(rivals > 0)
}

fn found(video: &Video) -> Found {
    let link = video.share_url.as_deref().map(video_link::parse);
    Found {
        id: video.id.to_string(),
        share_url: link
            .and_then(std::result::Result::ok)
            .and_then(|link| link.url),
        caption: video.description.clone(),
        posted_at: posted_at(video),
    }
}

fn proof(listed: &Answer<Vec<Video>>, attempt: &post_attempt::Model, video: &Video) -> Evidence {
    let body = json!({
        "video_id": video.id.as_str(),
        "caption": video.description,
        "duration": video.duration,
        "create_time": video.create_time,
    });
    Evidence::answer("video.list", listed, body).of(attempt.id)
}

async fn join(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    video: &Video,
    listed: &Answer<Vec<Video>>,
) -> Result<post::Model> {
    let tx = attempts::fenced(app, lease).await?;
    let joined = videos::join_in_tx(app, &tx, &post, &[found(video)], Weight::Other).await?;
    if joined.ids.is_empty() {
        // Another post was faster.
        tx.rollback().await?;
        return Ok(post);
    }
    let change = Change::new(PostEvent::SeenPosted, proof(listed, attempt, video)).edit(|row| {
        row.tiktok_post_ids = Set(json!(joined.ids));
        row.share_url = Set(joined.share_url);
    });
    attempts::close(app, tx, post, "found", None, change).await
}

/// Remembers videos that may be the post's, and tells of those that are news.
pub(super) async fn suggest(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    possible: &[&Video],
    listed: &Answer<Vec<Video>>,
) -> Result<post::Model> {
    if possible.is_empty() {
        return Ok(post);
    }
    let now = app.clock.now();
    let tx = attempts::fenced(app, lease).await?;
    let mut news = false;
    for video in possible {
        if !videos::suggest_in_tx(app, &tx, &post, &found(video)).await? {
            continue;
        }
        news = true;
        let evidence_id = insert_evidence(&tx, now, &post, proof(listed, attempt, video)).await?;
        let event = NewEvent {
            user_id: post.user_id,
            account_id: Some(post.account_id),
            post_id: Some(post.id),
            kind: "post.suggestion",
            data: json!({ "video_id": video.id.as_str() }),
            evidence_id: Some(evidence_id),
        };
        events::append_in_tx(&tx, now, event).await?;
    }
    if !news {
        tx.rollback().await?;
        return Ok(post);
    }
    crash::commit(tx, Commit::VideosSuggested).await?;
    app.announce(post.user_id).await;
    Ok(post)
}
