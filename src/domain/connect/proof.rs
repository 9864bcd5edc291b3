//! A consent that proves ownership and leaves nothing: the creator is named to
//! [`ownership`], and then the tokens end.

use clipqueue_entities::{
    account::{self, AccountStatus},
    oauth_state,
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use tiktok::{Endpoint, OpenId, Scopes, user::UserFields};

use super::ConnectError;
use crate::{
    app::App,
    domain::{
        creator,
        error::Error,
        ownership::{self, Proved, ProvenCreator},
    },
};

/// The scopes that tell who somebody is; a proof asks for no other.
pub(super) fn scopes(app: &App) -> String {
    let scopes: Vec<&str> = (app.config.tiktok.scopes.iter())
        .map(String::as_str)
        .filter(|scope| scope.starts_with("user.info."))
        .collect();
    scopes.join(",")
}

/// Takes a proof to its end.
pub(super) async fn take(
    app: &App,
    pending: &oauth_state::Model,
    connected: tiktok::oauth::Connected,
) -> Result<Proved, ConnectError> {
    let tokens = &connected.tokens;
    let granted = (tokens.scopes.clone()).unwrap_or_else(|| Scopes::parse(&pending.scopes));
    let profile = match UserFields::covered_by(&granted) {
        Some(fields) => creator::profile(app, &tokens.access_token, &fields).await,
        None => None,
    };
    let profile = profile.unwrap_or_default();
    let creator = ProvenCreator {
        open_id: connected.open_id.to_string(),
        union_id: profile.union_id,
        username: profile.username,
    };
    let proved = match pending.request_id {
        Some(request) => ownership::proved(app, request, creator).await,
        None => Err(Error::NotFound),
    };
    let is_taken = proved.as_ref().is_ok_and(|proved| proved.is_taken);
    // To end a grant ends every grant of the creator to this app: whoever is connected here and proved
    // nothing would lose the account by it.
    if is_taken || !is_connected(app, &connected.open_id).await? {
        end(app, &connected).await;
    }
    match proved {
        Ok(proved) => Ok(proved),
        Err(Error::NotFound) => Err(ConnectError::NotAsked),
        Err(error) => Err(error.into()),
    }
}

async fn is_connected(app: &App, open_id: &OpenId) -> Result<bool, ConnectError> {
    let account = account::Entity::find()
        .filter(account::Column::OpenId.eq(open_id.to_string()))
        .filter(account::Column::Status.ne(AccountStatus::Disconnected))
        .one(app.db.read())
        .await?;
    Ok(account.is_some())
}

async fn end(app: &App, connected: &tiktok::oauth::Connected) {
    let ended = app.tiktok.revoke(&connected.tokens.access_token).await;
    app.calls.overheard(None, Endpoint::Revoke, &ended).await;
    if let Err(error) = ended {
        // It was never stored, and ends by itself within a day.
        tracing::warn!(%error, "the token of a proof cannot be revoked");
    }
}
