//! What can be watched.
//!
//! Events are read by cursor (see `feed`), so a client that comes back with its last cursor misses
//! nothing. Jobs and queues are shown as they are, without a history.

mod bulk;
mod jobs;
mod posts;
mod queues;

use std::sync::Arc;

use async_graphql::{Context, ID, Result, Subscription};
use clipqueue_entities::{AccountId, BulkActId, JobId, PostId};
use futures::stream::BoxStream;

use self::posts::{PostUpdate, Watched};
use super::{
    guard::{Needs, app},
    ids::Global as _,
    sampler::Sampler,
    types::{bulk::BulkAct, event::Event, job::Job, queue::Queue},
};
use crate::domain::actor::Scope;

/// The root of subscriptions.
#[derive(Debug, Default)]
pub struct Subscription;

/// What can be watched, over WebSocket (graphql-transport-ws) or as server-sent events.
#[Subscription]
impl Subscription {
    /// Posts as they change: each post once per change, or once for several that came together. With
    /// `postId` and without `after` the post is given at once. Needs the scope `posts:read`.
    #[graphql(guard = "Needs(Scope::PostsRead)")]
    async fn post_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only this post.")] post_id: Option<ID>,
        #[graphql(desc = "Only posts to this account.")] account_id: Option<ID>,
        #[graphql(
            desc = "Only changes behind this cursor; from now on, when left out. Fails with CURSOR_EXPIRED like `postEvents`."
        )]
        after: Option<String>,
    ) -> Result<BoxStream<'static, Result<PostUpdate>>> {
        let watched = Watched {
            post: post_id.map(|id| PostId::from_global(&id)),
            account: account_id.map(|id| AccountId::from_global(&id)),
            after,
        };
        posts::updates(ctx, watched).await
    }

    /// Everything that happens to posts, in order, each event once. Needs the scope `posts:read`.
    #[graphql(guard = "Needs(Scope::PostsRead)")]
    async fn post_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only events behind this cursor; from now on, when left out. Fails with CURSOR_EXPIRED when that event is no longer kept: read the present state, then subscribe anew."
        )]
        after: Option<String>,
        #[graphql(desc = "Only events of this post.")] post_id: Option<ID>,
    ) -> Result<BoxStream<'static, Result<Event>>> {
        let watched = Watched {
            post: post_id.map(|id| PostId::from_global(&id)),
            account: None,
            after,
        };
        posts::events(ctx, watched).await
    }

    /// Jobs as they change; a view for people, without a history. Needs the scope `ops:read`.
    #[graphql(guard = "Needs(Scope::OpsRead)")]
    async fn job_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only this job; it is given at once, and then after each change.")]
        id: Option<ID>,
        #[graphql(desc = "Only jobs of this queue.")] queue: Option<String>,
    ) -> Result<BoxStream<'static, Result<Job>>> {
        let id = id.map(|id| JobId::from_global(&id));
        jobs::watch(app(ctx).clone(), id, queue).await
    }

    /// An act on many jobs as it comes on: at once, and then after each batch. Needs the scope
    /// `ops:read`.
    #[graphql(guard = "Needs(Scope::OpsRead)")]
    async fn bulk_act_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The act.")] id: ID,
    ) -> Result<BoxStream<'static, Result<BulkAct>>> {
        bulk::watch(app(ctx).clone(), BulkActId::from_global(&id)).await
    }

    /// How every queue stands: at once, and then about every two seconds if it changed. Needs the
    /// scope `ops:read`.
    #[graphql(guard = "Needs(Scope::OpsRead)")]
    async fn queue_stats(&self, ctx: &Context<'_>) -> BoxStream<'static, Vec<Queue>> {
        queues::samples(ctx.data_unchecked::<Arc<Sampler>>())
    }
}
