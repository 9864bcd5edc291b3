//! Random access to the bytes of a file, and the window through which a probe looks at them.

use std::{future::Future, io, ops::Range};

use bytes::Bytes;

use crate::Error;

/// How much is fetched when a few bytes are asked for: one request then serves many headers.
const READ_AHEAD: u64 = 64 * 1024;
/// All that one probe may read. Headers of honest ten-minute files stay far below.
pub(crate) const MAX_BYTES_READ: u64 = 256 * 1024 * 1024;

/// A file that can be read at any offset.
pub trait Source: Sync {
    /// Bytes in all.
    fn size(&self) -> u64;

    /// Reads exactly `range`, which lies within the file.
    fn read(&self, range: Range<u64>) -> impl Future<Output = io::Result<Bytes>> + Send;
}

impl Source for Bytes {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let outside = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let start = usize::try_from(range.start).map_err(|_| outside())?;
        let end = usize::try_from(range.end).map_err(|_| outside())?;
        if start > end || end > self.len() {
            return Err(outside());
        }
        Ok(self.slice(start..end))
    }
}

/// The last piece that was fetched, and what may still be fetched.
pub(crate) struct Window<'s, S> {
    source: &'s S,
    held: Bytes,
    held_at: u64,
    budget: u64,
}

impl<'s, S: Source> Window<'s, S> {
    pub(crate) fn new(source: &'s S) -> Self {
        Self {
            source,
            held: Bytes::new(),
            held_at: 0,
            budget: MAX_BYTES_READ,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.source.size()
    }

    /// Exactly `len` bytes at `offset`; the caller has capped `len`.
    pub(crate) async fn take(&mut self, offset: u64, len: u64) -> Result<Bytes, Error> {
        let end = offset.checked_add(len).ok_or(Error::CutOff)?;
        if end > self.size() {
            return Err(Error::CutOff);
        }
        let held_end = self.held_at + self.held.len() as u64;
        if offset < self.held_at || end > held_end {
            let fetch = offset..end.max((offset + READ_AHEAD).min(self.size()));
            let wanted = fetch.end - fetch.start;
            self.budget = self.budget.checked_sub(wanted).ok_or(Error::TooComplex)?;
            self.held = self.source.read(fetch).await?;
            self.held_at = offset;
            if self.held.len() as u64 != wanted {
                return Err(Error::Read(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        let from = usize::try_from(offset - self.held_at).map_err(|_| Error::TooComplex)?;
        let len = usize::try_from(len).map_err(|_| Error::TooComplex)?;
        Ok(self.held.slice(from..from + len))
    }
}
