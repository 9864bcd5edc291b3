//! The one invariant about time: nothing is past its deadline unless somebody is told. This counts
//! what is, so that an alert can stand on it; in health every number is zero.

use std::time::Duration;

use clipqueue_entities::{
    account::{self, AccountStatus},
    account_token::{self, TokenState},
    post,
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, sea_query::Query,
};

use super::{deletions, error::Result};
use crate::{app::App, job::Jobs};

/// The sweep looks once a minute; what is still there after this it could not mend.
const POST: Duration = Duration::from_secs(3 * 60);
/// Tokens are renewed well ahead of their end.
const TOKEN: Duration = Duration::from_secs(10 * 60);

/// What is stuck, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// Posts past the deadline of their state.
    pub posts: u64,
    /// Due jobs that nobody takes. Held ones wait for somebody and are not counted.
    pub jobs: u64,
    /// Running jobs whose lease has ended and that nobody rescued.
    pub leases: u64,
    /// Requests for deletion past their term.
    pub deletions: u64,
    /// Access tokens of connected accounts that ended and were not renewed.
    pub tokens: u64,
}

impl Overdue {
    /// Each kind by its word.
    pub const fn by_kind(&self) -> [(&'static str, u64); 5] {
        [
            ("post", self.posts),
            ("job", self.jobs),
            ("lease", self.leases),
            ("token", self.tokens),
            ("deletion", self.deletions),
        ]
    }
}

/// Counts what is stuck.
pub async fn count(app: &App) -> Result<Overdue> {
    let now = app.clock.now();
    let posts = post::Entity::find()
        .filter(post::Column::DeadlineAt.lt(now - POST))
        .count(app.db.read())
        .await?;
    let active = Query::select()
        .column(account::Column::Id)
        .from(account::Entity)
        .and_where(account::Column::Status.eq(AccountStatus::Active))
        .to_owned();
    let tokens = account_token::Entity::find()
        .filter(account_token::Column::AccessExpiresAt.lt(now - TOKEN))
        .filter(account_token::Column::State.ne(TokenState::Dead))
        .filter(account_token::Column::AccountId.in_subquery(active))
        .count(app.db.read())
        .await?;
    let stuck = app.queue.stuck(&Jobs::QUEUES.map(str::to_owned)).await?;
    Ok(Overdue {
        posts,
        jobs: stuck.waiting,
        leases: stuck.leases,
        deletions: deletions::clock::overdue(app).await?,
        tokens,
    })
}
