//! The caller, and any object by its id.

use async_graphql::{Context, ID, Object, Result};

use crate::graphql::{
    cost,
    error::{ApiError, Code},
    guard::{AnyKey, actor},
    types::{
        node::{Node, find},
        viewer::Viewer,
    },
};

/// The most ids of one `nodes`.
const MAX_IDS: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Nodes;

#[Object]
impl Nodes {
    /// The user that the API key acts for. Any key may ask.
    #[graphql(guard = "AnyKey")]
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        Ok(Viewer(actor(ctx)?.clone()))
    }

    /// Any object by its id; null when there is none that is yours. Needs the scope that reads its
    /// type.
    #[graphql(guard = "AnyKey")]
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id, as some field `id` gave it.")] id: ID,
    ) -> Result<Option<Node>> {
        find(ctx, &id).await
    }

    /// Several objects by their ids, in the same order; null for each that is not yours.
    #[graphql(
        guard = "AnyKey",
        complexity = "cost::list(ids.len(), child_complexity)"
    )]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ids; at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > MAX_IDS {
            let text = format!("`ids` has {} entries; {MAX_IDS} are allowed.", ids.len());
            return Err(ApiError::new(Code::BadUserInput, text).into());
        }
        futures::future::try_join_all(ids.iter().map(|id| find(ctx, id))).await
    }
}
