//! Connecting TikTok accounts.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use crate::{
    domain::{actor::Scope, connect},
    graphql::{
        guard::{Needs, actor, app},
        scalars::{DateTime, Url},
        user_error::{UserError, settle},
    },
};

/// How to connect a TikTok account.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct ConnectTikTokInput {
    /// Where the creator's browser goes afterwards; it must lie below an address that the operator
    /// allowed (`http.return_to`). A page of Clipqueue's when left out.
    return_to: Option<Url>,
}

/// Where to send the creator.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "ConnectTikTokPayload")]
pub(crate) struct ConnectTikTokPayload {
    /// TikTok's consent page. Open it in the creator's browser, as it is.
    authorize_url: Option<Url>,
    /// Until when the creator may come back from it.
    expires_at: Option<DateTime>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

#[derive(Debug, Default)]
pub(crate) struct Connect;

#[Object]
impl Connect {
    /// Starts connecting a TikTok account, or connecting it again. Needs the scope
    /// `accounts:connect`.
    #[graphql(name = "connectTikTok", guard = "Needs(Scope::AccountsConnect)")]
    async fn connect_tiktok(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How to connect it.")] input: ConnectTikTokInput,
    ) -> Result<ConnectTikTokPayload> {
        let return_to = input.return_to.map(|url| url.0);
        let page = connect::begin(app(ctx), actor(ctx)?, return_to).await;
        let (page, user_errors) = settle("returnTo", page)?;
        Ok(ConnectTikTokPayload {
            expires_at: page.as_ref().map(|page| page.expires_at.into()),
            authorize_url: page.map(|page| Url(page.url.into())),
            user_errors,
        })
    }
}
