//! Appending: a stream of bytes becomes segments, rows and a running hash.
//!
//! While one segment is made durable the next one already fills, so the disk's flush does not stop
//! the network; at most one segment is behind. With a checksum nothing is recorded before the whole
//! body has proved right.

use bytes::Bytes;
use clipqueue_entities::{MediaId, UserId, media};
use futures::{Stream, StreamExt};
use tokio::task::JoinHandle;

use crate::media::{
    Checksum, Media, MediaError, MediaState, MediaStore, StorageError,
    hash::{RunningHash, Summing},
    lock::Guard,
    reader, rows,
    segment::{ClosedSegment, OpenSegment},
};

/// Why an append ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The body ended as it should.
    Whole,
    /// The connection broke; what arrived is stored.
    Broken,
    /// The connection fell silent; what arrived is stored.
    Idle,
    /// Another connection took over, or the process stops; what arrived is stored.
    Stopped,
}

/// What an append did.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The file after it.
    pub media: Media,
    /// Why it ended.
    pub end: End,
}

impl MediaStore {
    /// Appends `body` at `offset`. A broken, silent or superseded body is no error: what arrived is
    /// kept, unless it had a checksum to prove.
    pub async fn append<E>(
        &self,
        user: UserId,
        id: MediaId,
        offset: u64,
        checksum: Option<Checksum>,
        body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> Result<Appended, MediaError> {
        // Before the lock, so that a stranger cannot disturb an upload.
        rows::find(self.inner.db.read(), user, id).await?;
        if self.inner.locks.is_draining() {
            return Err(MediaError::Stopping);
        }
        let guard = self.inner.locks.acquire(id).await.ok_or(MediaError::Busy)?;
        let row = rows::find(self.inner.db.write(), user, id).await?;
        let received = row.received.unsigned_abs();
        match row.state {
            MediaState::Uploading if received == offset => {}
            MediaState::Uploading | MediaState::Ready if received != offset => {
                return Err(MediaError::OffsetConflict { expected: received });
            }
            MediaState::Uploading | MediaState::Ready => return Err(MediaError::Complete),
            state => return Err(MediaError::Gone { state }),
        }
        if row
            .expires_at
            .is_some_and(|at| at <= self.inner.clock.now())
        {
            return Err(MediaError::Gone {
                state: MediaState::Expired,
            });
        }
        let hash = self.running_hash(&row).await?;
        let intake = Intake {
            store: self,
            size: row.size.unsigned_abs(),
            row,
            guard: &guard,
            hash,
            open: None,
            behind: None,
            hold: checksum.is_some(),
            proving: checksum.as_ref().map(|sum| Summing::new(sum.algorithm)),
            unproved: Vec::new(),
            recorded: received,
            arrived: received,
        };
        let end = intake.run(body, checksum).await?;
        let row = rows::find(self.inner.db.write(), user, id).await?;
        let media = if row.state == MediaState::Uploading && row.received == row.size {
            self.finish(row, &guard).await?
        } else {
            row.try_into()?
        };
        Ok(Appended { media, end })
    }

    /// The hash behind the stored bytes: from its saved state or, when that cannot be used, by
    /// reading them.
    pub(super) async fn running_hash(&self, row: &media::Model) -> Result<RunningHash, MediaError> {
        if let Some(hash) = row.hash_state.as_deref().and_then(RunningHash::restore) {
            return Ok(hash);
        }
        let stored = reader::stored(self, row.id, row.received.unsigned_abs()).await?;
        let mut hash = RunningHash::default();
        let mut bytes = stored.read_range(0..stored.size());
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(|error| MediaError::Storage(error.into()))?;
            hash.update(&piece);
        }
        Ok(hash)
    }
}

/// One append on its way.
struct Intake<'a> {
    store: &'a MediaStore,
    row: media::Model,
    size: u64,
    guard: &'a Guard,
    hash: RunningHash,
    open: Option<OpenSegment>,
    /// The segment that is being made durable.
    behind: Option<JoinHandle<Result<ClosedSegment, StorageError>>>,
    proving: Option<Summing>,
    /// Whether segments wait in `unproved` until the whole body is known to be right.
    hold: bool,
    unproved: Vec<ClosedSegment>,
    recorded: u64,
    arrived: u64,
}

