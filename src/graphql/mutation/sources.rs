//! Sources of files, and fetching files from there.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use clipqueue_entities::{VerifiedSourceId, verified_source};

use crate::{
    domain::{
        actor::Scope,
        error,
        imports::{self, NewImport},
        sources,
    },
    graphql::{
        guard::{Needs, actor, app},
        ids::Global as _,
        types::source::{MediaImport, VerifiedSource},
        user_error::{UserError, settle},
    },
};

/// A host, or a part of one, that is yours.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct AddVerifiedSourceInput {
    /// A text of your choice, such as a fresh UUID. The same key with the same request gives the same
    /// source again.
    idempotency_key: String,
    /// What the addresses of your files begin with, such as `https://media.example.com/clips/`.
    url: String,
}

/// The source to look for.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct CheckVerifiedSourceInput {
    /// The source.
    id: ID,
}

/// The source to forget.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct RemoveVerifiedSourceInput {
    /// The source.
    id: ID,
}

/// The source.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct VerifiedSourcePayload {
    /// The source.
    source: Option<VerifiedSource>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// A file to fetch.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct ImportMediaInput {
    /// A text of your choice, such as a fresh UUID. The same key with the same request gives the same
    /// import again.
    idempotency_key: String,
    /// The file's address, below a verified source. Its query may hold a signature; it is kept sealed
    /// until the import is over.
    url: String,
    /// The file's name; the last part of the address, when left out.
    filename: Option<String>,
}

/// The import.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct ImportMediaPayload {
    /// The import.
    media_import: Option<MediaImport>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

#[derive(Debug, Default)]
pub(crate) struct SourceMutations;

#[Object]
impl SourceMutations {
    /// Names a host, or a part of one, that files shall be fetched from, and says how to prove that it
    /// is yours. Needs the scope `media:write`.
    #[graphql(guard = "Needs(Scope::MediaWrite)")]
    async fn add_verified_source(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The source.")] input: AddVerifiedSourceInput,
    ) -> Result<VerifiedSourcePayload> {
        let (app, actor) = (app(ctx), actor(ctx)?);
        let added = sources::add(app, actor, &input.url, &input.idempotency_key).await;
        payload("idempotencyKey", added)
    }

    /// Has the proof of a source looked for now; `state` and `failure` tell soon what came of it.
    /// Needs the scope `media:write`.
    #[graphql(guard = "Needs(Scope::MediaWrite)")]
    async fn check_verified_source(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The source.")] input: CheckVerifiedSourceInput,
    ) -> Result<VerifiedSourcePayload> {
        let id = VerifiedSourceId::from_global(&input.id);
        payload("id", sources::check_now(app(ctx), actor(ctx)?, id).await)
    }

    /// Forgets a source. Imports from it that have not ended fail. Needs the scope `media:write`.
    #[graphql(guard = "Needs(Scope::MediaWrite)")]
    async fn remove_verified_source(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The source.")] input: RemoveVerifiedSourceInput,
    ) -> Result<VerifiedSourcePayload> {
        let id = VerifiedSourceId::from_global(&input.id);
        payload("id", sources::remove(app(ctx), actor(ctx)?, id).await)
    }

    /// Fetches a file from a verified source, as an upload. It answers at once; the import tells how
    /// far it is. Needs the scope `media:write`.
    #[graphql(guard = "Needs(Scope::MediaWrite)")]
    async fn import_media(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file.")] input: ImportMediaInput,
    ) -> Result<ImportMediaPayload> {
        let new = NewImport {
            url: input.url,
            filename: input.filename,
        };
        let begun = imports::begin(app(ctx), actor(ctx)?, new, &input.idempotency_key).await;
        let (row, user_errors) = settle("idempotencyKey", begun)?;
        Ok(ImportMediaPayload {
            media_import: row.map(MediaImport),
            user_errors,
        })
    }
}

fn payload(
    missing: &'static str,
    result: error::Result<verified_source::Model>,
) -> Result<VerifiedSourcePayload> {
    let (source, user_errors) = settle(missing, result)?;
    Ok(VerifiedSourcePayload {
        source: source.map(VerifiedSource),
        user_errors,
    })
}
