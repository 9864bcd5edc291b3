//! How many of what there are, for the metrics. Reads only.

use clipqueue_entities::{
    account::{self, AccountStatus},
    post::{self, PostState},
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, Iterable as _, PaginatorTrait as _, QueryFilter as _,
    QuerySelect as _,
};

use super::error::Result;
use crate::app::App;

/// Posts of a state that are counted at most: what was posted in years is not worth a scrape.
pub const COUNT_CAP: u64 = 10_000;

/// How posts and accounts stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// Posts by state, each up to [`COUNT_CAP`].
    pub posts: Vec<(PostState, i64)>,
    /// Posts whose state has lasted longer than it may.
    pub overdue: u64,
    /// Accounts by status; statuses without any are missing.
    pub accounts: Vec<(AccountStatus, i64)>,
}

/// Counts.
pub async fn take(app: &App) -> Result<Census> {
    let mut posts = Vec::new();
    for state in PostState::iter() {
        let counted = post::Entity::find()
            .select_only()
            .column(post::Column::Id)
            .filter(post::Column::State.eq(state))
            .limit(COUNT_CAP)
            .count(app.db.read())
            .await?;
        posts.push((state, i64::try_from(counted).unwrap_or(i64::MAX)));
    }
    let overdue = post::Entity::find()
        .filter(post::Column::DeadlineAt.lt(app.clock.now()))
        .count(app.db.read())
        .await?;
    let accounts = account::Entity::find()
        .select_only()
        .column(account::Column::Status)
        .column_as(account::Column::Id.count(), "n")
        .group_by(account::Column::Status)
        .into_tuple()
        .all(app.db.read())
        .await?;
    Ok(Census {
        posts,
        overdue,
        accounts,
    })
}
