//! What is held for want of a grant although the creator is connected.
//!
//! A worker judges by the account that it read. When the creator connects between that and its verdict,
//! the hold comes after the release: of the post, or of the job alone when the post was let go already.
//! What is held long after the consent waits for something that the consent did not bring, such as a
//! scope, and stays: nobody is let go twice for the same consent.

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
        accounts::{REAUTH_REQUIRED, SCOPE_MISSING, release_in_tx, released},
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
        let release = async {
            let tx = app.db.begin().await?;
            release_in_tx(app, &tx, account).await?;
            Ok(crash::commit(tx, Commit::PostsReleased).await?)
        };
        match release.await {
            Ok(()) => released(app).await,
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
            .filter(post::Column::HoldReason.eq(REAUTH_REQUIRED))
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
        let connected = accounts(app, &page).await?;
        found.extend(connected.iter().map(|account| account.id));
    }
}

/// Connected accounts of which jobs were held while they connected.
async fn of_jobs(app: &App, quiet_since: Timestamp) -> Result<BTreeSet<AccountId>> {
    let mut found = BTreeSet::new();
    for reason in [REAUTH_REQUIRED, SCOPE_MISSING] {
        let mut cursor = String::new();
        loop {
            let lanes =
                ledger::held_lanes(app.db.read(), reason, quiet_since, &cursor, PAGE).await?;
            let Some((last, _)) = lanes.last() else {
                break;
            };
            cursor.clone_from(last);
            let ids: Vec<AccountId> = lanes
                .iter()
                .filter_map(|(lane, _)| lane.parse().ok())
                .collect();
            for account in accounts(app, &ids).await? {
                let lane = account.id.to_string();
                let since = lanes.iter().find(|(of, _)| *of == lane).map(|(_, at)| *at);
                if since.is_some_and(|at| at < account.connected_at + QUIET) {
                    found.insert(account.id);
                }
            }
        }
    }
    Ok(found)
}

/// Those of the accounts that are connected.
async fn accounts(app: &App, ids: &[AccountId]) -> Result<Vec<account::Model>> {
    Ok(account::Entity::find()
        .filter(account::Column::Id.is_in(ids.iter().copied()))
        .filter(account::Column::Status.eq(AccountStatus::Active))
        .all(app.db.read())
        .await?)
}
