//! Requests for deletion, for operators who look at them.

use async_graphql::{Context, ID, Object, Result};
use clipqueue_entities::DeletionRequestId;

use crate::{
    domain::{
        actor::Scope,
        deletions::judge,
        error::{Code, Refusal},
    },
    graphql::{
        cost,
        guard::{Needs, app},
        ids::Global as _,
        types::deletion::DeletionRequest,
        user_error::raise,
    },
};

#[derive(Debug, Default)]
pub(crate) struct DeletionQueries;

#[Object]
impl DeletionQueries {
    /// One request for deletion. Needs the scope `ops:admin`.
    #[graphql(guard = "Needs(Scope::OpsAdmin)")]
    async fn deletion_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The request's id.")] id: ID,
    ) -> Result<DeletionRequest> {
        let seen = judge::get(app(ctx), DeletionRequestId::from_global(&id)).await;
        seen.map(DeletionRequest)
            .map_err(|error| raise("DeletionRequest", error))
    }

    /// Requests for deletion by people who cannot sign in, those that come due first. Needs the scope
    /// `ops:admin`.
    #[graphql(
        guard = "Needs(Scope::OpsAdmin)",
        complexity = "cost::page(first, None, child_complexity)"
    )]
    async fn deletion_requests(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Those that are over as well; only those that are not by default.")]
        all: Option<bool>,
        #[graphql(desc = "How many at most; 1 to 100, 20 by default.")] first: Option<i32>,
    ) -> Result<Vec<DeletionRequest>> {
        let limit = match first.map(usize::try_from) {
            None => cost::DEFAULT_PAGE,
            Some(Ok(limit @ 1..=cost::MAX_PAGE)) => limit,
            Some(_) => {
                let refusal = Refusal::whole(Code::Invalid, "`first` must be 1 to 100");
                return Err(raise("DeletionRequest", refusal.into()));
            }
        };
        let seen = judge::list(app(ctx), all.unwrap_or_default()).await;
        let seen = seen.map_err(|error| raise("DeletionRequest", error))?;
        Ok(seen.into_iter().take(limit).map(DeletionRequest).collect())
    }
}