impl Intake<'_> {
    async fn run<E>(
        mut self,
        mut body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
        checksum: Option<Checksum>,
    ) -> Result<End, MediaError> {
        let end = loop {
            let idle = self
                .store
                .inner
                .clock
                .sleep(self.store.settings().idle_timeout);
            let piece = tokio::select! {
                biased;
                () = self.guard.stopped() => break End::Stopped,
                piece = body.next() => piece,
                () = idle => break End::Idle,
            };
            match piece {
                Some(Ok(bytes)) => {
                    self.guard.touch();
                    if let Err(error) = self.take(&bytes).await {
                        self.give_up().await;
                        return Err(error);
                    }
                }
                Some(Err(_)) => break End::Broken,
                None => break End::Whole,
            }
        };
        self.guard.closing();
        drop(body);
        if let Some(checksum) = checksum {
            let right = end == End::Whole
                && self
                    .proving
                    .take()
                    .is_some_and(|sum| sum.finish() == checksum.digest);
            if !right {
                self.give_up().await;
                return match end {
                    End::Whole => Err(MediaError::ChecksumMismatch),
                    _ => Ok(end),
                };
            }
        }
        self.close_open().await?;
        self.catch_up().await?;
        let proved = std::mem::take(&mut self.unproved);
        self.record(proved).await?;
        Ok(end)
    }

    /// Takes in one piece of the body, cutting it where segments end.
    async fn take(&mut self, mut bytes: &[u8]) -> Result<(), MediaError> {
        let room = self.size - self.arrived;
        if bytes.len() as u64 > room {
            return Err(MediaError::BodyTooLong { room });
        }
        let segment_bytes = self.store.settings().segment_bytes;
        while !bytes.is_empty() {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => {
                    self.store.check_disk(0)?;
                    OpenSegment::new(&self.store.inner.storage, self.row.id, self.arrived).await?
                }
            };
            let room = usize::try_from(segment_bytes - open.len()).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(bytes.len().min(room));
            let written = open.write(now).await;
            let full = open.len() >= segment_bytes;
            self.open = Some(open);
            written?;
            self.hash.update(now);
            if let Some(proving) = &mut self.proving {
                proving.update(now);
            }
            self.arrived += now.len() as u64;
            bytes = later;
            if full {
                self.close_open().await?;
            }
        }
        Ok(())
    }

    /// Starts to make the open segment durable, after the one before it is recorded.
    async fn close_open(&mut self) -> Result<(), MediaError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        self.catch_up().await?;
        self.behind = Some(tokio::spawn(open.close(self.hash.clone())));
        Ok(())
    }

    /// Waits for the segment that is being made durable, and records it unless it has to prove right.
    async fn catch_up(&mut self) -> Result<(), MediaError> {
        let Some(behind) = self.behind.take() else {
            return Ok(());
        };
        let closed = behind
            .await
            .map_err(|error| MediaError::Storage(std::io::Error::other(error).into()))??;
        if self.hold {
            self.unproved.push(closed);
            Ok(())
        } else {
            self.record(vec![closed]).await
        }
    }

    async fn record(&mut self, closed: Vec<ClosedSegment>) -> Result<(), MediaError> {
        let Some(last) = closed.last() else {
            return Ok(());
        };
        let hash_state = last.hash_state.clone();
        let segments: Vec<_> = closed.into_iter().map(|segment| segment.row).collect();
        let added: i64 = segments.iter().map(|segment| segment.len).sum();
        let now = self.store.inner.clock.now();
        let tx = self.store.inner.db.begin().await?;
        let moved = rows::advance(
            &tx,
            self.row.user_id,
            self.row.id,
            rows::Progress {
                from: self.recorded,
                segments: &segments,
                hash_state,
                now,
                expires_at: now + self.store.settings().upload_ttl,
            },
        )
        .await?;
        if !moved {
            drop(tx);
            let row =
                rows::find(self.store.inner.db.write(), self.row.user_id, self.row.id).await?;
            return Err(match row.state {
                MediaState::Uploading | MediaState::Ready => MediaError::OffsetConflict {
                    expected: row.received.unsigned_abs(),
                },
                state => MediaError::Gone { state },
            });
        }
        tx.commit().await?;
        self.recorded += added.unsigned_abs();
        Ok(())
    }

    /// Throws away what is not recorded. Objects that stay behind are removed with the file's strays.
    async fn give_up(&mut self) {
        if let Some(open) = self.open.take() {
            open.discard().await;
        }
        if let Some(behind) = self.behind.take()
            && let Ok(Ok(closed)) = behind.await
        {
            self.unproved.push(closed);
        }
        for closed in self.unproved.drain(..) {
            self.store.inner.storage.remove(&closed.row.key).await;
        }
    }
}
