//! What TikTok still lets a creator do, and who waits for more. Reads only.

use std::time::Duration;

use clipqueue_entities::{AccountId, Timestamp, UserId, post};
use tiktok::limits::{DIRECT_POSTS_PER_DAY, RATE_WINDOW};

use super::{
    accounts,
    caps::{self, Name},
    error::Result,
    line,
};
use crate::{
    app::App,
    calls::budgets::{self, LIMITED, Owner},
};

/// Posts of the line that are shown one by one.
pub const SHOWN: u64 = 20;

/// One limit of TikTok's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// A stable word for it.
    pub name: &'static str,
    /// Whose it is.
    pub owner: Owner,
    /// How much fits into a window; nothing when only TikTok knows.
    pub limit: Option<u32>,
    /// Whether the limit is an estimate, which TikTok's word corrects.
    pub estimated: bool,
    /// How much is left; nothing when that cannot be known now.
    pub left: Option<u32>,
    /// The length of the window.
    pub window: Duration,
    /// When more is left than now.
    pub refills_at: Option<Timestamp>,
    /// TikTok's code, if it said itself that nothing is left.
    pub code: Option<String>,
}

/// A creator's budgets.
#[derive(Clone, Debug)]
pub struct PostingBudget {
    /// The account.
    pub account_id: AccountId,
    /// Every limit.
    pub budgets: Vec<Budget>,
    /// Posts that wait; no more than [`line::LAST_PLACE`] are counted.
    pub waiting: u32,
    /// The first of them.
    pub line: Vec<post::Model>,
}

/// The budgets of an account of `user`.
pub async fn of(app: &App, user: UserId, account: AccountId) -> Result<PostingBudget> {
    accounts::get(app.db.read(), user, account).await?;
    let mut budgets = minutes(app, account).await;
    budgets.extend(days(app, account).await?);
    Ok(PostingBudget {
        account_id: account,
        budgets,
        waiting: line::length(app, account).await?,
        line: line::first(app, account, SHOWN).await?,
    })
}

async fn minutes(app: &App, account: AccountId) -> Vec<Budget> {
    let now = app.clock.now();
    // While nobody counts, what is left is unknown; that is an answer too.
    let standing = app.calls.standing(Some(account), &LIMITED).await.ok();
    LIMITED
        .iter()
        .filter_map(|endpoint| {
            let limit = budgets::per_minute(*endpoint)?;
            let known = standing.iter().flatten().find(|(of, ..)| of == endpoint);
            let stands = known.map(|(_, _, standing)| *standing);
            Some(Budget {
                name: endpoint.label(),
                owner: budgets::owner(*endpoint),
                limit: Some(limit),
                estimated: false,
                left: stands.map(|standing| limit.saturating_sub(standing.used)),
                window: RATE_WINDOW,
                refills_at: stands.and_then(|standing| Some(now + standing.next_in?)),
                code: None,
            })
        })
        .collect()
}

async fn days(app: &App, account: AccountId) -> Result<Vec<Budget>> {
    let now = app.clock.now();
    let day = |standing: caps::Standing| {
        let estimated = standing.name == Name::PostsPerDay && standing.cap.limit.is_none();
        let mut cap = standing.cap;
        // What to show; whether a post may go is TikTok's word alone.
        let refills_at = cap.refills_at(now);
        if estimated {
            cap.limit = Some(DIRECT_POSTS_PER_DAY);
        }
        Budget {
            name: standing.name.word(),
            owner: match standing.name {
                Name::PostsPerDay | Name::PendingDrafts => Owner::Account,
                Name::CreatorsPerDay => Owner::App,
            },
            limit: cap.limit,
            estimated,
            left: cap.left(now),
            window: cap.window,
            refills_at,
            code: standing.code,
        }
    };
    Ok(caps::all(app, account)
        .await?
        .into_iter()
        .map(day)
        .collect())
}
