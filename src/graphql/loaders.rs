//! Many rows in one query: what several objects of an answer point at is read together.
//!
//! Every key carries its tenant, so a row of another tenant is never found. Nothing is kept between
//! batches: a socket's operations would otherwise see old rows.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use async_graphql::{
    Context, Result,
    dataloader::{DataLoader, Loader},
};
use clipqueue_entities::{
    AccountId, AttemptId, EvidenceId, MediaId, PostId, UserId, account, attempt_photo, evidence,
    post, post_attempt, post_photo, post_video,
};

use super::user_error::raise;
use crate::{
    app::App,
    domain::{
        accounts,
        error::Error,
        library::{self, life},
        post_history, posts, uploads, videos,
    },
    media::Media,
};

/// Reads rows for the schema.
pub(crate) struct Rows {
    app: App,
}

impl Rows {
    /// A loader for the schema's data.
    pub(crate) fn loader(app: &App) -> DataLoader<Self> {
        DataLoader::new(Self { app: app.clone() }, tokio::spawn)
    }
}

/// The attempts of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AttemptsOf(pub(crate) PostId);

/// The videos of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct VideosOf(pub(crate) PostId);
/// The photos of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PhotosOf(pub(crate) PostId);

/// The photos of an attempt, and what was fetched of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PhotosOfAttempt(pub(crate) AttemptId);

/// The labels of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LabelsOf(pub(crate) MediaId);

/// How long a file is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LifeOf(pub(crate) MediaId);

/// Keys sorted by their tenants.
fn by_user<K: Copy>(keys: &[(UserId, K)]) -> HashMap<UserId, Vec<K>> {
    let mut sorted: HashMap<UserId, Vec<K>> = HashMap::new();
    for (user, key) in keys {
        sorted.entry(*user).or_default().push(*key);
    }
    sorted
}

impl Loader<(UserId, AccountId)> for Rows {
    type Value = account::Model;
    type Error = Arc<Error>;

    async fn load(
        &self,
        keys: &[(UserId, AccountId)],
    ) -> Result<HashMap<(UserId, AccountId), Self::Value>, Self::Error> {
        let mut found = HashMap::new();
        for (user, ids) in by_user(keys) {
            let rows = accounts::get_many(&self.app, user, &ids).await?;
            found.extend(rows.into_iter().map(|row| ((user, row.id), row)));
        }
        Ok(found)
    }
}

impl Loader<(UserId, MediaId)> for Rows {
    type Value = Media;
    type Error = Arc<Error>;

    async fn load(
        &self,
        keys: &[(UserId, MediaId)],
    ) -> Result<HashMap<(UserId, MediaId), Self::Value>, Self::Error> {
        let mut found = HashMap::new();
        for (user, ids) in by_user(keys) {
            let rows = uploads::get_many(&self.app, user, &ids).await?;
            found.extend(rows.into_iter().map(|row| ((user, row.id), row)));
        }
        Ok(found)
    }
}

impl Loader<(UserId, PostId)> for Rows {
    type Value = post::Model;
    type Error = Arc<Error>;

    async fn load(
        &self,
        keys: &[(UserId, PostId)],
    ) -> Result<HashMap<(UserId, PostId), Self::Value>, Self::Error> {
        let mut found = HashMap::new();
        for (user, ids) in by_user(keys) {
            let rows = posts::get_many(&self.app, user, &ids).await?;
            found.extend(rows.into_iter().map(|row| ((user, row.id), row)));
        }
        Ok(found)
    }
}

impl Loader<(UserId, EvidenceId)> for Rows {
    type Value = evidence::Model;
    type Error = Arc<Error>;

    async fn load(
        &self,
        keys: &[(UserId, EvidenceId)],
    ) -> Result<HashMap<(UserId, EvidenceId), Self::Value>, Self::Error> {
        let mut found = HashMap::new();
        for (user, ids) in by_user(keys) {
            let rows = post_history::evidence(&self.app, user, &ids).await?;
            found.extend(rows.into_iter().map(|row| ((user, row.id), row)));
        }
        Ok(found)
    }
}

impl Loader<(UserId, AttemptsOf)> for Rows {
    type Value = Vec<post_attempt::Model>;
    type Error = Arc<Error>;

    async fn load(
        &self,
        keys: &[(UserId, AttemptsOf)],
    ) -> Result<HashMap<(UserId, AttemptsOf), Self::Value>, Self::Error> {
        let mut found: HashMap<_, Self::Value> = HashMap::new();
        for (user, posts) in by_user(keys) {
            let ids: Vec<PostId> = posts.iter().map(|of| of.0).collect();
            for row in post_history::attempts(&self.app, user, &ids).await? {
                let key = (user, AttemptsOf(row.post_id));
                found.entry(key).or_default().push(row);
            }
        }
        Ok(found)
    }
}

