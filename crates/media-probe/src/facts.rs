//! What a probe found out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of file, by its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Container {
    /// ISO base media with an MP4 brand.
    Mp4,
    /// QuickTime.
    Mov,
    /// The WebM subset of Matroska.
    WebM,
    /// A relative that TikTok does not list, by name.
    Other(String),
}

impl Container {
    /// The `Content-Type` that the bytes go out with.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Mp4 => "video/mp4",
            Self::Mov => "video/quicktime",
            Self::WebM => "video/webm",
            Self::Other(_) => "application/octet-stream",
        }
    }
}

/// How the pictures are coded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum VideoCodec {
    /// AVC.
    H264,
    /// HEVC.
    H265,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// Anything else, by the container's name for it.
    Other(String),
}

/// How the sound is coded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum AudioCodec {
    /// AAC.
    Aac,
    /// Opus.
    Opus,
    /// Vorbis.
    Vorbis,
    /// MP3.
    Mp3,
    /// Anything else, by the container's name for it.
    Other(String),
}

macro_rules! named {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $name,)+
                    Self::Other(name) => name,
                })
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }

        impl From<String> for $type {
            fn from(name: String) -> Self {
                match name.as_str() {
                    $($name => Self::$variant,)+
                    _ => Self::Other(name),
                }
            }
        }
    };
}

named!(Container { Mp4 = "MP4", Mov = "MOV", WebM = "WebM" });
named!(VideoCodec { H264 = "H.264", H265 = "H.265", Vp8 = "VP8", Vp9 = "VP9" });
named!(AudioCodec { Aac = "AAC", Opus = "Opus", Vorbis = "Vorbis", Mp3 = "MP3" });

/// How far a player turns the coded picture, clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub enum Rotation {
    /// As coded.
    #[default]
    None,
    /// A quarter.
    Quarter,
    /// Upside down.
    Half,
    /// Three quarters.
    ThreeQuarters,
}

impl Rotation {
    pub(crate) fn swaps_sides(self) -> bool {
        matches!(self, Self::Quarter | Self::ThreeQuarters)
    }
}

impl From<Rotation> for u16 {
    fn from(rotation: Rotation) -> Self {
        match rotation {
            Rotation::None => 0,
            Rotation::Quarter => 90,
            Rotation::Half => 180,
            Rotation::ThreeQuarters => 270,
        }
    }
}

impl TryFrom<u16> for Rotation {
    type Error = &'static str;

    fn try_from(degrees: u16) -> Result<Self, Self::Error> {
        match degrees {
            0 => Ok(Self::None),
            90 => Ok(Self::Quarter),
            180 => Ok(Self::Half),
            270 => Ok(Self::ThreeQuarters),
            _ => Err("a rotation is 0, 90, 180 or 270 degrees"),
        }
    }
}

/// The facts of one file. What the container does not say is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The kind of file.
    pub container: Container,
    /// The first video track's codec.
    pub video_codec: VideoCodec,
    /// The first audio track's codec; `None` when there is no sound.
    pub audio_codec: Option<AudioCodec>,
    /// Length in milliseconds.
    pub duration_ms: Option<u64>,
    /// Average frame rate in thousandths of a frame per second.
    pub milli_fps: Option<u32>,
    /// Width in pixels as shown, rotation applied.
    pub width: Option<u32>,
    /// Height in pixels as shown, rotation applied.
    pub height: Option<u32>,
    /// How far a player turns the picture.
    pub rotation: Rotation,
    /// Whether a player can start before it has the whole file.
    pub header_at_front: bool,
    /// Whether the file is a row of fragments, as cameras and browsers stream it.
    pub fragmented: bool,
}

impl Facts {
    /// Whether there is a sound track.
    pub fn has_audio(&self) -> bool {
        self.audio_codec.is_some()
    }

    /// Average frames per second.
    pub fn frame_rate(&self) -> Option<f64> {
        self.milli_fps.map(|milli| f64::from(milli) / 1000.0)
    }
}

/// Thousandths of a frame per second from a count and the time that it took.
pub(crate) fn milli_fps(frames: u64, ticks: u64, ticks_per_second: u64) -> Option<u32> {
    if frames == 0 || ticks == 0 || ticks_per_second == 0 {
        return None;
    }
    let (frames, ticks) = (u128::from(frames), u128::from(ticks));
    let rate = (frames * u128::from(ticks_per_second) * 1000 + ticks / 2) / ticks;
    Some(u32::try_from(rate).unwrap_or(u32::MAX))
}

/// Milliseconds from ticks, rounded.
pub(crate) fn millis(ticks: u64, ticks_per_second: u64) -> Option<u64> {
    if ticks_per_second == 0 {
        return None;
    }
    let per_second = u128::from(ticks_per_second);
    let millis = (u128::from(ticks) * 1000 + per_second / 2) / per_second;
    u64::try_from(millis).ok()
}

/// A name out of a hostile file, fit for a sentence: printable ASCII, at most `max` characters.
pub(crate) fn printable(bytes: &[u8], max: usize) -> String {
    bytes
        .iter()
        .take(max)
        .map(|&byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => '?',
        })
        .collect::<String>()
        .trim()
        .to_owned()
}
