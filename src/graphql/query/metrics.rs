//! Series of counters: of a post, of an account, of an experiment.

use async_graphql::{Context, ID, Object, Result};
use clipqueue_entities::{AccountId, PostId};

use crate::{
    domain::{
        actor::Scope,
        counters::{experiments, series},
    },
    graphql::{
        cost,
        error::{ApiError, Code},
        guard::{Needs, actor, app},
        ids::Global as _,
        types::{
            experiment::Experiment,
            metric::{AccountMetrics, PostMetrics, VideoMetrics},
        },
        user_error::raise,
    },
};

/// What reading a series costs beside its fields.
const SERIES: usize = 20;
/// The days of a series when none are named.
const DAYS: u32 = 30;

#[derive(Debug, Default)]
pub(crate) struct MetricQueries;

#[Object]
impl MetricQueries {
    /// How the counters of a post's videos went. Asking tells that somebody looks, so that the account is
    /// read more often for a while. Needs the scope `posts:read`.
    #[graphql(
        guard = "Needs(Scope::PostsRead)",
        complexity = "SERIES + child_complexity"
    )]
    async fn post_metrics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post.")] post_id: ID,
        #[graphql(desc = "How many days of `byDay`; 1 to 400, 30 by default.")] days: Option<i32>,
    ) -> Result<PostMetrics> {
        let id = PostId::from_global(&post_id);
        let days = within(days, "days", DAYS, series::MAX_DAYS)?;
        let videos = series::of_post(app(ctx), actor(ctx)?.user_id, id, days).await;
        let videos = videos.map_err(|error| raise("Post", error))?;
        Ok(PostMetrics {
            post_id: id.to_global(),
            videos: videos.into_iter().map(VideoMetrics).collect(),
        })
    }

    /// How the counters of an account went, and when they are read next. Asking tells that somebody looks.
    /// Needs the scope `posts:read`.
    #[graphql(
        guard = "Needs(Scope::PostsRead)",
        complexity = "SERIES + cost::page(first, None, child_complexity)"
    )]
    async fn account_metrics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The creator's account.")] account_id: ID,
        #[graphql(desc = "How many days; 1 to 400, 30 by default.")] days: Option<i32>,
        #[graphql(desc = "How many of the newest videos; 0 to 100, 20 by default.")] first: Option<
            i32,
        >,
    ) -> Result<AccountMetrics> {
        let id = AccountId::from_global(&account_id);
        let days = within(days, "days", DAYS, series::MAX_DAYS)?;
        let first = match first {
            Some(0) => 0,
            first => within(first, "first", 20, 100)?,
        };
        let user = actor(ctx)?.user_id;
        let shown = series::of_account(app(ctx), user, id, days, u64::from(first)).await;
        shown
            .map(AccountMetrics)
            .map_err(|error| raise("TikTok account", error))
    }

    /// The posts of an experiment, variant by variant, at the same ages; no winner is named. Asking tells
    /// that somebody looks. Needs the scope `posts:read`.
    #[graphql(
        guard = "Needs(Scope::PostsRead)",
        complexity = "SERIES + child_complexity"
    )]
    async fn experiment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The label that its posts have.")] label: String,
    ) -> Result<Experiment> {
        let experiment = experiments::of(app(ctx), actor(ctx)?.user_id, &label).await;
        experiment
            .map(Experiment)
            .map_err(|error| raise("Experiment", error))
    }
}

fn within(given: Option<i32>, name: &str, default: u32, most: u32) -> Result<u32> {
    let Some(given) = given else {
        return Ok(default);
    };
    match u32::try_from(given) {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => {
            let text = format!("`{name}` is {given}; 1 to {most} are allowed.");
            Err(ApiError::new(Code::BadUserInput, text).into())
        }
    }
}
