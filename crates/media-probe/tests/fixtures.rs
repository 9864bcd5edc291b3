//! The facts of real files, with ffprobe's answers as the expected values.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{io, ops::Range, path::Path, sync::Mutex};

use bytes::Bytes;
use futures::executor::block_on;
use media_probe::{
    AudioCodec, Container, Error, Facts, Rotation, Source, VideoCodec, probe,
    rules::{Limits, Outcome, Rule, Verdict, refused, unreadable, verdicts},
};
use proptest::prelude::*;

fn fixture(name: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/media")
        .join(name);
    std::fs::read(path).unwrap().into()
}

fn facts(name: &str) -> Facts {
    block_on(probe(&fixture(name))).unwrap()
}

fn plain(container: Container, codec: VideoCodec, width: u32, height: u32) -> Facts {
    Facts {
        container,
        video_codec: codec,
        audio_codec: None,
        duration_ms: Some(1000),
        milli_fps: Some(30_000),
        width: Some(width),
        height: Some(height),
        rotation: Rotation::None,
        header_at_front: false,
        fragmented: false,
    }
}

#[test]
fn the_demo_clip() {
    assert_eq!(
        facts("clip.mp4"),
        Facts {
            audio_codec: Some(AudioCodec::Aac),
            duration_ms: Some(3000),
            header_at_front: true,
            ..plain(Container::Mp4, VideoCodec::H264, 720, 1280)
        }
    );
}

#[test]
fn quicktime_with_the_header_behind() {
    assert_eq!(
        facts("tail_moov.mov"),
        Facts {
            audio_codec: Some(AudioCodec::Aac),
            milli_fps: Some(25_000),
            ..plain(Container::Mov, VideoCodec::H264, 360, 640)
        }
    );
}

#[test]
fn other_codecs_in_mp4() {
    assert_eq!(
        facts("h265.mp4"),
        plain(Container::Mp4, VideoCodec::H265, 360, 640)
    );
    assert_eq!(
        facts("mpeg4.mp4"),
        plain(
            Container::Mp4,
            VideoCodec::Other("mp4v".to_owned()),
            360,
            640
        )
    );
}

#[test]
fn a_turned_picture_has_its_sides_as_shown() {
    assert_eq!(
        facts("rotated.mp4"),
        Facts {
            rotation: Rotation::ThreeQuarters,
            ..plain(Container::Mp4, VideoCodec::H264, 360, 640)
        }
    );
}

#[test]
fn fragments_are_added_up() {
    let facts = facts("fragmented.mp4");
    assert!(facts.fragmented);
    assert_eq!(facts.milli_fps, Some(29_970));
    // The longer track is the sound: 2.067 s.
    let duration = facts.duration_ms.unwrap();
    assert!((2060..=2070).contains(&duration), "{duration}");
}

#[test]
fn webm_with_and_without_its_times_in_the_header() {
    assert_eq!(
        facts("vp9.webm"),
        Facts {
            audio_codec: Some(AudioCodec::Opus),
            duration_ms: Some(1008),
            milli_fps: Some(24_000),
            header_at_front: true,
            ..plain(Container::WebM, VideoCodec::Vp9, 360, 640)
        }
    );
    let live = facts("live_vp8.webm");
    assert_eq!(live.video_codec, VideoCodec::Vp8);
    let duration = live.duration_ms.unwrap();
    assert!((990..=1010).contains(&duration), "{duration}");
    assert_eq!(
        facts("h264.mkv").container,
        Container::Other("Matroska".to_owned())
    );
}

/// Takes the frame duration out of a WebM header, so that its blocks have to tell the rate.
#[test]
fn a_rate_that_only_the_blocks_know() {
    let mut bytes = fixture("live_vp8.webm").to_vec();
    let at = bytes
        .windows(4)
        .position(|window| window == [0x23, 0xE3, 0x83, 0x84])
        .unwrap();
    bytes[at + 4..at + 8].fill(0);
    let facts = block_on(probe(&Bytes::from(bytes))).unwrap();
    let rate = facts.milli_fps.unwrap();
    assert!((29_900..=30_100).contains(&rate), "{rate}");
    let duration = facts.duration_ms.unwrap();
    assert!((990..=1010).contains(&duration), "{duration}");
}

#[test]
fn content_decides_and_not_the_name() {
    let found = |bytes: &'static [u8]| match block_on(probe(&Bytes::from_static(bytes))) {
        Err(Error::NotVideo { found }) => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(found(b"\x89PNG\r\n\x1a\n and so on"), Some("a PNG picture"));
    assert_eq!(found(b"PK\x03\x04"), Some("a ZIP archive"));
    assert_eq!(found(b""), None);
    assert_eq!(found(b"hello, this is no video at all"), None);
    let avi = block_on(probe(&fixture("old.avi")));
    assert!(matches!(
        avi,
        Err(Error::NotVideo {
            found: Some("an AVI video")
        })
    ));
}

