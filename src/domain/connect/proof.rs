//! A consent that proves ownership and leaves nothing: the creator is named to
//! [`ownership`], and the tokens end at once.

use clipqueue_entities::oauth_state;
use tiktok::{Endpoint, Scopes, user::UserFields};

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
    let ended = app.tiktok.revoke(&tokens.access_token).await;
    app.calls.overheard(None, Endpoint::Revoke, &ended).await;
    if let Err(error) = ended {
        // It was never stored, and ends by itself within a day.
        tracing::warn!(%error, "the token of a proof cannot be revoked");
    }
    let profile = profile.unwrap_or_default();
    let creator = ProvenCreator {
        open_id: connected.open_id.to_string(),
        union_id: profile.union_id,
        username: profile.username,
    };
    let request = pending.request_id.ok_or(ConnectError::NotAsked)?;
    match ownership::proved(app, request, creator).await {
        Ok(proved) => Ok(proved),
        Err(Error::NotFound) => Err(ConnectError::NotAsked),
        Err(error) => Err(error.into()),
    }
}
