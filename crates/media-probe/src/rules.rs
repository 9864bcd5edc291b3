//! TikTok's rules for a video, one verdict each. Source of the numbers: the "Media Transfer Guide" of
//! TikTok's Content Posting API, and `creator_info` for the length that one creator may post.

use serde::{Deserialize, Serialize};

use crate::{Container, Error, Facts, VideoCodec};

/// The largest file. TikTok says "4 GB" and not which; this is the smaller reading.
pub const MAX_SIZE: u64 = 4_000_000_000;
/// The longest video that the inbox endpoint takes.
pub const MAX_INBOX_SECS: u64 = 600;
/// The lowest frame rate, in thousandths.
const MIN_MILLI_FPS: u32 = 23_000;
/// The highest frame rate, in thousandths.
const MAX_MILLI_FPS: u32 = 60_000;
/// Phones drop and double frames, so that the average of "60 fps" strays. Within this distance of a
/// limit TikTok decides.
const MILLI_FPS_GRACE: u32 = 500;
/// The smallest side in pixels.
const MIN_SIDE: u32 = 360;
/// The largest side in pixels.
const MAX_SIDE: u32 = 4096;

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// MP4, MOV or WebM.
    Container,
    /// H.264, H.265, VP8 or VP9.
    VideoCodec,
    /// 23 to 60 frames per second.
    FrameRate,
    /// 360 to 4096 pixels.
    Width,
    /// 360 to 4096 pixels.
    Height,
    /// At most 4 GB.
    Size,
    /// At most ten minutes, or what the creator may post.
    Duration,
    /// JPEG or WebP.
    PhotoFormat,
    /// At most 1080 pixels on a photo's shorter side.
    PhotoShortSide,
    /// More than 1920 pixels on a photo's longer side are a risk.
    PhotoLongSide,
    /// At most 20 MB for a photo.
    PhotoSize,
}

/// How a file stands to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Allowed.
    Pass,
    /// So close to a limit that only TikTok knows.
    Warn,
    /// Refused.
    Fail,
    /// The file does not say; TikTok will find out.
    Unknown,
}

/// One rule applied to one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The rule.
    pub rule: Rule,
    /// How the file stands to it.
    pub outcome: Outcome,
    /// What the file has, for people.
    pub measured: Option<String>,
    /// What TikTok allows, for people.
    pub allowed: String,
    /// What to do about it; absent when nothing needs doing.
    pub fix: Option<String>,
}

/// The limits that are not the same for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest video, in seconds.
    pub max_duration_secs: u64,
}

impl Limits {
    /// What holds for inbox drafts, and before a creator is known.
    pub const INBOX: Self = Self {
        max_duration_secs: MAX_INBOX_SECS,
    };

    /// What holds for one creator's direct posts: `max_video_post_duration_sec` of creator info.
    pub fn for_creator(max_video_post_duration_sec: u64) -> Self {
        Self {
            max_duration_secs: max_video_post_duration_sec,
        }
    }
}

/// Applies every rule to a file of `size` bytes.
pub fn verdicts(facts: &Facts, size: u64, limits: Limits) -> Vec<Verdict> {
    vec![
        container(&facts.container),
        video_codec(&facts.video_codec),
        frame_rate(facts.milli_fps),
        side(Rule::Width, facts.width),
        side(Rule::Height, facts.height),
        file_size(size),
        duration(facts.duration_ms, limits),
    ]
}

/// The verdicts on a file whose facts could not be read because of what the file is.
pub fn unreadable(error: &Error, size: u64, limits: Limits) -> Vec<Verdict> {
    let fix = match error {
        Error::CutOff => "Upload the whole file; what arrived is only its beginning.",
        _ => "Export the video as an MP4 with H.264 pictures and upload that.",
    };
    vec![
        Verdict {
            rule: Rule::Container,
            outcome: Outcome::Fail,
            measured: Some(error.to_string()),
            allowed: CONTAINERS.to_owned(),
            fix: Some(fix.to_owned()),
        },
        unknown(Rule::VideoCodec, CODECS.to_owned()),
        unknown(Rule::FrameRate, FRAME_RATES.to_owned()),
        unknown(Rule::Width, SIDES.to_owned()),
        unknown(Rule::Height, SIDES.to_owned()),
        file_size(size),
        unknown(Rule::Duration, at_most(limits)),
    ]
}

