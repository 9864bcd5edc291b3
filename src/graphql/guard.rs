//! Who may use a field: any key, or a key with a scope.

use std::net::IpAddr;

use async_graphql::{Context, Guard, Result};

use super::{
    error::{ApiError, Code},
    restricted,
};
use crate::{
    app::App,
    domain::{
        actor::{Actor, Scope},
        roles,
    },
};

/// The caller.
pub(crate) fn actor<'a>(ctx: &Context<'a>) -> Result<&'a Actor> {
    ctx.data_opt::<Actor>().ok_or_else(|| {
        ApiError::new(
            Code::Unauthenticated,
            "An API key is needed. Send it as `Authorization: Bearer <key>`.",
        )
        .into()
    })
}

/// Where a request comes from, as far as that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source(pub(crate) Option<IpAddr>);

/// Where the request comes from, for limits of what anybody may ask.
pub(crate) fn source(ctx: &Context<'_>) -> Option<IpAddr> {
    ctx.data_opt::<Source>().and_then(|source| source.0)
}

/// The application.
pub(crate) fn app<'a>(ctx: &Context<'a>) -> &'a App {
    ctx.data_unchecked::<App>()
}

/// Refuses unless the caller's key has `scope`.
pub(crate) fn require(ctx: &Context<'_>, scope: Scope) -> Result<()> {
    let actor = actor(ctx)?;
    if actor.may(scope) {
        return restricted::check(ctx, actor);
    }
    Err(ApiError::new(
        Code::Forbidden,
        format!("The API key lacks the scope {scope}. Use a key that has it."),
    )
    .into())
}

/// Lets keys with a scope pass.
pub(crate) struct Needs(pub(crate) Scope);

impl Guard for Needs {
    async fn check(&self, ctx: &Context<'_>) -> Result<()> {
        let checked = require(ctx, self.0);
        if let Some(actor) = ctx.data_opt::<Actor>()
            && !actor.may(self.0)
        {
            let operation = roles::of_field(ctx.field().name());
            roles::refused(app(ctx), actor, operation, self.0).await;
        }
        checked
    }
}

/// Lets every key pass.
pub(crate) struct AnyKey;

impl Guard for AnyKey {
    async fn check(&self, ctx: &Context<'_>) -> Result<()> {
        actor(ctx).map(|_| ())
    }
}
