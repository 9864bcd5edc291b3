//! What a finished consent leaves: the account with its tokens, and whatever waited for it goes on.

use clipqueue_entities::{
    AccountId, Timestamp, UserId,
    account::{self, AccountStatus},
    account_token,
    oauth_state::{self, ConsentPurpose},
    user,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _,
};
use serde_json::json;
use tiktok::{Endpoint, Scopes, user::UserFields};

use super::{ConnectError, Connected};
use crate::{
    app::App,
    domain::{
        accounts, creator, erasure,
        events::{self, NewEvent},
        names, tokens,
    },
};

/// Stores an account and its tokens, for the user whom the consent is for. Whoever signs in without being
/// signed in is the user who has the account, or a new one.
pub(super) async fn save(
    app: &App,
    pending: oauth_state::Model,
    connected: tiktok::oauth::Connected,
) -> Result<Connected, ConnectError> {
    let granted = connected
        .tokens
        .scopes
        .clone()
        .unwrap_or_else(|| Scopes::parse(&pending.scopes));
    let profile = match UserFields::covered_by(&granted) {
        None => None,
        // The grant is worth more than the picture: it is kept, and the profile comes later.
        Some(fields) => creator::profile(app, &connected.tokens.access_token, &fields).await,
    };
    let now = app.clock.now();
    let open_id = connected.open_id.to_string();
    let tx = app.db.begin().await?;
    let Some(user) = whose(app, &tx, &pending, &open_id).await? else {
        tx.rollback().await?;
        give_up(app, &connected).await;
        return Err(ConnectError::NoSignUp);
    };
    let leaving = erasure::is_leaving(&tx, user).await?;
    // Read behind the lock on the user, which whoever disconnects the account holds.
    let existing = of_creator(&tx, &open_id).await?;
    let is_left = |account: &account::Model| account.status == AccountStatus::Disconnected;
    if leaving || existing.as_ref().is_some_and(is_left) {
        tx.rollback().await?;
        // Nobody will keep these tokens, so nobody else could end what the creator just granted.
        give_up(app, &connected).await;
        return Err(ConnectError::Leaving);
    }
    if existing
        .as_ref()
        .is_some_and(|account| account.user_id != user)
    {
        tx.rollback().await?;
        return Err(ConnectError::Taken);
    }
    let mut row = existing
        .clone()
        .unwrap_or_else(|| fresh_account(AccountId::new(), user, open_id, now));
    if let Some(profile) = profile {
        row.union_id = profile.union_id.or(row.union_id);
        row.username = profile.username.or(row.username);
        row.display_name = profile.display_name.or(row.display_name);
        row.avatar_url = profile.avatar_url.or(row.avatar_url);
    }
    row.scopes = granted.to_string();
    row.status = AccountStatus::Active;
    row.status_reason = None;
    row.status_since = now;
    row.connected_at = now;
    row.updated_at = now;
    let model = row.clone().into_active_model().reset_all();
    if existing.is_some() {
        account::Entity::update(model).exec(&tx).await?;
    } else {
        account::Entity::insert(model)
            .exec_without_returning(&tx)
            .await?;
    }
    tokens::ensure_key_in_tx(app, &tx, row.id).await?;
    let previous = account_token::Entity::find_by_id(row.id).one(&tx).await?;
    tokens::store_in_tx(app, &tx, row.id, previous.as_ref(), &connected.tokens, None).await?;
    events::append_in_tx(
        &tx,
        now,
        NewEvent {
            user_id: row.user_id,
            account_id: Some(row.id),
            post_id: None,
            kind: "account.connected",
            data: json!({ "scopes": row.scopes }),
            evidence_id: None,
        },
    )
    .await?;
    accounts::release_in_tx(app, &tx, row.id).await?;
    tx.commit().await?;
    app.announce(row.user_id).await;
    accounts::released(app).await;
    let missing = pending
        .scopes
        .split(',')
        .filter(|scope| !row.scopes.split(',').any(|granted| granted == *scope))
        .map(ToOwned::to_owned)
        .collect();
    Ok(Connected {
        account: row,
        missing,
        return_to: pending.return_to,
    })
}

async fn of_creator(
    tx: &impl ConnectionTrait,
    open_id: &str,
) -> Result<Option<account::Model>, sea_orm::DbErr> {
    account::Entity::find()
        .filter(account::Column::OpenId.eq(open_id))
        .one(tx)
        .await
}

/// The user whom the account is for; nobody, when it would be a new one and those are not taken.
async fn whose(
    app: &App,
    tx: &impl ConnectionTrait,
    pending: &oauth_state::Model,
    open_id: &str,
) -> Result<Option<UserId>, ConnectError> {
    if pending.user_id.is_some() || pending.purpose != ConsentPurpose::SignIn {
        return Ok(pending.user_id);
    }
    if let Some(account) = of_creator(tx, open_id).await? {
        return Ok(Some(account.user_id));
    }
    if !app.config.dashboard.sign_up {
        return Ok(None);
    }
    let id = UserId::new();
    user::Entity::insert(user::ActiveModel {
        id: Set(id),
        name: Set(fresh_name()),
        created_at: Set(app.clock.now()),
        leaving_at: Set(None),
    })
    .exec_without_returning(tx)
    .await?;
    Ok(Some(id))
}

/// A name that nobody has and that tells nothing of the creator: it outlives the account and goes into the
/// records of operators, and TikTok's names are chosen by strangers.
fn fresh_name() -> String {
    names::fresh(None, "creator")
}

/// Ends a grant of which nothing is kept.
async fn give_up(app: &App, connected: &tiktok::oauth::Connected) {
    let ended = app.tiktok.revoke(&connected.tokens.access_token).await;
    app.calls.overheard(None, Endpoint::Revoke, &ended).await;
}

fn fresh_account(
    id: AccountId,
    user_id: UserId,
    open_id: String,
    now: Timestamp,
) -> account::Model {
    account::Model {
        id,
        user_id,
        open_id,
        union_id: None,
        username: None,
        display_name: None,
        avatar_url: None,
        scopes: String::new(),
        status: AccountStatus::Active,
        status_reason: None,
        status_since: now,
        connected_at: now,
        created_at: now,
        updated_at: now,
    }
}
