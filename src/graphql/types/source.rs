//! Hosts that users say are theirs, and files that are fetched from there.

use async_graphql::{Context, Enum, ID, Object, Result};
use clipqueue_entities::{media_import, verified_source};

use super::media::Media;
use crate::{
    domain::sources::proof,
    graphql::{ids::Global as _, loaders::load, scalars::DateTime},
};

/// Where a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::verified_source::SourceState")]
pub(crate) enum VerifiedSourceState {
    /// The proof was not found yet. It is looked for every hour, for three days.
    Pending,
    /// The proof was found. It is looked for every day.
    Verified,
    /// The proof was missing for a day, or never came. Ask for a check when it is in place.
    Lapsed,
}

#[derive(Clone, Debug)]
pub(crate) struct VerifiedSource(pub(crate) verified_source::Model);

/// A host, or a part of one, that files may be fetched from once it is proved to be yours: by a TXT
/// record or by a file, one is enough.
#[Object]
impl VerifiedSource {
    /// The id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_global()
    }

    /// What the addresses of its files begin with.
    async fn url(&self) -> String {
        format!("{}{}", self.0.origin, self.0.prefix)
    }

    /// Where it stands.
    async fn state(&self) -> VerifiedSourceState {
        self.0.state.into()
    }

    /// The name of the TXT record that proves the whole host; null, when the host has no name.
    async fn dns_record(&self) -> Option<String> {
        proof::of(&self.0).record
    }

    /// The address of the file that proves it.
    async fn file_url(&self) -> String {
        proof::of(&self.0).file
    }

    /// What the record is, or what a line of the file is.
    async fn proof(&self) -> String {
        proof::of(&self.0).text
    }

    /// How the proof was found: `dns` or `file`.
    async fn method(&self) -> Option<&str> {
        self.0.method.as_deref()
    }

    /// Why the last look found no proof, as a word.
    async fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// When the proof was first found.
    async fn verified_at(&self) -> Option<DateTime> {
        self.0.verified_at.map(DateTime)
    }

    /// When it was last looked for.
    async fn checked_at(&self) -> Option<DateTime> {
        self.0.checked_at.map(DateTime)
    }

    /// When it is looked for next; null, once it has lapsed.
    async fn next_check_at(&self) -> Option<DateTime> {
        self.0.next_check_at.map(DateTime)
    }

    /// When it was named.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
}

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::media_import::ImportState")]
pub(crate) enum MediaImportState {
    /// Nothing was asked yet.
    Waiting,
    /// Bytes come in.
    Fetching,
    /// The file is there.
    Ready,
    /// It was given up.
    Failed,
}

#[derive(Clone, Debug)]
pub(crate) struct MediaImport(pub(crate) media_import::Model);

/// A file that is fetched from a verified source.
#[Object]
impl MediaImport {
    /// The id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_global()
    }

    /// The address, without its query.
    async fn url(&self) -> &str {
        &self.0.shown_url
    }

    /// Where it stands.
    async fn state(&self) -> MediaImportState {
        self.0.state.into()
    }

    /// The file, once its size is known: its `size` and `received` tell the progress.
    async fn media(&self, ctx: &Context<'_>) -> Result<Option<Media>> {
        let Some(id) = self.0.media_id else {
            return Ok(None);
        };
        Ok(load(ctx, self.0.user_id, id).await?.map(Media))
    }

    /// How far it is, in percent of the file's bytes; null, before the size is known.
    async fn percent(&self, ctx: &Context<'_>) -> Result<Option<i32>> {
        let Some(id) = self.0.media_id else {
            return Ok(None);
        };
        let media = load(ctx, self.0.user_id, id).await?;
        Ok(media.map(|media: crate::media::Media| {
            let percent = u128::from(media.received) * 100 / u128::from(media.size.max(1));
            i32::try_from(percent).unwrap_or(100)
        }))
    }

    /// How often it began anew because the file at its address changed or could not be resumed.
    async fn restarts(&self) -> i32 {
        self.0.restarts
    }

    /// Why it failed, as a word.
    async fn failure_code(&self) -> Option<&str> {
        self.0.failure_code.as_deref()
    }

    /// Why it failed, in a sentence.
    async fn failure_message(&self) -> Option<&str> {
        self.0.failure_message.as_deref()
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it was over.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime)
    }
}
