//! TikTok's rules for a photo, one verdict each. TikTok says "1080p" and not of which side; the
//! numbers here are what was seen to pass and to fail.

use crate::{
    Error, PhotoFacts,
    rules::{Outcome, Rule, Verdict, judged, unknown},
};

/// The largest file: "20 MB" in the smaller reading.
pub const MAX_PHOTO_SIZE: u64 = 20_000_000;
/// The shorter side, at most: pictures above it were refused.
const MAX_SHORT_SIDE: u32 = 1080;
/// The longer side up to which "1080p" is met in every reading.
const SAFE_LONG_SIDE: u32 = 1920;

const FORMATS: &str = "JPEG or WebP";
const SHORT_SIDE: &str = "at most 1080 pixels on the shorter side";
const LONG_SIDE: &str = "1920 pixels on the longer side are safe";
const SIZE: &str = "at most 20,000,000 bytes";

/// Applies every rule to a photo of `size` bytes.
pub fn verdicts(facts: &PhotoFacts, size: u64) -> Vec<Verdict> {
    vec![
        format(facts),
        short_side(facts),
        long_side(facts),
        bytes(size),
    ]
}

/// The verdicts on a picture whose facts could not be read because of what it is.
pub fn unreadable(error: &Error, size: u64) -> Vec<Verdict> {
    let fix = match error {
        Error::CutOff => "Upload the whole file; what arrived is only its beginning.",
        _ => "Export the picture as a JPEG and upload that.",
    };
    vec![
        judged(Rule::PhotoFormat, false, error.to_string(), FORMATS, fix),
        unknown(Rule::PhotoShortSide, SHORT_SIDE.to_owned()),
        unknown(Rule::PhotoLongSide, LONG_SIDE.to_owned()),
        bytes(size),
    ]
}

fn format(facts: &PhotoFacts) -> Verdict {
    let mut verdict = judged(
        Rule::PhotoFormat,
        true,
        facts.format.to_string(),
        FORMATS,
        "",
    );
    if facts.animated {
        verdict.outcome = Outcome::Warn;
        verdict.measured = Some(format!("an animated {}", facts.format));
        verdict.fix = Some("TikTok may refuse it; export a single picture.".to_owned());
    }
    verdict
}

fn short_side(facts: &PhotoFacts) -> Verdict {
    judged(
        Rule::PhotoShortSide,
        facts.short_side() <= MAX_SHORT_SIDE,
        format!("{} pixels", facts.short_side()),
        SHORT_SIDE,
        "Export the picture smaller: its shorter side may have 1080 pixels.",
    )
}

fn long_side(facts: &PhotoFacts) -> Verdict {
    let mut verdict = judged(
        Rule::PhotoLongSide,
        true,
        format!("{} pixels", facts.long_side()),
        LONG_SIDE,
        "",
    );
    if facts.long_side() > SAFE_LONG_SIDE {
        verdict.outcome = Outcome::Warn;
        verdict.fix =
            Some("TikTok may refuse it; export it with at most 1920 pixels a side.".to_owned());
    }
    verdict
}

fn bytes(size: u64) -> Verdict {
    judged(
        Rule::PhotoSize,
        size <= MAX_PHOTO_SIZE,
        format!("{size} bytes"),
        SIZE,
        "Export the picture with a lower quality.",
    )
}
