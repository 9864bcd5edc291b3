//! Asking for everything that is held about the caller.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use crate::{
    domain::{actor::Scope, exports},
    graphql::{
        guard::{Needs, actor, app},
        types::export::DataExport,
        user_error::{UserError, settle},
    },
};

/// The request.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct RequestExportInput {
    /// A text of your choice, such as a fresh UUID. The same key gives the same export.
    idempotency_key: String,
}

/// What is written.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct RequestExportPayload {
    /// The export, which is being written.
    data_export: Option<DataExport>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

#[derive(Debug, Default)]
pub(crate) struct ExportMutations;

#[Object]
impl ExportMutations {
    /// Has everything that is held about the caller written into one archive: profile, accounts, posts
    /// with what became of them, files, counters, keys and webhooks without their secrets. It answers at
    /// once; `dataExports` tells how it stands and where to fetch it. Needs the scope `account:export`.
    #[graphql(guard = "Needs(Scope::AccountExport)")]
    async fn request_export(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The request.")] input: RequestExportInput,
    ) -> Result<RequestExportPayload> {
        let begun = exports::begin(app(ctx), actor(ctx)?, &input.idempotency_key).await;
        let (row, user_errors) = settle("idempotencyKey", begun)?;
        Ok(RequestExportPayload {
            data_export: row.map(DataExport),
            user_errors,
        })
    }
}
