//! The videos at TikTok that a post became: known ones are joined to it, possible ones suggested.
//!
//! A video belongs to one post. TikTok's own word about a publish outweighs whatever joined a video
//! before; a person's word and a found video do not outweigh anything.

use clipqueue_entities::{
    AccountId, PostId, Timestamp, UserId, account, post, post::PostKind, post_video,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _, sea_query::Expr, sea_query::OnConflict,
};
use serde_json::json;

use super::{
    counters::reading,
    error::Result,
    events::{self, NewEvent},
};
use crate::app::App;

/// A video that is to be joined.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// TikTok's id.
    pub id: String,
    /// Its address, when somebody named it.
    pub share_url: Option<String>,
    /// Its caption as TikTok shows it.
    pub caption: Option<String>,
    /// When it was posted.
    pub posted_at: Option<Timestamp>,
}

impl Found {
    /// A video of which only the id is known.
    pub fn id(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }
}

/// How much the word weighs that joins a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// TikTok names the publish: a video that was taken for another post's is moved.
    Tiktok,
    /// A person, or a comparison: a video of another post stays there.
    Other,
}

/// What a post holds after a join.
#[derive(Clone, Debug)]
pub struct Joined {
    /// All its ids, oldest first.
    pub ids: Vec<String>,
    /// The address of the first, when known.
    pub share_url: Option<String>,
}

/// The ids that `post` holds.
pub fn ids(post: &post::Model) -> Vec<String> {
    let list = post.tiktok_post_ids.as_array();
    list.into_iter()
        .flatten()
        .filter_map(|id| id.as_str().map(ToOwned::to_owned))
        .collect()
}

/// The post that a video is known to be.
pub async fn owner(db: &impl ConnectionTrait, video: &str) -> Result<Option<PostId>> {
    let row = post_video::Entity::find()
        .filter(post_video::Column::JoinedKey.eq(video))
        .one(db)
        .await?;
    Ok(row.map(|row| row.post_id))
}

/// Videos of several posts of `user`, in the order in which they became known.
pub async fn of_posts(app: &App, user: UserId, posts: &[PostId]) -> Result<Vec<post_video::Model>> {
    let owned = post::Entity::find()
        .select_only()
        .column(post::Column::Id)
        .filter(post::Column::UserId.eq(user))
        .into_query();
    Ok(post_video::Entity::find()
        .filter(post_video::Column::PostId.is_in(posts.iter().copied()))
        .filter(post_video::Column::PostId.in_subquery(owned))
        .order_by_asc(post_video::Column::PostId)
        .order_by_asc(post_video::Column::CreatedAt)
        .order_by_asc(post_video::Column::VideoId)
        .all(app.db.read())
        .await?)
}

/// The ids among `videos` that are joined to a post already.
pub async fn taken(db: &impl ConnectionTrait, videos: &[String]) -> Result<Vec<String>> {
    let rows = post_video::Entity::find()
        .filter(post_video::Column::JoinedKey.is_in(videos.iter().map(String::as_str)))
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.video_id).collect())
}

/// Joins videos to `post`. The caller writes what it gives into the post's row.
pub async fn join_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    post: &post::Model,
    videos: &[Found],
    weight: Weight,
) -> Result<Joined> {
    let mut ids = ids(post);
    let mut share_url = post.share_url.clone();
    let username = username(tx, post.account_id).await?;
    for video in videos {
        if let Some(other) = owner(tx, &video.id).await?
            && other != post.id
        {
            if weight == Weight::Other {
                continue;
            }
            part_in_tx(app, tx, other, &video.id).await?;
        }
        let url = match (&video.share_url, post.kind) {
            (Some(url), _) => Some(url.clone()),
            (None, PostKind::Video) => address(username.as_deref(), &video.id),
            // How the addresses of photo posts are built is not documented.
            (None, PostKind::Photo) => None,
        };
        insert(app, tx, post.id, video, url.clone(), true).await?;
        if !ids.contains(&video.id) {
            ids.push(video.id.clone());
        }
        share_url = share_url.or(url);
    }
    // How lists show posts of photos is not documented, so they are not expected there.
    if post.kind == PostKind::Video {
        reading::follow_in_tx(app, tx, post, videos).await?;
    }
    Ok(Joined { ids, share_url })
}