#[test]
fn a_file_that_was_cut_off_is_told_apart_from_a_damaged_one() {
    let whole = fixture("tail_moov.mov");
    let cut = block_on(probe(&whole.slice(..whole.len() / 2)));
    assert!(matches!(cut, Err(Error::CutOff)), "{cut:?}");
    let mut damaged = fixture("clip.mp4").to_vec();
    let at = damaged
        .windows(4)
        .position(|window| window == b"vide")
        .unwrap();
    damaged[at] = b'x';
    let error = block_on(probe(&Bytes::from(damaged))).unwrap_err();
    assert!(matches!(error, Error::Damaged("it has no video track")));
}

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

fn verdict(verdicts: &[Verdict], rule: Rule) -> &Verdict {
    verdicts
        .iter()
        .find(|verdict| verdict.rule == rule)
        .unwrap()
}

#[test]
fn each_rule_has_its_own_verdict() {
    let judged = |name: &str| {
        let size = fixture(name).len() as u64;
        verdicts(&facts(name), size, Limits::INBOX)
    };
    for good in ["clip.mp4", "tail_moov.mov", "vp9.webm", "h265.mp4"] {
        let verdicts = judged(good);
        assert_eq!(verdicts.len(), 7);
        assert!(
            verdicts
                .iter()
                .all(|verdict| verdict.outcome == Outcome::Pass && verdict.fix.is_none()),
            "{good}: {verdicts:?}"
        );
    }
    for (name, rule) in [
        ("fps15.mp4", Rule::FrameRate),
        ("narrow320.mp4", Rule::Width),
        ("mpeg4.mp4", Rule::VideoCodec),
        ("h264.mkv", Rule::Container),
    ] {
        let verdicts = judged(name);
        for verdict in &verdicts {
            let expected = if verdict.rule == rule {
                Outcome::Fail
            } else {
                Outcome::Pass
            };
            assert_eq!(verdict.outcome, expected, "{name}: {verdict:?}");
        }
        assert!(verdict(&verdicts, rule).fix.is_some());
        assert!(refused(&verdicts));
    }
}

#[test]
fn limits_are_exact() {
    let base = plain(Container::Mp4, VideoCodec::H264, 360, 4096);
    let outcome =
        |facts: &Facts, size, limits, rule| verdict(&verdicts(facts, size, limits), rule).outcome;
    let at = |rate| Facts {
        milli_fps: Some(rate),
        ..base.clone()
    };
    for (rate, expected) in [
        (22_499, Outcome::Fail),
        (22_500, Outcome::Warn),
        (23_000, Outcome::Pass),
        (60_000, Outcome::Pass),
        (60_500, Outcome::Warn),
        (60_501, Outcome::Fail),
    ] {
        let found = outcome(&at(rate), 1, Limits::INBOX, Rule::FrameRate);
        assert_eq!(found, expected, "{rate}");
    }
    for (size, expected) in [
        (4_000_000_000, Outcome::Pass),
        (4_000_000_001, Outcome::Fail),
    ] {
        assert_eq!(outcome(&base, size, Limits::INBOX, Rule::Size), expected);
    }
    let long = |millis| Facts {
        duration_ms: Some(millis),
        ..base.clone()
    };
    for (millis, limits, expected) in [
        (600_000, Limits::INBOX, Outcome::Pass),
        (600_001, Limits::INBOX, Outcome::Fail),
        (180_000, Limits::for_creator(180), Outcome::Pass),
        (180_001, Limits::for_creator(180), Outcome::Fail),
    ] {
        assert_eq!(outcome(&long(millis), 1, limits, Rule::Duration), expected);
    }
    for (pixels, expected) in [
        (359, Outcome::Fail),
        (360, Outcome::Pass),
        (4096, Outcome::Pass),
        (4097, Outcome::Fail),
    ] {
        let facts = Facts {
            height: Some(pixels),
            ..base.clone()
        };
        assert_eq!(
            outcome(&facts, 1, Limits::INBOX, Rule::Height),
            expected,
            "{pixels}"
        );
    }
    let silent = Facts {
        duration_ms: None,
        milli_fps: None,
        width: None,
        ..base
    };
    let verdicts = verdicts(&silent, 1, Limits::INBOX);
    for rule in [Rule::Duration, Rule::FrameRate, Rule::Width] {
        assert_eq!(verdict(&verdicts, rule).outcome, Outcome::Unknown);
    }
    assert!(!refused(&verdicts));
}

#[test]
fn an_unreadable_file_fails_by_its_container() {
    let verdicts = unreadable(&Error::NotVideo { found: None }, 10, Limits::INBOX);
    assert_eq!(verdicts.len(), 7);
    assert!(refused(&verdicts));
    assert_eq!(verdict(&verdicts, Rule::Container).outcome, Outcome::Fail);
}

#[test]
fn facts_and_verdicts_survive_json() {
    let facts = facts("mpeg4.mp4");
    let json = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), facts);
    let verdicts = verdicts(&facts, 1, Limits::INBOX);
    let json = serde_json::to_string(&verdicts).unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<Verdict>>(&json).unwrap(),
        verdicts
    );
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
