//! Exports as their owner sees them.

use async_graphql::{Context, Enum, ID, Object};
use clipqueue_entities::data_export;

use crate::{
    domain::exports,
    graphql::{
        guard::app,
        ids::Global as _,
        scalars::{BigInt, DateTime, Url},
    },
};

/// Where an export stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::data_export::ExportState")]
pub(crate) enum DataExportState {
    /// Nothing was written yet.
    Waiting,
    /// It is being written.
    Running,
    /// It can be fetched at `downloadUrl`.
    Ready,
    /// It was given up; `failureMessage` says why.
    Failed,
    /// It was deleted, by age or with what it held.
    Expired,
}

#[derive(Clone, Debug)]
pub(crate) struct DataExport(pub(crate) data_export::Model);

/// Everything that is held about the caller, as a ZIP archive of JSON and files.
#[Object]
impl DataExport {
    /// The id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_global()
    }

    /// Where it stands.
    async fn state(&self) -> DataExportState {
        self.0.state.into()
    }

    /// Where to fetch the archive. It is a secret: whoever has it may fetch. Null unless READY.
    async fn download_url(&self, ctx: &Context<'_>) -> Option<Url> {
        exports::address(app(ctx), &self.0).map(|(url, _)| Url(url.into()))
    }

    /// Until when `downloadUrl` is good; ask again for another one.
    async fn download_url_expires_at(&self, ctx: &Context<'_>) -> Option<DateTime> {
        exports::address(app(ctx), &self.0).map(|(_, ends_at)| DateTime(ends_at))
    }

    /// Bytes of the archive.
    async fn size(&self) -> Option<BigInt> {
        self.0.size.map(BigInt)
    }

    /// SHA-256 of the archive, hexadecimal.
    async fn sha256(&self) -> Option<&str> {
        self.0.sha256.as_deref()
    }

    /// Why it was given up, in a sentence.
    async fn failure_message(&self) -> Option<&str> {
        self.0.failure_message.as_deref()
    }

    /// When it was asked for.
    async fn requested_at(&self) -> DateTime {
        self.0.requested_at.into()
    }

    /// When it could be fetched.
    async fn ready_at(&self) -> Option<DateTime> {
        self.0.ready_at.map(DateTime)
    }

    /// When the archive is deleted.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }
}
