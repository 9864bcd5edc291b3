//! Making and revoking API keys.

use std::time::Duration;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use clipqueue_entities::{AccountId, ApiKeyId};
use secrecy::ExposeSecret as _;

use crate::{
    domain::{
        actor::Scope,
        api_keys,
        key_rotation::{self, Rotation},
    },
    graphql::{
        guard::{Needs, actor, app},
        ids::Global as _,
        scalars::DateTime,
        types::{api_key::ApiKey, scope::ApiScope},
        user_error::{UserError, settle},
    },
};

/// An API key to make.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct CreateApiKeyInput {
    /// A text of your choice, such as a fresh UUID. The same key with the same request gives the same
    /// API key again, without its text.
    idempotency_key: String,
    /// A name for people; 1 to 100 characters.
    name: String,
    /// What the key may do; no more than your own key may.
    scopes: Vec<ApiScope>,
    /// When it stops working; never, when left out.
    expires_at: Option<DateTime>,
    /// The TikTok accounts that it is restricted to; all of yours, when left out. Such a key has scopes
    /// of accounts, posts and media alone.
    account_ids: Option<Vec<ID>>,
}

/// An API key that was made.
#[derive(Clone, SimpleObject)]
pub(crate) struct CreateApiKeyPayload {
    /// The key, without its text.
    api_key: Option<ApiKey>,
    /// The key's text. It is shown this once and cannot be had again; null when the same request made
    /// the key before.
    token: Option<String>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// An API key to get a new text for.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct RotateApiKeyInput {
    /// The key.
    id: ID,
    /// A text of your choice, such as a fresh UUID. The same key with the same request gives the same
    /// API key again, without its text.
    idempotency_key: String,
    /// How many seconds the old key works on, beside the new one; 30 days at most. 0 ends it at once.
    #[graphql(default = 86_400)]
    overlap_seconds: i32,
    /// When the new key stops working; when left out, it lives as long as the old one was meant to.
    expires_at: Option<DateTime>,
}

/// An API key in the place of another.
#[derive(Clone, SimpleObject)]
pub(crate) struct RotateApiKeyPayload {
    /// The new key, without its text.
    api_key: Option<ApiKey>,
    /// The new key's text. It is shown this once and cannot be had again; null when the same request
    /// made the key before.
    token: Option<String>,
    /// The old key; `expiresAt` says until when it works.
    replaced: Option<ApiKey>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// An API key to revoke.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct RevokeApiKeyInput {
    /// The key's id.
    id: ID,
}

/// The key that was revoked.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct RevokeApiKeyPayload {
    /// The key.
    api_key: Option<ApiKey>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

#[derive(Debug, Default)]
pub(crate) struct Keys;

#[Object]
impl Keys {
    /// Makes an API key for the same user. Needs the scope `keys:admin`.
    #[graphql(guard = "Needs(Scope::KeysAdmin)")]
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: CreateApiKeyInput,
    ) -> Result<CreateApiKeyPayload> {
        let scopes: Vec<Scope> = input.scopes.into_iter().map(Into::into).collect();
        let (app, actor, end) = (app(ctx), actor(ctx)?, input.expires_at.map(|at| at.0));
        let key = &input.idempotency_key;
        let accounts: Option<Vec<AccountId>> = input
            .account_ids
            .map(|ids| ids.iter().map(AccountId::from_global).collect());
        let of = accounts.as_deref();
        let made = api_keys::create_by(app, actor, &input.name, &scopes, end, of, key).await;
        let (made, user_errors) = settle("idempotencyKey", made)?;
        let (api_key, token) = made.unzip();
        Ok(CreateApiKeyPayload {
            api_key: api_key.map(ApiKey),
            token: token.flatten().map(|text| text.expose_secret().to_owned()),
            user_errors,
        })
    }

    /// Makes an API key that takes the place of another, with the same name, scopes and accounts. Both
    /// work until the old one ends. Needs the scope `keys:admin`.
    #[graphql(guard = "Needs(Scope::KeysAdmin)")]
    async fn rotate_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: RotateApiKeyInput,
    ) -> Result<RotateApiKeyPayload> {
        let id = ApiKeyId::from_global(&input.id);
        let seconds = u64::try_from(input.overlap_seconds).unwrap_or_default();
        let how = Rotation {
            overlap: Duration::from_secs(seconds),
            expires_at: input.expires_at.map(|at| at.0),
        };
        let (app, actor, key) = (app(ctx), actor(ctx)?, &input.idempotency_key);
        let rotated = key_rotation::rotate(app, actor, id, how, key).await;
        let (rotated, user_errors) = settle("id", rotated)?;
        Ok(RotateApiKeyPayload {
            token: rotated
                .as_ref()
                .and_then(|rotated| rotated.text.as_ref())
                .map(|text| text.expose_secret().to_owned()),
            replaced: rotated.as_ref().map(|rotated| ApiKey(rotated.old.clone())),
            api_key: rotated.map(|rotated| ApiKey(rotated.new)),
            user_errors,
        })
    }

    /// Ends an API key at once; its open connections follow within a minute. Needs the scope
    /// `keys:admin`.
    #[graphql(guard = "Needs(Scope::KeysAdmin)")]
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: RevokeApiKeyInput,
    ) -> Result<RevokeApiKeyPayload> {
        let id = ApiKeyId::from_global(&input.id);
        let revoked = api_keys::revoke(app(ctx), actor(ctx)?.user_id, id).await;
        let (api_key, user_errors) = settle("id", revoked)?;
        Ok(RevokeApiKeyPayload {
            api_key: api_key.map(ApiKey),
            user_errors,
        })
    }
}
