//! `ImportMedia`: fetches a file from its owner's address into the store, as an upload of our own.
//!
//! Whatever dies, the next try goes on behind the bytes that are stored, if the server can prove by its
//! mark that the file is the same; else it begins anew, a few times. The store judges the file as it
//! judges every upload.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use clipqueue_entities::{MediaImportId, media_import as import};
use futures::{Stream, StreamExt as _};

use super::{Halt, Step};
use crate::{
    app::App,
    crash,
    domain::{
        imports::steps::{self, Open},
        sources, uploads,
    },
    fetch::{FetchError, Fetched, Rest},
    media::{Media, MediaError, MediaState},
};

/// How often an import begins anew because the file changed or could not be resumed.
const MAX_RESTARTS: i32 = 3;
/// A try that stored this much was worth it, and costs none.
const PROGRESS: u64 = 1024 * 1024;
/// The wait after a try that got on.
const SHORT: Duration = Duration::from_secs(5);
/// The answer of a server that has no such part of the file.
const NO_SUCH_RANGE: u16 = 416;

pub(super) async fn run(app: &App, id: MediaImportId, last_attempt: bool) -> Step {
    // Each round ends the import, leaves for another try, or begins anew, of which there are few.
    while let Some(open) = steps::open(app, id).await? {
        match round(app, &open).await? {
            Round::Over => break,
            Round::Anew if open.row.restarts >= MAX_RESTARTS => {
                let text =
                    "the file changed, or could not be resumed, several times while it was fetched";
                steps::fail(app, &open.row, "changed", text).await?;
            }
            Round::Anew => steps::restart(app, &open.row).await?,
            Round::Progress => return Err(Halt::snooze(SHORT)),
            Round::Broken(error) if last_attempt => {
                steps::fail(app, &open.row, error.code(), &error.to_string()).await?;
            }
            Round::Broken(error) => return Err(Halt::retry(error)),
        }
    }
    Ok(())
}

/// How a round ended.
enum Round {
    /// The import is over.
    Over,
    /// What is stored cannot be used.
    Anew,
    /// It got on, and is not through.
    Progress,
    /// It did not get on.
    Broken(FetchError),
}

async fn round(app: &App, open: &Open) -> Step<Round> {
    let row = &open.row;
    if !sources::stands(app, row.user_id, row.source_id).await? {
        let text = "the source of this address is not verified any more";
        steps::fail(app, row, "source_not_verified", text).await?;
        return Ok(Round::Over);
    }
    let media = match row.media_id {
        None => None,
        Some(id) => match app.media.status(row.user_id, id).await {
            Ok(media) if media.state == MediaState::Uploading => Some(media),
            Ok(media) => return ended(app, row, &media).await,
            Err(error) => return refused(app, row, error).await,
        },
    };
    let rest = media
        .as_ref()
        .filter(|media| media.received > 0)
        .and_then(|media| {
            let (from, mark) = (media.received, row.mark.clone()?);
            Some(Rest { from, mark })
        });
    let asked = app.fetch.get(&open.url, rest.as_ref());
    let fetched = match crash::around(crash::Step::Fetch, asked).await {
        Ok(fetched) => fetched,
        Err(FetchError::Status(NO_SUCH_RANGE)) if rest.is_some() => return Ok(Round::Anew),
        Err(error) if error.is_passing() => return Ok(Round::Broken(error)),
        Err(error) => {
            steps::fail(app, row, error.code(), &error.to_string()).await?;
            return Ok(Round::Over);
        }
    };
    let Some(place) = place(row, media.as_ref(), rest.as_ref(), &fetched) else {
        return Ok(Round::Anew);
    };
    let media = match (media, fetched.length) {
        (Some(media), _) => media,
        (None, None) => {
            let text = "the server does not say how long the file is (Content-Length)";
            steps::fail(app, row, "no_length", text).await?;
            return Ok(Round::Over);
        }
        (None, Some(size)) => match steps::reserve(app, row, size, fetched.mark.clone()).await? {
            Ok(media) => media,
            Err(error) => return refused(app, row, error).await,
        },
    };
    store(app, row, &media, place, fetched).await
}

