//! A body as it comes: counted, and not waited for without end.

use std::time::Duration;

use bytes::Bytes;
use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use reqwest::Response;
use tokio::time::{Instant, timeout, timeout_at};

use super::{FetchError, Patience};

/// The piece of a large body that has its own time.
const STRETCH: u64 = 1024 * 1024;

/// The bytes of an answer.
pub struct Body {
    pieces: BoxStream<'static, Result<Bytes, FetchError>>,
    whole: Duration,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Body")
    }
}

impl Body {
    pub(super) fn new(response: Response, patience: Patience) -> Self {
        Self {
            pieces: paced(response.bytes_stream(), patience).boxed(),
            whole: patience.body,
        }
    }

    /// The pieces, at most `most` bytes of them; more are an error.
    pub fn at_most(
        self,
        most: u64,
    ) -> impl Stream<Item = Result<Bytes, FetchError>> + Send + Unpin + 'static {
        let mut left = most;
        self.pieces
            .map(move |piece| {
                let piece = piece?;
                match left.checked_sub(piece.len() as u64) {
                    Some(rest) => {
                        left = rest;
                        Ok(piece)
                    }
                    None => Err(FetchError::TooLarge(most)),
                }
            })
            .boxed()
    }

    /// All of it, within a limit of time for the whole.
    pub(super) async fn read_small(self, most: usize) -> Result<Vec<u8>, FetchError> {
        let whole = self.whole;
        let mut pieces = self.at_most(most as u64);
        let reading = async {
            let mut bytes = Vec::new();
            while let Some(piece) = pieces.next().await {
                bytes.extend_from_slice(&piece?);
            }
            Ok(bytes)
        };
        match timeout(whole, reading).await {
            Ok(read) => read,
            Err(_) => Err(FetchError::TooSlow),
        }
    }
}

/// Ends with an error when nothing comes for too long, or when a mebibyte takes too long.
fn paced(
    body: impl Stream<Item = reqwest::Result<Bytes>> + Send + Unpin + 'static,
    patience: Patience,
) -> impl Stream<Item = Result<Bytes, FetchError>> + Send + 'static {
    struct Pace<S> {
        body: S,
        until: Instant,
        stretch: u64,
    }
    let start = Pace {
        body,
        until: Instant::now() + patience.body,
        stretch: 0,
    };
    stream::try_unfold(start, move |mut pace| async move {
        let silent = Instant::now() + patience.silence;
        let next = timeout_at(silent.min(pace.until), pace.body.next()).await;
        let Some(piece) = next.map_err(|_| FetchError::TooSlow)? else {
            return Ok(None);
        };
        let piece = piece.map_err(|error| FetchError::of_client(&error))?;
        pace.stretch += piece.len() as u64;
        if pace.stretch >= STRETCH {
            pace.stretch = 0;
            pace.until = Instant::now() + patience.body;
        }
        Ok(Some((piece, pace)))
    })
}
