//! The facts of real files.

use bytes::Bytes;
use futures::executor::block_on;
use media_probe::{AudioCodec, Container, Error, Facts, Rotation, VideoCodec, probe};

use super::{facts, fixture, plain};

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
