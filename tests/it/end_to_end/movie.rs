//! A playable video of any size: the clip, and behind it a `free` box full of a pattern.
//!
//! It is made while it is sent, so that no test holds a file of gigabytes. The pattern repeats with a
//! length that no chunk, segment or buffer has, so bytes that were lost, doubled or exchanged change
//! the hash.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{Stream, stream};
use sha2::{Digest as _, Sha256};

use crate::support::app::CLIP;

/// The length of the pattern, a prime.
const PERIOD: usize = 1_000_003;
/// A box's length and name.
const BOX_HEAD: usize = 8;

/// A video of exactly so many bytes.
#[derive(Clone)]
pub(super) struct Movie {
    head: Bytes,
    pattern: Bytes,
    size: u64,
}

impl Movie {
    pub(super) fn of(size: u64) -> Self {
        let filler = u32::try_from(size - CLIP.len() as u64).unwrap();
        assert!(filler as usize >= BOX_HEAD);
        let mut head = CLIP.to_vec();
        head.extend_from_slice(&filler.to_be_bytes());
        head.extend_from_slice(b"free");
        let mut state = 1_u32;
        let pattern: Vec<u8> = (0..PERIOD)
            .map(|_| {
                // The generator of Lehmer, by the constants of Park and Miller.
                state = u32::try_from(u64::from(state) * 48_271 % 0x7fff_ffff).unwrap();
                state.to_be_bytes()[2]
            })
            .collect();
        Self {
            head: head.into(),
            pattern: pattern.into(),
            size,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    fn pieces(&self) -> impl Iterator<Item = Bytes> + Send + use<> {
        let mut left = self.size - self.head.len() as u64;
        let pattern = self.pattern.clone();
        let filler = std::iter::from_fn(move || {
            let length = usize::try_from(left).unwrap().min(PERIOD);
            left -= length as u64;
            (length > 0).then(|| pattern.slice(..length))
        });
        std::iter::once(self.head.clone()).chain(filler)
    }

    pub(super) fn stream(&self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + use<> {
        stream::iter(self.pieces().map(Ok))
    }

    pub(super) fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for piece in self.pieces() {
            hash.update(&piece);
        }
        hex::encode(hash.finalize())
    }
}