/// Where the body begins within the file: none, when it is not the file whose beginning is stored.
fn place(
    row: &import::Model,
    media: Option<&Media>,
    rest: Option<&Rest>,
    fetched: &Fetched,
) -> Option<u64> {
    let same_mark = row.mark.is_some() && fetched.mark == row.mark;
    match (media, fetched.part) {
        (None, None) => Some(0),
        // A part that nobody asked for.
        (None, Some(_)) => None,
        (Some(media), Some(part)) => {
            let fits = rest.is_some_and(|rest| rest.from == part.from) && part.total == media.size;
            let length = fetched
                .length
                .is_none_or(|length| length == part.total - part.from);
            // The server said with its 206 that the mark holds; if it repeats one, it must be the same.
            (fits && length && (fetched.mark.is_none() || same_mark)).then_some(part.from)
        }
        (Some(media), None) => {
            let length = fetched.length == Some(media.size);
            (length && (media.received == 0 || same_mark)).then_some(0)
        }
    }
}

async fn store(
    app: &App,
    row: &import::Model,
    media: &Media,
    place: u64,
    fetched: Fetched,
) -> Step<Round> {
    let offset = media.received;
    let failure = Arc::new(Mutex::new(None));
    let body = fetched.body.at_most(media.size.saturating_sub(place));
    let body = noting(
        skipping(body, offset.saturating_sub(place)),
        Arc::clone(&failure),
    );
    let appended = app
        .media
        .append(row.user_id, media.id, offset, None, body)
        .await;
    let media = match appended {
        Ok(appended) => appended.media,
        Err(error) => return refused(app, row, error).await,
    };
    if media.state != MediaState::Uploading {
        return ended(app, row, &media).await;
    }
    let failure = failure
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    Ok(match failure {
        Some(error) if !error.is_passing() => {
            steps::fail(app, row, error.code(), &error.to_string()).await?;
            Round::Over
        }
        _ if media.received.saturating_sub(offset) >= PROGRESS => Round::Progress,
        Some(error) => Round::Broken(error),
        // The body ended early, or this process stops.
        None => Round::Broken(FetchError::Broken),
    })
}

/// Leaves the first `skip` bytes out: they are stored already.
fn skipping(
    body: impl Stream<Item = Result<Bytes, FetchError>> + Send + Unpin,
    mut skip: u64,
) -> impl Stream<Item = Result<Bytes, FetchError>> + Send + Unpin {
    body.map(move |piece| {
        let mut piece = piece?;
        let now = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
        skip -= now as u64;
        Ok(piece.split_off(now))
    })
}

/// Keeps the error, of which the store only sees that there was one.
fn noting(
    body: impl Stream<Item = Result<Bytes, FetchError>> + Send + Unpin,
    failure: Arc<Mutex<Option<FetchError>>>,
) -> impl Stream<Item = Result<Bytes, FetchError>> + Send + Unpin {
    body.inspect(move |piece| {
        if let Err(error) = piece {
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(*error);
        }
    })
}

/// The store is through with the file.
async fn ended(app: &App, row: &import::Model, media: &Media) -> Step<Round> {
    match media.state {
        MediaState::Ready => steps::finish(app, row).await?,
        MediaState::Rejected => {
            let text = media.rejection().unwrap_or_default();
            steps::fail(app, row, "media_rejected", &text).await?;
        }
        MediaState::Uploading | MediaState::Expired | MediaState::Deleted => {
            let text = "the file was taken away while it was fetched";
            steps::fail(app, row, "media_gone", text).await?;
        }
    }
    Ok(Round::Over)
}

/// The store refuses the file, or cannot take it now.
async fn refused(app: &App, row: &import::Model, error: MediaError) -> Step<Round> {
    let code = match &error {
        MediaError::QuotaBytes { .. } | MediaError::QuotaCount { .. } => {
            uploads::no_room(app, row.user_id, &error).await;
            "quota_exceeded"
        }
        MediaError::TooLarge { .. } | MediaError::BodyTooLong { .. } => "too_large",
        MediaError::Empty => "empty",
        MediaError::NotFound | MediaError::Gone { .. } => "media_gone",
        _ => return Err(Halt::retry(error)),
    };
    steps::fail(app, row, code, &error.to_string()).await?;
    Ok(Round::Over)
}
