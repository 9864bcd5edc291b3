//! After a backup was restored: whoever has a tombstone and is there again is erased again.

use std::collections::{HashMap, HashSet};

use clipqueue_entities::{
    AccountId, ErasureId, UserId, account,
    erasure::{self, ErasureCause, ErasureScope, ErasureState},
    erasure_step,
    tombstone::TombstoneKind,
    user,
};
use sea_orm::{
    ActiveEnum as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _,
    QueryFilter as _,
};

use super::{
    request::{code_hash, fence_in_tx, insert},
    tombstones::{self, Tombstone, digest, lay_in_tx},
};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::error::Result,
    job::PURGE,
};

/// What a replay found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Erasures whose tombstones are known now.
    pub erasures: u64,
    /// Of those, how many had come back and are erased again.
    pub begun: u64,
}

/// Whom the database holds, by the hashes of their ids.
struct Present {
    users: HashMap<String, UserId>,
    accounts: HashMap<String, (AccountId, UserId)>,
}

/// Applies every tombstone that lies in the storage, and those `given`. Safe to repeat; it enqueues the
/// work and does not wait for it.
pub async fn replay(app: &App, given: Vec<Tombstone>) -> Result<Replayed> {
    let mut all = given;
    let kept = app.media.storage().all_kept(tombstones::PLACE).await;
    for text in kept.map_err(anyhow::Error::from)? {
        match serde_json::from_str(&text) {
            Ok(tombstone) => all.push(tombstone),
            Err(error) => tracing::error!(%error, "a tombstone cannot be read"),
        }
    }
    let mut seen = HashSet::new();
    all.retain(|tombstone: &Tombstone| seen.insert(tombstone.erasure));
    let present = present(app).await?;
    let mut replayed = Replayed::default();
    for tombstone in all {
        replayed.erasures += 1;
        replayed.begun += u64::from(apply(app, &present, tombstone).await?);
    }
    app.nudge(PURGE);
    Ok(replayed)
}

async fn present(app: &App) -> Result<Present> {
    let users = user::Entity::find().all(app.db.read()).await?;
    let accounts = account::Entity::find().all(app.db.read()).await?;
    Ok(Present {
        users: users
            .into_iter()
            .map(|row| {
                let id = row.id.to_string();
                (digest(app, TombstoneKind::User, &id), row.id)
            })
            .collect(),
        accounts: accounts
            .into_iter()
            .map(|row| {
                let id = row.id.to_string();
                let hash = digest(app, TombstoneKind::Account, &id);
                (hash, (row.id, row.user_id))
            })
            .collect(),
    })
}

/// Lays one erasure's tombstones, and begins it anew when somebody of it is there. True when it does.
async fn apply(app: &App, present: &Present, tombstone: Tombstone) -> Result<bool> {
    let user = tombstone
        .digests
        .iter()
        .find_map(|(_, hash)| present.users.get(hash).copied());
    let account = tombstone
        .digests
        .iter()
        .find_map(|(_, hash)| present.accounts.get(hash).copied());
    let target = match (tombstone.of_user, user, account) {
        (true, Some(user), _) => Some((ErasureScope::User, user, None)),
        (false, _, Some((account, user))) => Some((ErasureScope::Account, user, Some(account))),
        _ => None,
    };
    let digests = tombstone
        .digests
        .iter()
        .filter_map(|(kind, hash)| {
            let kind = TombstoneKind::try_from_value(kind).ok()?;
            Some((kind, hash.clone()))
        })
        .collect();
    let tx = app.db.begin().await?;
    lay_in_tx(&tx, tombstone.requested_at, tombstone.erasure, digests).await?;
    let begun = match target {
        Some((scope, user, account)) => {
            let row = erasure::Model {
                id: tombstone.erasure,
                scope,
                cause: ErasureCause::Replay,
                user_id: Some(user),
                account_id: account,
                code_hash: code_hash(&app.vault.erasure_code(tombstone.erasure)),
                state: ErasureState::Running,
                handed: None,
                watched: None,
                receipt: None,
                requested_at: tombstone.requested_at,
                completed_at: None,
            };
            begin_anew(app, &tx, row).await?
        }
        None => false,
    };
    crash::commit(tx, Commit::ErasureAccepted).await?;
    Ok(begun)
}

/// Puts the erasure back to its beginning, unless it is on its way already.
async fn begin_anew(app: &App, tx: &impl ConnectionTrait, row: erasure::Model) -> Result<bool> {
    let known = erasure::Entity::find_by_id(row.id).one(tx).await?;
    match known {
        Some(known) if known.state == ErasureState::Running => {}
        Some(_) => {
            forget_steps(tx, row.id).await?;
            erasure::Entity::update_many()
                .set(erasure::ActiveModel {
                    state: Set(row.state),
                    cause: Set(row.cause),
                    user_id: Set(row.user_id),
                    account_id: Set(row.account_id),
                    receipt: Set(None),
                    completed_at: Set(None),
                    ..Default::default()
                })
                .filter(erasure::Column::Id.eq(row.id))
                .exec(tx)
                .await?;
        }
        None => insert(tx, &row).await?,
    }
    fence_in_tx(app, tx, &row).await?;
    Ok(true)
}

async fn forget_steps(tx: &impl ConnectionTrait, id: ErasureId) -> Result<()> {
    erasure_step::Entity::delete_many()
        .filter(erasure_step::Column::ErasureId.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}
