//! Posts and their events, from the feed.

use std::collections::HashMap;

use async_graphql::{Context, Result, SimpleObject};
use clipqueue_entities::{AccountId, PostId, event};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};

use crate::{
    domain::{accounts, error, events, posts},
    graphql::{
        error::{ApiError, Code},
        feed::Feed,
        guard::{actor, app},
        pagination::{cursor, read_cursor},
        types::{event::Event, post::Post},
        user_error::raise,
    },
};

/// A post that changed.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PostUpdate {
    /// The place behind the change; give it as `after` to go on behind it. Opaque.
    cursor: String,
    /// The post as it is now.
    post: Post,
}

/// What somebody wants to see.
pub(super) struct Watched {
    pub(super) post: Option<PostId>,
    pub(super) account: Option<AccountId>,
    pub(super) after: Option<String>,
}

/// Every event, one by one.
pub(super) async fn events(
    ctx: &Context<'_>,
    watched: Watched,
) -> Result<BoxStream<'static, Result<Event>>> {
    let feed = open(ctx, &watched).await?;
    Ok(batches(feed, |_, found| async { Ok(found) })
        .map_ok(|found| {
            // Accounts have events too.
            let of_posts = found.into_iter().filter(|event| event.post_id.is_some());
            stream::iter(of_posts.map(|event| Ok(Event(event))))
        })
        .try_flatten()
        .boxed())
}

/// Every post that changed, as it is now.
pub(super) async fn updates(
    ctx: &Context<'_>,
    watched: Watched,
) -> Result<BoxStream<'static, Result<PostUpdate>>> {
    let feed = open(ctx, &watched).await?;
    let first = match (watched.post, &watched.after) {
        (Some(id), None) => {
            let post = posts::get(app(ctx).db.read(), actor(ctx)?.user_id, id).await;
            Some(PostUpdate {
                cursor: cursor(feed.cursor()),
                post: Post(post.map_err(|error| raise("Post", error))?),
            })
        }
        _ => None,
    };
    let account = watched.account;
    let later = batches(feed, move |feed, found| changed(feed, found, account))
        .map_ok(|updates| stream::iter(updates.into_iter().map(Ok)))
        .try_flatten();
    Ok(stream::iter(first.map(Ok)).chain(later).boxed())
}

/// A feed of what the caller wants to see, once it is known to be theirs.
async fn open(ctx: &Context<'_>, watched: &Watched) -> Result<Feed> {
    let (app, user) = (app(ctx), actor(ctx)?.user_id);
    if let Some(id) = watched.post {
        let post = posts::get(app.db.read(), user, id).await;
        post.map_err(|error| raise("Post", error))?;
    }
    if let Some(id) = watched.account {
        let account = accounts::get(app.db.read(), user, id).await;
        account.map_err(|error| raise("TikTok account", error))?;
    }
    let after = match &watched.after {
        Some(text) => Some(kept(ctx, text).await?),
        None => None,
    };
    let feed = Feed::open(app.clone(), user, watched.post, after).await;
    feed.map_err(|error| raise("Post", error))
}

/// The place that a client's cursor names, if everything behind it is still there.
async fn kept(ctx: &Context<'_>, text: &str) -> Result<i64> {
    let seq = read_cursor("after", text)?;
    let user = actor(ctx)?.user_id;
    let kept = events::is_kept(app(ctx).db.read(), user, seq).await;
    // Zero is the place before everything, where a feed stands that began before the first event.
    if seq == 0 || kept.map_err(|error| raise("Event", error.into()))? {
        return Ok(seq);
    }
    Err(ApiError::new(
        Code::CursorExpired,
        "The events behind this cursor are no longer all kept. Read the present state, then subscribe without a cursor.",
    )
    .into())
}

/// What `read` makes of each batch of the feed; ends after an error.
fn batches<T, F>(
    feed: Feed,
    read: impl Fn(&Feed, Vec<event::Model>) -> F + Send + Sync + Copy + 'static,
) -> impl Stream<Item = Result<T>> + Send
where
    F: Future<Output = error::Result<T>> + Send,
{
    stream::unfold(Some(feed), move |feed| async move {
        let mut feed = feed?;
        let batch = async {
            let found = feed.next().await?;
            read(&feed, found).await
        };
        match batch.await {
            Ok(made) => Some((Ok(made), Some(feed))),
            Err(error) => Some((Err(raise("Post", error)), None)),
        }
    })
}

/// The posts that a batch of events is about, in the order of their last events, so that whoever
/// resumes behind one of them misses none of the others.
fn changed(
    feed: &Feed,
    found: Vec<event::Model>,
    account: Option<AccountId>,
) -> impl Future<Output = error::Result<Vec<PostUpdate>>> + Send + use<> {
    let (app, user) = (feed.app().clone(), feed.user());
    async move {
        let mut last: HashMap<PostId, i64> = HashMap::new();
        for event in found {
            if account.is_none() || event.account_id == account {
                last.extend(event.post_id.map(|id| (id, event.seq)));
            }
        }
        let ids: Vec<PostId> = last.keys().copied().collect();
        let mut rows = posts::get_many(&app, user, &ids).await?;
        rows.sort_unstable_by_key(|row| last[&row.id]);
        Ok(rows
            .into_iter()
            .map(|row| PostUpdate {
                cursor: cursor(last[&row.id]),
                post: Post(row),
            })
            .collect())
    }
}
