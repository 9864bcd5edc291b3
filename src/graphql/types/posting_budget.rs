//! What TikTok still lets a creator do.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use clipqueue_entities::post;

use super::post::Post;
use crate::{
    calls::budgets::Owner,
    domain::{line, posting_budget},
    graphql::{cost, guard::app, ids::Global as _, scalars::DateTime, user_error::raise},
};

/// What the place of one post in its line costs to find.
pub(crate) const PLACE: usize = 5;

/// Whose a budget is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Owner")]
pub(crate) enum BudgetOwner {
    /// The creator's.
    Account,
    /// The whole app's: all creators use it together.
    App,
}

#[derive(Clone, Debug)]
pub(crate) struct Budget(posting_budget::Budget);

/// One of TikTok's limits, and how much of it is left.
#[Object(name = "TikTokBudget")]
impl Budget {
    /// Which, as a word: `video_init`, `inbox_video_init`, `photo_init`, `creator_info`,
    /// `status_fetch`, `cancel`, `user_info`, `video_list` and `video_query` count calls of a minute,
    /// `posts_per_day`, `pending_drafts` and `creators_per_day` what happens within 24 hours. More
    /// may come.
    async fn name(&self) -> &str {
        self.0.name
    }

    /// Whose it is.
    async fn owner(&self) -> BudgetOwner {
        self.0.owner.into()
    }

    /// How much fits into a window; null when only TikTok knows.
    async fn limit(&self) -> Option<i32> {
        self.0.limit.map(whole)
    }

    /// Whether the limit is an estimate. TikTok's own word decides then, and corrects what is left.
    async fn estimated(&self) -> bool {
        self.0.estimated
    }

    /// How much is left now; null when that is unknown.
    async fn left(&self) -> Option<i32> {
        self.0.left.map(whole)
    }

    /// The length of the window in seconds. It slides.
    async fn window_seconds(&self) -> i32 {
        i32::try_from(self.0.window.as_secs()).unwrap_or(i32::MAX)
    }

    /// When more is left than now; null when nothing is used.
    async fn refills_at(&self) -> Option<DateTime> {
        self.0.refills_at.map(DateTime)
    }

    /// TikTok's code, when TikTok itself said that nothing is left.
    async fn tiktok_code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct PostingBudget(pub(crate) posting_budget::PostingBudget);

/// What TikTok still lets a creator do, and which posts wait for more.
#[Object]
impl PostingBudget {
    /// The id of the account.
    async fn account_id(&self) -> ID {
        self.0.account_id.to_global()
    }

    /// Every limit.
    #[graphql(complexity = "cost::list(12, child_complexity)")]
    async fn budgets(&self) -> Vec<Budget> {
        self.0.budgets.iter().cloned().map(Budget).collect()
    }

    /// How many posts of the creator are due and wait; no more than 1,000 are counted.
    async fn waiting(&self) -> i32 {
        whole(self.0.waiting)
    }

    /// The first 20 of them, by the time at which they were due.
    #[graphql(complexity = "cost::list(20, child_complexity)")]
    async fn line(&self) -> Vec<Post> {
        self.0.line.iter().cloned().map(Post).collect()
    }
}

/// Why a post that is due does not go yet. Waiting costs nothing and needs nobody.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PostWait {
    /// Why, as a word: `rate_limit`, `tiktok_trouble`, `client_refused`, `transport_away`, or the
    /// reason of a hold that ends by itself. More may come.
    reason: String,
    /// When it is tried again.
    until: Option<DateTime>,
    /// Its place among the posts of the creator and kind that wait, counted from 1; 1,000 when there
    /// are more.
    place: i32,
}

impl PostWait {
    /// What `post` waits for, if it waits.
    pub(crate) async fn of(ctx: &Context<'_>, post: &post::Model) -> Result<Option<Self>> {
        let Some(reason) = post.wait_reason.clone() else {
            return Ok(None);
        };
        let place = line::place(app(ctx), post).await;
        Ok(Some(Self {
            reason,
            until: post.wait_until.map(DateTime),
            place: whole(place.map_err(|error| raise("Post", error))?),
        }))
    }
}

fn whole(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
