//! Hashing while bytes pass: the file's SHA-256, whose state can be saved, and the checksum of one
//! append.

use sha1::Sha1;
use sha2::{
    Digest, Sha256,
    digest::common::hazmat::{SerializableState, SerializedState},
};

/// The SHA-256 of a file so far. Its saved form belongs to one minor version of the `sha2` crate:
/// after an upgrade that changes it, [`RunningHash::restore`] says so and the stored bytes are hashed
/// again.
#[derive(Clone, Debug, Default)]
pub(super) struct RunningHash(Sha256);

impl RunningHash {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn save(&self) -> Vec<u8> {
        let mut saved = vec![FORMAT];
        saved.extend_from_slice(&self.0.serialize());
        saved
    }

    pub(super) fn restore(saved: &[u8]) -> Option<Self> {
        let (format, state) = saved.split_first()?;
        if *format != FORMAT {
            return None;
        }
        let state = SerializedState::<Sha256>::try_from(state).ok()?;
        Sha256::deserialize(&state).ok().map(Self)
    }

    pub(super) fn hex(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// Marks states of sha2 0.11. Another minor version needs another mark.
const FORMAT: u8 = 11;

/// The algorithms of the tus checksum extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumAlgorithm {
    /// SHA-1, which tus requires.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// The checksum that the bytes of one append must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// How it was made.
    pub algorithm: ChecksumAlgorithm,
    /// What it is.
    pub digest: Vec<u8>,
}

/// A checksum being made.
pub(super) enum Summing {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Summing {
    pub(super) fn new(algorithm: ChecksumAlgorithm) -> Self {
        match algorithm {
            ChecksumAlgorithm::Sha1 => Self::Sha1(Sha1::new()),
            ChecksumAlgorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha1(hash) => hash.finalize().to_vec(),
            Self::Sha256(hash) => hash.finalize().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_hash_goes_on_where_it_stood() {
        let mut whole = RunningHash::default();
        whole.update(b"hello, world");
        for cut in 0..=12 {
            let mut front = RunningHash::default();
            front.update(&b"hello, world"[..cut]);
            let mut rest = RunningHash::restore(&front.save()).expect("just saved");
            rest.update(&b"hello, world"[cut..]);
            assert_eq!(rest.hex(), whole.clone().hex());
        }
    }

    #[test]
    fn a_state_of_another_version_is_told() {
        let mut saved = RunningHash::default().save();
        saved[0] = FORMAT + 1;
        assert!(RunningHash::restore(&saved).is_none());
        assert!(RunningHash::restore(&[]).is_none());
        assert!(RunningHash::restore(&[FORMAT, 1, 2]).is_none());
    }
}
