//! Reading a stored file by range, across its segments, in constant memory.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use clipqueue_entities::{MediaId, UserId};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStoreExt, path::Path};

use crate::media::{MediaError, MediaState, MediaStore, rows, storage::Storage};

/// How much is read from a local file at once.
const PIECE_BYTES: u64 = 256 * 1024;
/// How much is asked of a remote store at once. TikTok takes bytes as slowly as it likes, so no answer
/// is kept waiting for it: each is read whole, within the time of one request.
const REQUEST_BYTES: usize = 4 * 1024 * 1024;
/// Requests under way while the piece before them is sent on.
const REQUESTS_AHEAD: usize = 2;

/// A stored file. Clones share it; it holds no file open between reads.
#[derive(Clone, Debug)]
pub struct Reader {
    storage: Storage,
    segments: Arc<[Piece]>,
    size: u64,
}

/// One segment, where it lies in the file.
#[derive(Clone, Debug)]
struct Piece {
    range: Range<u64>,
    key: Path,
}

impl MediaStore {
    /// Opens the tenant's ready file for reading.
    pub async fn open(&self, user: UserId, id: MediaId) -> Result<Reader, MediaError> {
        let row = rows::find(self.inner.db.read(), user, id).await?;
        match row.state {
            MediaState::Ready => stored(self, id, row.size.unsigned_abs()).await,
            MediaState::Uploading => Err(MediaError::NotReady),
            state => Err(MediaError::Gone { state }),
        }
    }
}

/// Opens the first `size` stored bytes of a file, in whatever state it is.
pub(super) async fn stored(
    store: &MediaStore,
    id: MediaId,
    size: u64,
) -> Result<Reader, MediaError> {
    let rows = rows::segments(store.inner.db.write(), id).await?;
    let mut segments = Vec::with_capacity(rows.len());
    let mut at = 0;
    for row in rows {
        let end = at + row.len.unsigned_abs();
        if row.start.unsigned_abs() != at {
            return Err(gap());
        }
        segments.push(Piece {
            range: at..end,
            key: Path::from(row.key),
        });
        at = end;
    }
    if at != size {
        return Err(gap());
    }
    Ok(Reader {
        storage: store.inner.storage.clone(),
        segments: segments.into(),
        size,
    })
}

fn gap() -> MediaError {
    let error = io::Error::other("the segments do not add up to the file");
    MediaError::Storage(error.into())
}

impl Reader {
    /// Of a single object.
    pub(super) fn of_object(storage: Storage, key: String, size: u64) -> Self {
        let piece = Piece {
            range: 0..size,
            key: Path::from(key),
        };
        Self {
            storage,
            segments: [piece].into(),
            size,
        }
    }

    /// Bytes in all.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Streams exactly the bytes of `range`. A range that leaves the file is an error, and so is a
    /// segment that turns out shorter than its row says: nothing is ever silently cut.
    pub fn read_range(&self, range: Range<u64>) -> BoxStream<'static, io::Result<Bytes>> {
        if range.start > range.end || range.end > self.size {
            let error = io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("bytes {range:?} are not within {}", self.size),
            );
            return stream::once(async move { Err(error) }).boxed();
        }
        let first = self
            .segments
            .partition_point(|piece| piece.range.end <= range.start);
        let parts: Vec<(Path, Range<u64>)> = self.segments[first..]
            .iter()
            .take_while(|piece| piece.range.start < range.end)
            .map(|piece| {
                let from = range.start.max(piece.range.start) - piece.range.start;
                let to = range.end.min(piece.range.end) - piece.range.start;
                (piece.key.clone(), from..to)
            })
            .filter(|(_, part)| !part.is_empty())
            .collect();
        let storage = self.storage.clone();
        stream::iter(parts)
            .then(move |(key, part)| {
                let storage = storage.clone();
                async move { object(&storage, &key, part).await }
            })
            .try_flatten()
            .boxed()
    }
}

impl media_probe::Source for Reader {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(len);
        let mut pieces = self.read_range(range);
        while let Some(piece) = pieces.try_next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.into())
    }
}

/// Streams a part of one object.
async fn object(
    storage: &Storage,
    key: &Path,
    part: Range<u64>,
) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
    if storage.is_remote() {
        return Ok(remote(storage.clone(), key.clone(), part));
    }
    let wanted = part.end - part.start;
    let options = GetOptions {
        range: Some(GetRange::Bounded(part)),
        ..Default::default()
    };
    let found = storage.store().get_opts(key, options).await?;
    // A store cuts a range that leaves the object.
    if found.range.end - found.range.start != wanted {
        return Err(short());
    }
    Ok(match found.payload {
        GetResultPayload::File(file, _) => local(file, found.range),
        GetResultPayload::Stream(bytes) => bytes.map_err(io::Error::from).boxed(),
    })
}

/// Streams a part of an object that is behind a network, in whole pieces.
fn remote(storage: Storage, key: Path, part: Range<u64>) -> BoxStream<'static, io::Result<Bytes>> {
    let end = part.end;
    stream::iter(part.step_by(REQUEST_BYTES))
        .map(move |from| {
            let (storage, key) = (storage.clone(), key.clone());
            let piece = from..end.min(from + REQUEST_BYTES as u64);
            async move {
                let wanted = piece.end - piece.start;
                let bytes = storage.store().get_range(&key, piece).await?;
                if bytes.len() as u64 == wanted {
                    Ok(bytes)
                } else {
                    Err(short())
                }
            }
        })
        .buffered(REQUESTS_AHEAD)
        .boxed()
}

fn short() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "a stored segment is shorter than recorded",
    )
}

/// Streams a part of a local file in larger pieces than `object_store` would, and fewer threads' work.
fn local(file: std::fs::File, part: Range<u64>) -> BoxStream<'static, io::Result<Bytes>> {
    stream::try_unfold((file, part), |(mut file, part)| async move {
        if part.is_empty() {
            return Ok(None);
        }
        let len = PIECE_BYTES.min(part.end - part.start);
        let piece = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
            file.seek(SeekFrom::Start(part.start))?;
            file.read_exact(&mut bytes)?;
            Ok::<_, io::Error>((Bytes::from(bytes), (file, part.start + len..part.end)))
        })
        .await
        .map_err(io::Error::other)??;
        Ok(Some(piece))
    })
    .boxed()
}
