//! Sending the bytes of one chunk.
//!
//! The life of a chunk: its URL's host is checked against the allow-list, its bytes flow from the caller's source in
//! small pieces, of exactly the announced number, while a watchdog sees to it that something moves; then the
//! status of the answer is read. The last chunk is what makes TikTok publish, so for it
//! [`crate::Class::Ambiguous`] means that the post may exist.

use std::error::Error as StdError;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::stream::{self, BoxStream, StreamExt};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::chunks::{Chunk, ChunkPlan};
use crate::client::{Answer, Client};
use crate::config::Timeouts;
use crate::endpoint::Endpoint;
use crate::error::{Error, LogIds, Malformed, UploadRefusal};
use crate::secrets::UploadUrl;
use crate::transport::{header_log_id, network_error};

type BoxError = Box<dyn StdError + Send + Sync>;

/// Largest piece handed to the connection at once, in bytes. Small enough that a slow but living connection moves at
/// least one within the stall timeout.
const PIECE: usize = 128 * 1024;

/// Bytes of an answer's body that are worth reading to keep the connection.
const DRAIN_MAX: usize = 64 * 1024;

/// What a video file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoType {
    /// MP4.
    Mp4,
    /// QuickTime.
    QuickTime,
    /// WebM.
    WebM,
}

impl VideoType {
    /// Its media type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mp4 => "video/mp4",
            Self::QuickTime => "video/quicktime",
            Self::WebM => "video/webm",
        }
    }
}

/// The source of one chunk's bytes.
pub struct ChunkBody(BoxStream<'static, Result<Bytes, BoxError>>);

impl ChunkBody {
    /// Bytes that come in pieces of any size. They must add up to the chunk; if they do not, the upload
    /// ends in [`Error::Source`] and TikTok does not count the chunk.
    pub fn stream<S, E>(source: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self(source.map(|item| item.map_err(Into::into)).boxed())
    }

    /// Bytes that are in memory.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(stream::iter([Ok(bytes.into())]).boxed())
    }
}

/// A chunk that TikTok took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Where to go on; the size of the file after the last chunk.
    pub next_offset: u64,
    /// Whether it was the last chunk, so that TikTok has the file.
    pub complete: bool,
    /// The offset that TikTok's own progress report amounts to, if it sent one.
    pub reported_offset: Option<u64>,
}

impl Client {
    /// Sends one chunk and waits for the answer. Chunks of a task go one after the other.
    ///
    /// # Errors
    /// [`crate::Class::UploadDead`], [`crate::Class::UploadOutOfStep`], [`crate::Class::SourceFailed`],
    /// [`Error::HostNotAllowed`], and what any call can end in. 5xx and lost answers are
    /// [`crate::Class::Ambiguous`]: the status tells whether the chunk counted.
    pub async fn upload_chunk(
        &self,
        to: &UploadUrl,
        chunk: Chunk,
        video_type: VideoType,
        body: ChunkBody,
    ) -> Result<Answer<Accepted>, Error> {
        let url = to.to_url();
        if !self
            .config
            .upload_hosts
            .iter()
            .any(|rule| rule.allows(&url))
        {
            let host = match (url.host_str(), url.port()) {
                (Some(host), Some(port)) => format!("{host}:{port}"),
                (host, _) => host.unwrap_or_default().to_owned(),
            };
            return Err(Error::HostNotAllowed { host });
        }
        let (moved, progress) = watch::channel(0);
        let handed_over = progress.clone();
        let failure = Arc::new(Mutex::new(None));
        let metered = Metered {
            source: body.0,
            piece: Bytes::new(),
            taken: 0,
            length: chunk.len(),
            moved,
            failure: Arc::clone(&failure),
        };
        let request = self
            .http
            .uploads
            .put(url)
            .header(CONTENT_TYPE, video_type.as_str())
            .header(CONTENT_LENGTH, chunk.len())
            .header(CONTENT_RANGE, chunk.content_range())
            .body(reqwest::Body::wrap_stream(metered));
        let sent = watched(request, progress, chunk.len(), &self.config.timeouts).await;
        if let Some((read, source)) = failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            return Err(Error::Source { read, source });
        }
        let response = sent?;
        let whole = *handed_over.borrow() == chunk.len();
        let judged = judge(chunk, whole, response.status().as_u16(), response.headers());
        drain(response, &self.config.timeouts).await;
        judged
    }
}

