//! Photos: real files of each form, and files that lie.

use bytes::Bytes;
use futures::executor::block_on;
use media_probe::{
    Error, Found, Kind, PhotoFacts, PhotoFormat, look, photo_rules,
    rules::{Outcome, Rule, refused},
};
use proptest::prelude::*;

use super::fixture;

fn photo(bytes: &Bytes) -> PhotoFacts {
    match block_on(look(bytes)) {
        Ok(Found::Photo(facts)) => facts,
        other => panic!("{other:?}"),
    }
}

/// A JPEG of nothing but headers, with `segments` before the frame.
fn jpeg(width: u16, height: u16, segments: &[&[u8]]) -> Bytes {
    let mut bytes = vec![0xFF, 0xD8];
    for body in segments {
        bytes.extend_from_slice(&[0xFF, 0xE1]);
        bytes.extend_from_slice(&u16::try_from(body.len() + 2).unwrap().to_be_bytes());
        bytes.extend_from_slice(body);
    }
    bytes.extend_from_slice(&[0xFF, 0xFF, 0xC2, 0, 11, 8]);
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&[1, 1, 0x11, 0, 0xFF, 0xD9]);
    bytes.into()
}

fn outcomes(facts: &PhotoFacts, size: u64) -> Vec<(Rule, Outcome)> {
    photo_rules::verdicts(facts, size)
        .into_iter()
        .map(|verdict| (verdict.rule, verdict.outcome))
        .filter(|(_, outcome)| *outcome != Outcome::Pass)
        .collect()
}

#[test]
fn every_form_tells_its_dimensions() {
    for (name, format, width, height, animated) in [
        ("photo.jpg", PhotoFormat::Jpeg, 540, 720, false),
        ("photo.webp", PhotoFormat::WebP, 720, 540, false),
        ("lossless.webp", PhotoFormat::WebP, 64, 48, false),
        ("alpha.webp", PhotoFormat::WebP, 320, 400, false),
        ("moving.webp", PhotoFormat::WebP, 32, 40, true),
    ] {
        let facts = photo(&fixture(name));
        let expected = PhotoFacts {
            format,
            width,
            height,
            animated,
        };
        assert_eq!(facts, expected, "{name}");
        assert!(!refused(&photo_rules::verdicts(&facts, 1_000)), "{name}");
    }
    // A thumbnail in a camera's notes has a frame of its own, which is not the picture's.
    let thumbnail = jpeg(160, 120, &[]);
    let facts = photo(&jpeg(941, 1672, &[&thumbnail, &[0; 60_000], b"x"]));
    assert_eq!((facts.width, facts.height), (941, 1672));
}

#[test]
fn each_rule_has_its_own_verdict() {
    let of = |width, height| photo(&jpeg(width, height, &[]));
    assert_eq!(outcomes(&of(1080, 1920), 20_000_000), []);
    assert_eq!(outcomes(&of(1920, 1080), 1), []);
    assert_eq!(
        outcomes(&of(1086, 1448), 1),
        [(Rule::PhotoShortSide, Outcome::Fail)]
    );
    assert_eq!(
        outcomes(&of(1080, 2400), 1),
        [(Rule::PhotoLongSide, Outcome::Warn)]
    );
    assert_eq!(
        outcomes(&of(1, 1), 20_000_001),
        [(Rule::PhotoSize, Outcome::Fail)]
    );
    assert_eq!(
        outcomes(&photo(&fixture("moving.webp")), 1),
        [(Rule::PhotoFormat, Outcome::Warn)]
    );
}

#[test]
fn other_pictures_are_named_and_videos_stay_videos() {
    match block_on(look(&fixture("picture.png"))) {
        Err((Kind::Photo, error @ Error::NotPhoto { found })) => {
            assert_eq!(found, "a PNG picture");
            let verdicts = photo_rules::unreadable(&error, 10);
            assert!(refused(&verdicts));
            assert_eq!(verdicts.len(), 4);
        }
        other => panic!("{other:?}"),
    }
    for (head, name) in [
        (&b"GIF89a and more"[..], "a GIF picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC picture"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "an AVIF picture"),
    ] {
        match block_on(look(&Bytes::from_static(head))) {
            Err((Kind::Photo, Error::NotPhoto { found })) => assert_eq!(found, name),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        block_on(look(&fixture("clip.mp4"))),
        Ok(Found::Video(_))
    ));
    assert!(matches!(
        block_on(look(&fixture("old.avi"))),
        Err((Kind::Video, Error::NotVideo { .. }))
    ));
}

#[test]
fn files_that_lie_are_refused() {
    let whole = fixture("photo.jpg");
    assert!(matches!(
        block_on(look(&whole.slice(..64))),
        Err((Kind::Photo, Error::CutOff))
    ));
    assert!(matches!(
        block_on(look(&fixture("photo.webp").slice(..1_000))),
        Err((Kind::Photo, Error::CutOff))
    ));
    for bytes in [
        &[0xFF, 0xD8, 0xFF, 0xD9][..],
        &[0xFF, 0xD8, 0xFF, 0xE0, 0, 0, 0, 0],
        &jpeg(0, 10, &[]),
    ] {
        let bytes = Bytes::copy_from_slice(bytes);
        assert!(matches!(
            block_on(look(&bytes)),
            Err((Kind::Photo, Error::Damaged(_)))
        ));
    }
    // Headers without end.
    let empty: &[u8] = &[];
    let endless = vec![empty; 5_000];
    assert!(matches!(
        block_on(look(&jpeg(1, 1, &endless))),
        Err((Kind::Photo, Error::TooComplex))
    ));
}

proptest! {
    /// Whatever the bytes say, the answer is an answer.
    #[test]
    fn nothing_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), webp in any::<bool>()) {
        let head: &[u8] = if webp { b"RIFF\x10\0\0\0WEBPVP8X" } else { &[0xFF, 0xD8, 0xFF] };
        let mut whole = head.to_vec();
        whole.append(&mut bytes);
        drop(block_on(look(&Bytes::from(whole))));
    }
}
