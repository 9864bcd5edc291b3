//! What was written of everything that is held about the caller.

use async_graphql::{Context, Object, Result};

use crate::{
    domain::{actor::Scope, exports},
    graphql::{
        cost,
        guard::{Needs, actor, app},
        types::export::DataExport,
        user_error::raise,
    },
};

/// The length of the list that a cost assumes.
const SHORT_LIST: usize = 20;

#[derive(Debug, Default)]
pub(crate) struct ExportQueries;

#[Object]
impl ExportQueries {
    /// The newest exports, newest first. Needs the scope `account:export`.
    #[graphql(
        guard = "Needs(Scope::AccountExport)",
        complexity = "cost::list(SHORT_LIST, child_complexity)"
    )]
    async fn data_exports(&self, ctx: &Context<'_>) -> Result<Vec<DataExport>> {
        let rows = exports::list(app(ctx), actor(ctx)?.user_id).await;
        let rows = rows.map_err(|error| raise("Export", error))?;
        Ok(rows.into_iter().map(DataExport).collect())
    }
}
