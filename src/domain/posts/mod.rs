//! Posts as their owner sees them: asking for one, changing it, stopping it, trying it again.
//!
//! A mutation writes the post, its event and its job in one transaction and answers at once; what is
//! then done with TikTok is the workers'. Everything is selected through the owner. The rules of a
//! request are in [`rules`], [`files`] and [`photos`], the acts in [`mod@create`], [`batch`], [`edit`],
//! [`stop`] and [`mod@confirm`].

mod batch;
mod confirm;
mod create;
mod edit;
mod files;
mod photos;
mod rules;
mod stop;

use clipqueue_entities::{AccountId, PostId, UserId, post, post::PostState};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

pub use batch::{MAX_ROWS, Row, create_many};
pub use confirm::{NOT_POSTED, Word, confirm, settle};
pub use create::{NewPost, check, create, submit};
pub use edit::{PostEdit, caption_copied, update};
pub use files::{check_files, duration_ms, files_of_plan, find_files, find_media, unreachable};
pub use photos::{Photos, media_of, photos_of};
pub use rules::{check_account, validate};
pub use stop::{cancel, release, retry};

use super::{
    error::{Error, Result},
    local_time::LocalTime,
    post_settings::DirectSettings,
    post_state,
};
use crate::{app::App, job::Job};

/// A post of `user`.
pub async fn get(db: &impl ConnectionTrait, user: UserId, id: PostId) -> Result<post::Model> {
    post::Entity::find_by_id(id)
        .filter(post::Column::UserId.eq(user))
        .one(db)
        .await?
        .ok_or(Error::NotFound)
}

/// The same, locked until the transaction ends.
async fn get_locked(tx: &impl ConnectionTrait, user: UserId, id: PostId) -> Result<post::Model> {
    post::Entity::find_by_id(id)
        .filter(post::Column::UserId.eq(user))
        .lock_exclusive()
        .one(tx)
        .await?
        .ok_or(Error::NotFound)
}

/// Several posts of `user` by id; those that are not there are left out.
pub async fn get_many(app: &App, user: UserId, ids: &[PostId]) -> Result<Vec<post::Model>> {
    Ok(post::Entity::find()
        .filter(post::Column::UserId.eq(user))
        .filter(post::Column::Id.is_in(ids.iter().copied()))
        .all(app.db.read())
        .await?)
}

/// What a list of posts is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct PostFilter {
    /// One account.
    pub account_id: Option<AccountId>,
    /// Any of these states.
    pub states: Option<Vec<PostState>>,
    /// One experiment.
    pub experiment_label: Option<String>,
    /// One reference.
    pub upload_reference: Option<String>,
    /// Any of these accounts.
    pub accounts: Option<Vec<AccountId>>,
}

/// One page of a list ordered by id.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Only what comes after this id in reading order.
    pub after: Option<PostId>,
    /// Only what comes before this id in reading order.
    pub before: Option<PostId>,
    /// How many at most.
    pub limit: u64,
    /// The last `limit` instead of the first.
    pub backward: bool,
}

/// Posts of `user`, newest first.
pub async fn list(
    app: &App,
    user: UserId,
    filter: &PostFilter,
    page: Page,
) -> Result<Vec<post::Model>> {
    let mut condition = Condition::all().add(post::Column::UserId.eq(user));
    if let Some(account) = filter.account_id {
        condition = condition.add(post::Column::AccountId.eq(account));
    }
    if let Some(accounts) = &filter.accounts {
        condition = condition.add(post::Column::AccountId.is_in(accounts.iter().copied()));
    }
    if let Some(states) = &filter.states {
        condition = condition.add(post::Column::State.is_in(states.iter().copied()));
    }
    if let Some(label) = &filter.experiment_label {
        condition = condition.add(post::Column::ExperimentLabel.eq(label));
    }
    if let Some(reference) = &filter.upload_reference {
        condition = condition.add(post::Column::UploadReference.eq(reference));
    }
    if let Some(after) = page.after {
        condition = condition.add(post::Column::Id.lt(after));
    }
    if let Some(before) = page.before {
        condition = condition.add(post::Column::Id.gt(before));
    }
    let query = post::Entity::find().filter(condition).limit(page.limit);
    let mut posts = if page.backward {
        query.order_by_asc(post::Column::Id)
    } else {
        query.order_by_desc(post::Column::Id)
    }
    .all(app.db.read())
    .await?;
    if page.backward {
        posts.reverse();
    }
    Ok(posts)
}

/// The job that sends `post`.
pub fn upload_job(post: &post::Model) -> Job {
    Job::UploadPost {
        post_id: post.id,
        account_id: post.account_id,
    }
}

/// The explicit choices that are stored with a direct post.
pub fn direct_settings(post: &post::Model) -> Result<Option<DirectSettings>> {
    Ok(serde_json::from_value(post.settings.clone()).map_err(anyhow::Error::from)?)
}

/// The local time that a post was given, if it was given one.
pub fn local_time(post: &post::Model) -> Result<Option<LocalTime>> {
    let stored = post.local_time.clone().map(serde_json::from_value);
    Ok(stored.transpose().map_err(anyhow::Error::from)?)
}

/// The phase of a post, for callers outside the domain.
pub fn phase(post: &post::Model) -> post_state::Phase {
    post_state::phase(post.state)
}
