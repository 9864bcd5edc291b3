//! Files that are huge, claim to be, or are damaged on purpose: bounded memory, and always an answer.

use std::{io, ops::Range, sync::Mutex};

use bytes::Bytes;
use futures::executor::block_on;
use media_probe::{Error, Source, probe};
use proptest::prelude::*;

use super::fixture;

/// A real header around media data of gigabytes that exist only as a length.
struct Sparse {
    front: Bytes,
    hole: u64,
    back: Bytes,
    read: Mutex<u64>,
}

impl Source for Sparse {
    fn size(&self) -> u64 {
        self.front.len() as u64 + self.hole + self.back.len() as u64
    }

    async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        *self.read.lock().unwrap() += range.end - range.start;
        let back_at = self.front.len() as u64 + self.hole;
        Ok(range
            .map(|at| {
                if at < self.front.len() as u64 {
                    self.front[at as usize]
                } else if at >= back_at {
                    self.back[(at - back_at) as usize]
                } else {
                    0
                }
            })
            .collect::<Vec<u8>>()
            .into())
    }
}

#[test]
fn gigabytes_of_pictures_are_stepped_over() {
    let whole = fixture("tail_moov.mov");
    let moov = whole
        .windows(4)
        .position(|window| window == b"moov")
        .unwrap()
        - 4;
    let ftyp = u32::from_be_bytes(whole[..4].try_into().unwrap()) as usize;
    let data: u64 = 3_500_000_000;
    let mut front = whole[..ftyp].to_vec();
    front.extend_from_slice(&1_u32.to_be_bytes());
    front.extend_from_slice(b"mdat");
    front.extend_from_slice(&(data + 16).to_be_bytes());
    let sparse = Sparse {
        front: front.into(),
        hole: data,
        back: whole.slice(moov..),
        read: Mutex::new(0),
    };
    let facts = block_on(probe(&sparse)).unwrap();
    assert_eq!(facts.width, Some(360));
    let read = *sparse.read.lock().unwrap();
    assert!(read < 256 * 1024, "read {read} bytes");
}

#[test]
fn a_header_that_claims_to_be_huge_is_refused_before_it_is_read() {
    let mut front = b"\0\0\0\x10ftypisom\0\0\0\0".to_vec();
    front.extend_from_slice(&1_u32.to_be_bytes());
    front.extend_from_slice(b"moov");
    front.extend_from_slice(&2_000_000_016_u64.to_be_bytes());
    let sparse = Sparse {
        front: front.into(),
        hole: 2_000_000_000,
        back: Bytes::new(),
        read: Mutex::new(0),
    };
    assert!(matches!(block_on(probe(&sparse)), Err(Error::TooComplex)));
    assert!(*sparse.read.lock().unwrap() < 256 * 1024);
}

const ALL: [&str; 10] = [
    "clip.mp4",
    "fps15.mp4",
    "fragmented.mp4",
    "h264.mkv",
    "h265.mp4",
    "live_vp8.webm",
    "old.avi",
    "rotated.mp4",
    "tail_moov.mov",
    "vp9.webm",
];

const BEGINNINGS: [&[u8]; 4] = [
    b"\0\0\0\x10ftypisom\0\0\0\0",
    b"\0\0\0\x08moov",
    b"\0\0\0\0moov",
    &[0x1A, 0x45, 0xDF, 0xA3, 0x80, 0x18, 0x53, 0x80, 0x67, 0xFF],
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is done to a file, the probe answers: facts or an error, never a panic or a hang.
    #[test]
    fn hostile_files_get_an_answer(
        name in prop::sample::select(&ALL[..]),
        keep in 0.0..=1.0_f64,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 1..9_usize), 0..24),
        in_header in any::<bool>(),
    ) {
        let mut bytes = fixture(name).to_vec();
        if keep < 0.5 {
            bytes.truncate((bytes.len() as f64 * keep * 2.0) as usize);
        }
        // Most damage to media data is invisible: aim half of the time at the headers in front or behind.
        let len = bytes.len();
        for (at, value, run) in edits {
            if len == 0 {
                break;
            }
            let at = if in_header {
                let edge = at.index(len.min(2048));
                if value & 1 == 0 { edge } else { len - 1 - edge }
            } else {
                at.index(len)
            };
            let end = (at + run).min(len);
            bytes[at..end].fill(value);
        }
        let _ = block_on(probe(&Bytes::from(bytes)));
    }

    /// So do bytes that only begin like a video.
    #[test]
    fn noise_behind_a_good_beginning(
        start in prop::sample::select(&BEGINNINGS[..]),
        noise in prop::collection::vec(any::<u8>(), 0..512),
    ) {
        let mut bytes = start.to_vec();
        bytes.extend(noise);
        let _ = block_on(probe(&Bytes::from(bytes)));
    }
}
