//! What was found out about a file, and how it stands to TikTok's rules.

use async_graphql::{Enum, SimpleObject};
use media_probe::{
    Facts,
    rules::{Outcome, Rule, Verdict},
};

use crate::graphql::scalars::BigInt;

/// What a file's container says. What it does not say is null.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct MediaFacts {
    /// The kind of file, such as `MP4`.
    container: String,
    /// How the pictures are coded, such as `H.264`.
    video_codec: String,
    /// How the sound is coded, such as `AAC`; null when there is none.
    audio_codec: Option<String>,
    /// The length in milliseconds.
    duration_ms: Option<BigInt>,
    /// Average frames per second.
    frame_rate: Option<f64>,
    /// The width in pixels as shown.
    width: Option<i32>,
    /// The height in pixels as shown.
    height: Option<i32>,
    /// How far a player turns the coded picture, in degrees clockwise.
    rotation: i32,
}

impl From<Facts> for MediaFacts {
    fn from(facts: Facts) -> Self {
        let pixels = |side: Option<u32>| side.and_then(|side| i32::try_from(side).ok());
        Self {
            frame_rate: facts.frame_rate(),
            container: facts.container.to_string(),
            video_codec: facts.video_codec.to_string(),
            audio_codec: facts.audio_codec.map(|codec| codec.to_string()),
            duration_ms: facts.duration_ms.map(BigInt::from),
            width: pixels(facts.width),
            height: pixels(facts.height),
            rotation: u16::from(facts.rotation).into(),
        }
    }
}

/// A rule of TikTok's for videos and photos. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Rule")]
pub(crate) enum MediaRule {
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

/// What a photo's headers say.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PhotoFacts {
    /// How it is coded: `JPEG` or `WebP`.
    format: String,
    /// The width in pixels as coded.
    width: i32,
    /// The height in pixels as coded.
    height: i32,
    /// Whether it moves.
    animated: bool,
}

impl From<media_probe::PhotoFacts> for PhotoFacts {
    fn from(facts: media_probe::PhotoFacts) -> Self {
        let pixels = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
        Self {
            format: facts.format.to_string(),
            width: pixels(facts.width),
            height: pixels(facts.height),
            animated: facts.animated,
        }
    }
}

/// How a file stands to a rule. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Outcome")]
pub(crate) enum MediaOutcome {
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
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct MediaVerdict {
    /// The rule.
    rule: MediaRule,
    /// How the file stands to it.
    outcome: MediaOutcome,
    /// What the file has, for people.
    measured: Option<String>,
    /// What TikTok allows, for people.
    allowed: String,
    /// What to do about it; null when nothing needs doing.
    fix: Option<String>,
}

impl From<Verdict> for MediaVerdict {
    fn from(verdict: Verdict) -> Self {
        Self {
            rule: verdict.rule.into(),
            outcome: verdict.outcome.into(),
            measured: verdict.measured,
            allowed: verdict.allowed,
            fix: verdict.fix,
        }
    }
}