impl Loader<(UserId, VideosOf)> for Rows {
    type Value = Vec<post_video::Model>;
    type Error = Arc<Error>;

    async fn load(
        &self,
        keys: &[(UserId, VideosOf)],
    ) -> Result<HashMap<(UserId, VideosOf), Self::Value>, Self::Error> {
        let mut found: HashMap<_, Self::Value> = HashMap::new();
        for (user, posts) in by_user(keys) {
            let ids: Vec<PostId> = posts.iter().map(|of| of.0).collect();
            for row in videos::of_posts(&self.app, user, &ids).await? {
                let key = (user, VideosOf(row.post_id));
                found.entry(key).or_default().push(row);
            }
        }
        Ok(found)
    }
}

impl Loader<(UserId, PhotosOf)> for Rows {
    type Value = Vec<post_photo::Model>;
    type Error = Arc<Error>;

    async fn load(
        &self,
        keys: &[(UserId, PhotosOf)],
    ) -> Result<HashMap<(UserId, PhotosOf), Self::Value>, Self::Error> {
        let mut found: HashMap<_, Self::Value> = HashMap::new();
        for (user, posts) in by_user(keys) {
            let ids: Vec<PostId> = posts.iter().map(|of| of.0).collect();
            for row in post_history::photos(&self.app, user, &ids).await? {
                let key = (user, PhotosOf(row.post_id));
                found.entry(key).or_default().push(row);
            }
        }
        Ok(found)
    }
}

impl Loader<(UserId, PhotosOfAttempt)> for Rows {
    type Value = Vec<attempt_photo::Model>;
    type Error = Arc<Error>;

    async fn load(
        &self,
        keys: &[(UserId, PhotosOfAttempt)],
    ) -> Result<HashMap<(UserId, PhotosOfAttempt), Self::Value>, Self::Error> {
        let mut found: HashMap<_, Self::Value> = HashMap::new();
        for (user, attempts) in by_user(keys) {
            let ids: Vec<AttemptId> = attempts.iter().map(|of| of.0).collect();
            for row in post_history::fetched(&self.app, user, &ids).await? {
                let key = (user, PhotosOfAttempt(row.attempt_id));
                found.entry(key).or_default().push(row);
            }
        }
        Ok(found)
    }
}

impl Loader<(UserId, LabelsOf)> for Rows {
    type Value = Vec<String>;
    type Error = Arc<Error>;

    async fn load(
        &self,
        keys: &[(UserId, LabelsOf)],
    ) -> Result<HashMap<(UserId, LabelsOf), Self::Value>, Self::Error> {
        let mut found = HashMap::new();
        for (user, files) in by_user(keys) {
            let ids: Vec<MediaId> = files.iter().map(|of| of.0).collect();
            let labels = library::labels_of(self.app.db.read(), user, &ids).await?;
            found.extend(
                labels
                    .into_iter()
                    .map(|(id, labels)| ((user, LabelsOf(id)), labels)),
            );
        }
        Ok(found)
    }
}

impl Loader<(UserId, LifeOf)> for Rows {
    type Value = life::Life;
    type Error = Arc<Error>;

    async fn load(
        &self,
        keys: &[(UserId, LifeOf)],
    ) -> Result<HashMap<(UserId, LifeOf), Self::Value>, Self::Error> {
        let mut found = HashMap::new();
        for (user, files) in by_user(keys) {
            let ids: Vec<MediaId> = files.iter().map(|of| of.0).collect();
            let lives = life::of(&self.app, user, &ids).await?;
            found.extend(
                lives
                    .into_iter()
                    .map(|(id, life)| ((user, LifeOf(id)), life)),
            );
        }
        Ok(found)
    }
}

/// One row of the tenant `user`, if it is there.
pub(crate) async fn load<K>(
    ctx: &Context<'_>,
    user: UserId,
    key: K,
) -> Result<Option<<Rows as Loader<(UserId, K)>>::Value>>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    Rows: Loader<(UserId, K), Error = Arc<Error>>,
{
    ctx.data_unchecked::<DataLoader<Rows>>()
        .load_one((user, key))
        .await
        .map_err(shared)
}

/// An error that every waiter of a batch is told.
fn shared(error: Arc<Error>) -> async_graphql::Error {
    match Arc::try_unwrap(error) {
        Ok(error) => raise("The object", error),
        Err(error) => raise("The object", Error::Internal(anyhow::anyhow!("{error:?}"))),
    }
}
