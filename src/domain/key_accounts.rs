//! The accounts that an API key is restricted to: a list in its row. A key without a list may use all of
//! its user's accounts, those of tomorrow included; one with an empty list none.

use clipqueue_entities::{
    AccountId, ApiKeyId, UserId,
    account::{self, AccountStatus},
    api_key,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    sea_query::Expr,
};

use super::{
    actor::Scope,
    error::{Code, Refusal, Result},
};
use crate::app::App;

/// Most accounts of one list.
const MAX_ACCOUNTS: usize = 100;

/// The scopes of a restricted key: what can be told apart by account, and files.
pub const SCOPES: [Scope; 5] = [
    Scope::AccountsRead,
    Scope::MediaRead,
    Scope::MediaWrite,
    Scope::PostsRead,
    Scope::PostsWrite,
];

/// The list of a row.
pub fn of(key: &api_key::Model) -> Option<Vec<AccountId>> {
    let text = key.accounts.as_deref()?;
    Some(text.split(' ').filter_map(|id| id.parse().ok()).collect())
}

/// The list as a row holds it.
pub(super) fn render(accounts: &[AccountId]) -> String {
    let ids: Vec<String> = accounts.iter().map(ToString::to_string).collect();
    ids.join(" ")
}

/// Refuses a list that is no list of `user`'s accounts, and scopes that it cannot restrict.
pub(super) async fn check(
    app: &App,
    user: UserId,
    accounts: &[AccountId],
    scopes: &[Scope],
) -> Result<()> {
    let refuse = |field, code, text: String| Err(Refusal::new(field, code, text).into());
    if accounts.is_empty() || accounts.len() > MAX_ACCOUNTS {
        let text = "must name 1 to 100 accounts; leave it out for a key to all of them";
        return refuse("accountIds", Code::Invalid, text.to_owned());
    }
    let mut ids = accounts.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let found = account::Entity::find()
        .filter(account::Column::UserId.eq(user))
        .filter(account::Column::Id.is_in(ids.iter().copied()))
        .filter(account::Column::Status.ne(AccountStatus::Disconnected))
        .count(app.db.read())
        .await?;
    if found != ids.len() as u64 {
        let text = "names an account that you do not have".to_owned();
        return refuse("accountIds", Code::NotFound, text);
    }
    if let Some(scope) = scopes.iter().find(|scope| !SCOPES.contains(scope)) {
        let text =
            format!("a key that is restricted to accounts cannot have {scope}; leave it out");
        return refuse("scopes", Code::Invalid, text);
    }
    Ok(())
}

/// Takes an account that is erased out of the lists of its user's keys. Gives of how many.
pub(super) async fn forget_in_tx(
    tx: &impl ConnectionTrait,
    user: UserId,
    account: AccountId,
) -> Result<u64> {
    let keys = api_key::Entity::find()
        .filter(api_key::Column::UserId.eq(user))
        .filter(api_key::Column::Accounts.contains(account.to_string()))
        .all(tx)
        .await?;
    let found = keys.len() as u64;
    for key in keys {
        let mut left = of(&key).unwrap_or_default();
        left.retain(|id| *id != account);
        set(tx, key.id, &left).await?;
    }
    Ok(found)
}

async fn set(tx: &impl ConnectionTrait, key: ApiKeyId, accounts: &[AccountId]) -> Result<()> {
    api_key::Entity::update_many()
        .col_expr(api_key::Column::Accounts, Expr::value(render(accounts)))
        .filter(api_key::Column::Id.eq(key))
        .exec(tx)
        .await?;
    Ok(())
}
