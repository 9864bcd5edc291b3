//! What TikTok had been handed before: listed for the receipt and not touched, since nobody but the
//! creator can take it back. It also notes what is looked at again once the rows are gone.

use std::collections::{BTreeSet, HashMap};

use clipqueue_entities::{
    AccountId, MediaId, PostId,
    erasure::{self, ErasureScope},
    post::{self, PostState},
    post_attempt::{self, AttemptPhase},
    post_photo, post_video,
};
use sea_orm::{
    ActiveEnum as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use serde_json::{Value, json};

use super::{Step, Watched, accounts, done_in_tx, lanes, receipt::instant};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{attempts, billing, error::Result, exports},
    queue::Lease,
};

/// Posts whose attempts are read at once.
const PAGE: usize = 200;

/// Lists what TikTok was handed and records the step.
pub async fn list_handed(app: &App, lease: &Lease, erasure: &erasure::Model) -> Result<()> {
    let posts = posts(app, erasure).await?;
    let mut handed = Vec::new();
    for page in posts.chunks(PAGE) {
        handed.extend(of_page(app, page).await?);
    }
    let theirs = accounts(app, erasure).await?;
    let watched = Watched {
        user: erasure.user_id,
        accounts: theirs.iter().map(|account| account.id).collect(),
        media: media(app, erasure, &posts).await?,
        exports: match erasure.user_id {
            Some(user) => exports::wipe(app, user).await?,
            None => Vec::new(),
        },
        lanes: lanes(app, erasure).await?,
        subscriptions: match (erasure.scope, erasure.user_id) {
            (ErasureScope::User, Some(user)) => billing::keep::count(app, user).await?,
            _ => 0,
        },
    };
    let counts = json!({
        "posts": posts.len(),
        "handed_to_tiktok": handed.len(),
        "files": watched.media.len(),
        "exports": watched.exports.len(),
    });
    let watched = serde_json::to_value(watched).map_err(anyhow::Error::from)?;
    let tx = attempts::fenced(app, lease).await?;
    erasure::Entity::update_many()
        .set(erasure::ActiveModel {
            handed: Set(Some(Value::Array(handed))),
            watched: Set(Some(watched)),
            ..Default::default()
        })
        .filter(erasure::Column::Id.eq(erasure.id))
        .exec(&tx)
        .await?;
    done_in_tx(app, &tx, erasure.id, Step::List, counts).await?;
    crash::commit(tx, Commit::ErasureStepDone).await?;
    Ok(())
}

async fn posts(app: &App, erasure: &erasure::Model) -> Result<Vec<post::Model>> {
    let mut query = post::Entity::find().order_by_asc(post::Column::Id);
    query = match (erasure.scope, erasure.account_id) {
        (ErasureScope::Account, Some(id)) => query.filter(post::Column::AccountId.eq(id)),
        _ => query.filter(post::Column::UserId.eq(erasure.user_id)),
    };
    Ok(query.all(app.db.read()).await?)
}

async fn of_page(app: &App, page: &[post::Model]) -> Result<Vec<Value>> {
    let ids = || page.iter().map(|post| post.id);
    let mut videos: HashMap<PostId, Vec<String>> = HashMap::new();
    let joined = post_video::Entity::find()
        .filter(post_video::Column::PostId.is_in(ids()))
        .filter(post_video::Column::JoinedAt.is_not_null())
        .all(app.db.read())
        .await?;
    for video in joined {
        videos
            .entry(video.post_id)
            .or_default()
            .push(video.video_id);
    }
    let sent = post_attempt::Entity::find()
        .filter(post_attempt::Column::PostId.is_in(ids()))
        .order_by_asc(post_attempt::Column::Id)
        .all(app.db.read())
        .await?;
    let posts: HashMap<PostId, &post::Model> = page.iter().map(|post| (post.id, post)).collect();
    Ok(sent
        .iter()
        .filter_map(|attempt| Some((attempt, *posts.get(&attempt.post_id)?)))
        .filter(|(attempt, post)| was_handed(attempt, post))
        .map(|(attempt, post)| {
            json!({
                "publish_id": attempt.publish_id,
                "kind": post.kind.to_value(),
                "mode": post.mode.to_value(),
                "state": post.state.to_value(),
                "begun_at": instant(attempt.created_at),
                "video_ids": videos.get(&post.id).cloned().unwrap_or_default(),
            })
        })
        .collect())
}

/// Whether all of a file may be at TikTok.
fn was_handed(attempt: &post_attempt::Model, post: &post::Model) -> bool {
    match attempt.phase {
        AttemptPhase::InitSent | AttemptPhase::Uploading => false,
        AttemptPhase::LastChunk | AttemptPhase::PullSent | AttemptPhase::Sent => true,
        AttemptPhase::Closed => {
            attempt.last_chunk_at.is_some()
                || attempt.pull_ends_at.is_some()
                || matches!(
                    post.state,
                    PostState::Published | PostState::InInbox | PostState::Lapsed
                )
        }
    }
}

/// The files to delete: all of a user's; of an account's, those that nothing else needs.
async fn media(app: &App, erasure: &erasure::Model, posts: &[post::Model]) -> Result<Vec<MediaId>> {
    if let (ErasureScope::User, Some(user)) = (erasure.scope, erasure.user_id) {
        return Ok(app.media.all_of(user).await.map_err(anyhow::Error::from)?);
    }
    let mut used: BTreeSet<MediaId> = posts.iter().map(|post| post.media_id).collect();
    let ids: Vec<PostId> = posts.iter().map(|post| post.id).collect();
    for page in ids.chunks(PAGE) {
        let photos: Vec<MediaId> = post_photo::Entity::find()
            .select_only()
            .column(post_photo::Column::MediaId)
            .filter(post_photo::Column::PostId.is_in(page.iter().copied()))
            .into_tuple()
            .all(app.db.read())
            .await?;
        used.extend(photos);
    }
    let mut free = Vec::new();
    for id in used {
        if !is_needed_elsewhere(app, id, erasure.account_id).await? {
            free.push(id);
        }
    }
    Ok(free)
}

/// Whether a post of another account has the file.
pub(super) async fn is_needed_elsewhere(
    app: &App,
    id: MediaId,
    account: Option<AccountId>,
) -> Result<bool> {
    let Some(account) = account else {
        return Ok(false);
    };
    let others = || post::Entity::find().filter(post::Column::AccountId.ne(account));
    let whole = others()
        .filter(post::Column::MediaId.eq(id))
        .limit(1)
        .one(app.db.read())
        .await?;
    if whole.is_some() {
        return Ok(true);
    }
    let in_posts: Vec<PostId> = post_photo::Entity::find()
        .select_only()
        .column(post_photo::Column::PostId)
        .filter(post_photo::Column::MediaId.eq(id))
        .into_tuple()
        .all(app.db.read())
        .await?;
    let photo = others()
        .filter(post::Column::Id.is_in(in_posts))
        .limit(1)
        .one(app.db.read())
        .await?;
    Ok(photo.is_some())
}
