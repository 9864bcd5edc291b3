//! Making and revoking API keys.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use clipqueue_entities::ApiKeyId;
use secrecy::ExposeSecret as _;

use crate::{
    domain::{actor::Scope, api_keys},
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
        let made = api_keys::create_by(app, actor, &input.name, &scopes, end, key).await;
        let (made, user_errors) = settle("idempotencyKey", made)?;
        let (api_key, token) = made.unzip();
        Ok(CreateApiKeyPayload {
            api_key: api_key.map(ApiKey),
            token: token.flatten().map(|text| text.expose_secret().to_owned()),
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