/// Whether TikTok would refuse the file.
pub fn refused(verdicts: &[Verdict]) -> bool {
    verdicts
        .iter()
        .any(|verdict| verdict.outcome == Outcome::Fail)
}

const CONTAINERS: &str = "MP4, MOV or WebM";
const CODECS: &str = "H.264, H.265, VP8 or VP9";
const FRAME_RATES: &str = "23 to 60 frames per second";
const SIDES: &str = "360 to 4096 pixels";

pub(crate) fn unknown(rule: Rule, allowed: String) -> Verdict {
    Verdict {
        rule,
        outcome: Outcome::Unknown,
        measured: None,
        allowed,
        fix: None,
    }
}

pub(crate) fn judged(
    rule: Rule,
    pass: bool,
    measured: String,
    allowed: &str,
    fix: &str,
) -> Verdict {
    Verdict {
        rule,
        outcome: if pass { Outcome::Pass } else { Outcome::Fail },
        measured: Some(measured),
        allowed: allowed.to_owned(),
        fix: (!pass).then(|| fix.to_owned()),
    }
}

fn container(container: &Container) -> Verdict {
    judged(
        Rule::Container,
        !matches!(container, Container::Other(_)),
        container.to_string(),
        CONTAINERS,
        "Export the video as MP4.",
    )
}

fn video_codec(codec: &VideoCodec) -> Verdict {
    judged(
        Rule::VideoCodec,
        !matches!(codec, VideoCodec::Other(_)),
        codec.to_string(),
        CODECS,
        "Export the video with H.264.",
    )
}

fn frame_rate(milli_fps: Option<u32>) -> Verdict {
    let Some(rate) = milli_fps else {
        return unknown(Rule::FrameRate, FRAME_RATES.to_owned());
    };
    let outcome = match rate {
        MIN_MILLI_FPS..=MAX_MILLI_FPS => Outcome::Pass,
        _ if rate.saturating_add(MILLI_FPS_GRACE) >= MIN_MILLI_FPS
            && rate <= MAX_MILLI_FPS + MILLI_FPS_GRACE =>
        {
            Outcome::Warn
        }
        _ => Outcome::Fail,
    };
    let fix = match outcome {
        Outcome::Pass | Outcome::Unknown => None,
        Outcome::Warn => Some("TikTok may refuse it; export the video at 30 frames per second."),
        Outcome::Fail => Some("Export the video at 30 frames per second."),
    };
    Verdict {
        rule: Rule::FrameRate,
        outcome,
        measured: Some(format!("{} frames per second", f64::from(rate) / 1000.0)),
        allowed: FRAME_RATES.to_owned(),
        fix: fix.map(str::to_owned),
    }
}

fn side(rule: Rule, pixels: Option<u32>) -> Verdict {
    match pixels {
        None => unknown(rule, SIDES.to_owned()),
        Some(pixels) => judged(
            rule,
            (MIN_SIDE..=MAX_SIDE).contains(&pixels),
            format!("{pixels} pixels"),
            SIDES,
            if pixels < MIN_SIDE {
                "Export the video larger: both sides need at least 360 pixels."
            } else {
                "Export the video smaller: neither side may exceed 4096 pixels."
            },
        ),
    }
}

fn file_size(size: u64) -> Verdict {
    judged(
        Rule::Size,
        size <= MAX_SIZE,
        format!("{size} bytes"),
        "at most 4,000,000,000 bytes",
        "Export the video with a lower bit rate.",
    )
}

fn at_most(limits: Limits) -> String {
    format!("at most {} seconds", limits.max_duration_secs)
}

fn duration(millis: Option<u64>, limits: Limits) -> Verdict {
    match millis {
        None => unknown(Rule::Duration, at_most(limits)),
        Some(millis) => judged(
            Rule::Duration,
            millis <= limits.max_duration_secs.saturating_mul(1000),
            format!("{}.{:03} seconds", millis / 1000, millis % 1000),
            &at_most(limits),
            "Cut the video shorter.",
        ),
    }
}
