//! The last account of somebody who has no other way in: the user goes after it.
//!
//! Whoever signed up with TikTok is known here by their accounts alone. Once the last is erased nobody can
//! sign in as this user, and what hangs on the user (files without a post, texts, plan, billing contact)
//! would stay with nobody to ask for its end. Somebody with an API key or an operator is somebody still.

use clipqueue_entities::{
    AccountId, ErasureId, UserId,
    account::{self, AccountStatus},
    api_key,
    erasure::{self, ErasureScope, ErasureState},
    operator, user,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
};

use crate::{app::App, domain::error::Result};

/// The erasure of a user that follows this one of an account, whose rows are gone: one that runs already, or
/// one that is to begin by the id `fresh`.
pub(super) async fn follower(
    db: &impl ConnectionTrait,
    erasure: &erasure::Model,
    fresh: ErasureId,
) -> Result<Option<ErasureId>> {
    let (ErasureScope::Account, Some(user)) = (erasure.scope, erasure.user_id) else {
        return Ok(None);
    };
    if user::Entity::find_by_id(user).one(db).await?.is_none() {
        return Ok(None);
    }
    let running = erasure::Entity::find()
        .filter(erasure::Column::UserId.eq(user))
        .filter(erasure::Column::Scope.eq(ErasureScope::User))
        .filter(erasure::Column::State.eq(ErasureState::Running))
        .one(db)
        .await?;
    if let Some(running) = running {
        return Ok(Some(running.id));
    }
    let accounts = account::Entity::find()
        .filter(account::Column::UserId.eq(user))
        .count(db)
        .await?;
    let is_lost = accounts == 0 && !has_another_way_in(db, user).await?;
    Ok(is_lost.then_some(fresh))
}

/// Whether the user would go after this account, as things are now.
pub async fn takes_user_along(app: &App, user: UserId, account: AccountId) -> Result<bool> {
    let db = app.db.read();
    let others = account::Entity::find()
        .filter(account::Column::UserId.eq(user))
        .filter(account::Column::Id.ne(account))
        .filter(account::Column::Status.ne(AccountStatus::Disconnected))
        .count(db)
        .await?;
    Ok(others == 0 && !has_another_way_in(db, user).await?)
}

async fn has_another_way_in(db: &impl ConnectionTrait, user: UserId) -> Result<bool> {
    // One that has expired is theirs still: only whoever revokes a key says that it is over.
    let keys = api_key::Entity::find()
        .filter(api_key::Column::UserId.eq(user))
        .filter(api_key::Column::RevokedAt.is_null())
        .count(db)
        .await?;
    let operates = operator::Entity::find_by_id(user).one(db).await?.is_some();
    Ok(keys > 0 || operates)
}