/// Waits for the answer as long as bytes move, and then for the time of the answer.
async fn watched(
    request: reqwest::RequestBuilder,
    mut progress: watch::Receiver<u64>,
    length: u64,
    timeouts: &Timeouts,
) -> Result<reqwest::Response, Error> {
    let mut send = pin!(request.send());
    loop {
        let sent_bytes = *progress.borrow_and_update();
        let patience = if sent_bytes < length {
            // The connection is made before the first byte moves.
            timeouts.upload_stall.max(timeouts.connect)
        } else {
            timeouts.upload_answer
        };
        let progressed = async {
            // The sender goes with the body; then only the answer is left to wait for.
            if progress.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            answer = &mut send => return answer.map_err(|e| network_error(Endpoint::ChunkUpload, e)),
            moved = timeout(patience, progressed) => {
                if moved.is_err() {
                    return Err(Error::Stalled { sent_bytes });
                }
            }
        }
    }
}

/// Reads the answer's body away, so that the connection can carry the next chunk. The body is not documented and decides
/// nothing, so its errors do not matter either.
async fn drain(mut response: reqwest::Response, timeouts: &Timeouts) {
    let read = async {
        let mut left = DRAIN_MAX;
        while let Ok(Some(piece)) = response.chunk().await {
            let Some(rest) = left.checked_sub(piece.len()) else {
                break;
            };
            left = rest;
        }
    };
    let _ = timeout(timeouts.upload_stall, read).await;
}

/// Reads the meaning of the status. Any success means that the chunk was taken: 206 and 201 are documented, and
/// clients disagree on which comes when. A success before the chunk was sent as a `whole` is not believed.
fn judge(
    chunk: Chunk,
    whole: bool,
    http_status: u16,
    headers: &HeaderMap,
) -> Result<Answer<Accepted>, Error> {
    let logs = LogIds {
        body: None,
        header: header_log_id(headers),
    };
    let reported_offset = reported_offset(chunk.plan(), headers);
    let refusal = match http_status {
        200..=299 if !whole => {
            return Err(Error::Decode {
                endpoint: Endpoint::ChunkUpload,
                problem: Malformed::Early,
                http_status,
                logs,
            });
        }
        200..=299 => {
            return Ok(Answer {
                value: Accepted {
                    next_offset: chunk.last() + 1,
                    complete: chunk.is_last(),
                    reported_offset,
                },
                http_status,
                logs,
            });
        }
        400 => UploadRefusal::BadHeaders,
        403 => UploadRefusal::Expired,
        404 => UploadRefusal::NotFound,
        416 => UploadRefusal::RangeMismatch {
            next_offset: reported_offset,
        },
        429 => UploadRefusal::RateLimited,
        401 | 402 | 405..=407 | 409..=499 => UploadRefusal::Other,
        _ => {
            return Err(Error::Status {
                endpoint: Endpoint::ChunkUpload,
                http_status,
                logs,
            });
        }
    };
    Err(Error::Upload {
        refusal,
        http_status,
        logs,
    })
}

/// Reads `Content-Range: bytes 0-{progress}/{total}`.
fn reported_offset(plan: ChunkPlan, headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, _total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (_first, progress) = range.split_once('-')?;
    Some(plan.next_offset(progress.trim().parse().ok()?))
}

/// The source, cut into pieces, counted, and held to its length.
struct Metered {
    source: BoxStream<'static, Result<Bytes, BoxError>>,
    piece: Bytes,
    taken: u64,
    length: u64,
    moved: watch::Sender<u64>,
    failure: Arc<Mutex<Option<(u64, BoxError)>>>,
}

/// Ends the request's body early. The cause itself is kept aside, since the way through the HTTP library loses it.
#[derive(Debug, thiserror::Error)]
#[error("the source of the bytes failed")]
struct SourceEnded;

#[derive(Debug, thiserror::Error)]
enum WrongLength {
    #[error("the source ended {missing} bytes early")]
    Short { missing: u64 },
    #[error("the source has more bytes than the chunk")]
    Long,
}

impl Metered {
    fn fail(&self, source: BoxError) -> Poll<Option<Result<Bytes, SourceEnded>>> {
        let mut slot = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some((self.taken, source));
        Poll::Ready(Some(Err(SourceEnded)))
    }
}

impl Stream for Metered {
    type Item = Result<Bytes, SourceEnded>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let left = self.length - self.taken;
        while self.piece.is_empty() {
            match self.source.poll_next_unpin(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(piece))) if piece.len() as u64 > left => {
                    return self.fail(WrongLength::Long.into());
                }
                Poll::Ready(Some(Ok(piece))) => self.piece = piece,
                Poll::Ready(Some(Err(error))) => return self.fail(error),
                Poll::Ready(None) if left > 0 => {
                    return self.fail(WrongLength::Short { missing: left }.into());
                }
                Poll::Ready(None) => return Poll::Ready(None),
            }
        }
        let end = self.piece.len().min(PIECE);
        let piece = self.piece.split_to(end);
        self.taken += end as u64;
        self.moved.send_replace(self.taken);
        Poll::Ready(Some(Ok(piece)))
    }
}
