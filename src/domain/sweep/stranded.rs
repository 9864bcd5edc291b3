//! What is held for want of a grant although the creator is connected.
//!
//! A worker judges by the account that it read. When the creator connects between that and its verdict,
//! the hold comes after the release: of the post, or of the job alone when the post was let go already.

use std::collections::BTreeSet;

use clipqueue_entities::{
    AccountId, Timestamp,
    account::{self, AccountStatus},
    post::{self, PostState},
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{Failed, PAGE, QUIET};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        accounts::{self, REAUTH_REQUIRED, SCOPE_MISSING},
        error::Result,
    },
    queue::ledger,
};

/// Lets go what was still held of connected accounts.
pub(super) async fn release(app: &App) -> Result<()> {
    let quiet_since = app.clock.now() - QUIET;
    let mut stranded = of_posts(app, quiet_since).await?;
    stranded.extend(of_jobs(app, quiet_since).await?);
    let mut failed = Failed::default();
    for account in stranded {
        tracing::warn!(account.id = %account, "work for a connected account was still held");
        let released = async {
            let tx = app.db.begin().await?;
            accounts::release_in_tx(app, &tx, account).await?;
            Ok(crash::commit(tx, Commit::PostsReleased).await?)
        };
        match released.await {
            Ok(()) => accounts::released(app).await,
            Err(error) => failed.note(&account, error),
        }
    }
    failed.end(())
}

/// Connected accounts of which posts are held.
async fn of_posts(app: &App, quiet_since: Timestamp) -> Result<BTreeSet<AccountId>> {
    let mut found = BTreeSet::new();
    let mut cursor = None;
    loop {
        let mut query = post::Entity::find()
            .select_only()
            .column(post::Column::AccountId)
            .distinct()
            .filter(post::Column::State.eq(PostState::Held))
            .filter(post::Column::HoldReason.is_in([REAUTH_REQUIRED, SCOPE_MISSING]))
            .filter(post::Column::UpdatedAt.lt(quiet_since));
        if let Some(cursor) = cursor {
            query = query.filter(post::Column::AccountId.gt(cursor));
        }
        let page: Vec<AccountId> = query
            .order_by_asc(post::Column::AccountId)
            .limit(PAGE)
            .into_tuple()
            .all(app.db.read())
            .await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        cursor = Some(*last);
        found.extend(connected(app, &page).await?);
    }
}

/// Connected accounts of which jobs are held.
async fn of_jobs(app: &App, quiet_since: Timestamp) -> Result<BTreeSet<AccountId>> {
    let mut found = BTreeSet::new();
    for reason in [REAUTH_REQUIRED, SCOPE_MISSING] {
        let mut cursor = String::new();
        loop {
            let lanes =
                ledger::held_lanes(app.db.read(), reason, quiet_since, &cursor, PAGE).await?;
            let Some(last) = lanes.last() else {
                break;
            };
            cursor.clone_from(last);
            let accounts: Vec<AccountId> =
                lanes.iter().filter_map(|lane| lane.parse().ok()).collect();
            found.extend(connected(app, &accounts).await?);
        }
    }
    Ok(found)
}

/// Those of the accounts that are connected.
async fn connected(app: &App, accounts: &[AccountId]) -> Result<Vec<AccountId>> {
    Ok(account::Entity::find()
        .select_only()
        .column(account::Column::Id)
        .filter(account::Column::Id.is_in(accounts.iter().copied()))
        .filter(account::Column::Status.eq(AccountStatus::Active))
        .into_tuple()
        .all(app.db.read())
        .await?)
}