/// Takes a video away from a post that it was wrongly joined to.
async fn part_in_tx(app: &App, tx: &impl ConnectionTrait, from: PostId, video: &str) -> Result<()> {
    let now = app.clock.now();
    tracing::warn!(post.id = %from, video, "TikTok says that a video belongs to another post");
    post_video::Entity::update_many()
        .col_expr(
            post_video::Column::JoinedKey,
            Expr::value(Option::<String>::None),
        )
        .filter(post_video::Column::PostId.eq(from))
        .filter(post_video::Column::VideoId.eq(video))
        .exec(tx)
        .await?;
    let Some(post) = post::Entity::find_by_id(from).one(tx).await? else {
        return Ok(());
    };
    let mut left = ids(&post);
    left.retain(|id| id != video);
    let row = post::ActiveModel {
        tiktok_post_ids: Set(json!(left)),
        share_url: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    post::Entity::update_many()
        .set(row)
        .filter(post::Column::Id.eq(from))
        .exec(tx)
        .await?;
    let event = NewEvent {
        user_id: post.user_id,
        account_id: Some(post.account_id),
        post_id: Some(from),
        kind: "post.video_parted",
        data: json!({ "video_id": video }),
        evidence_id: None,
    };
    events::append_in_tx(tx, now, event).await?;
    Ok(())
}

/// Remembers a video that may be the post's. False when it was known before.
pub async fn suggest_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    post: &post::Model,
    video: &Found,
) -> Result<bool> {
    insert(app, tx, post.id, video, video.share_url.clone(), false).await
}

async fn insert(
    app: &App,
    tx: &impl ConnectionTrait,
    post: PostId,
    video: &Found,
    share_url: Option<String>,
    joined: bool,
) -> Result<bool> {
    let now = app.clock.now();
    let row = post_video::ActiveModel {
        post_id: Set(post),
        video_id: Set(video.id.clone()),
        joined_key: Set(joined.then(|| video.id.clone())),
        share_url: Set(share_url),
        caption: Set(video.caption.clone()),
        posted_at: Set(video.posted_at),
        joined_at: Set(joined.then_some(now)),
        hidden_at: Set(None),
        created_at: Set(now),
    };
    let mut conflict =
        OnConflict::columns([post_video::Column::PostId, post_video::Column::VideoId]);
    if joined {
        conflict.update_columns([post_video::Column::JoinedKey, post_video::Column::JoinedAt]);
    } else {
        conflict.do_nothing();
    }
    let changed = post_video::Entity::insert(row)
        .on_conflict(conflict.to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(changed > 0)
}

/// Notes whether everybody can see a video of a post.
pub async fn set_hidden_in_tx(
    tx: &impl ConnectionTrait,
    post: PostId,
    video: &str,
    hidden_at: Option<Timestamp>,
) -> Result<()> {
    post_video::Entity::update_many()
        .col_expr(post_video::Column::HiddenAt, Expr::value(hidden_at))
        .filter(post_video::Column::PostId.eq(post))
        .filter(post_video::Column::VideoId.eq(video))
        .exec(tx)
        .await?;
    Ok(())
}

async fn username(db: &impl ConnectionTrait, account: AccountId) -> Result<Option<String>> {
    let row = account::Entity::find_by_id(account).one(db).await?;
    Ok(row.and_then(|row| row.username))
}

/// The public address, when the creator's handle is known.
fn address(username: Option<&str>, video: &str) -> Option<String> {
    username.map(|name| format!("https://www.tiktok.com/@{name}/video/{video}"))
}
