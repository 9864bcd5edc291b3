//! Pictures: JPEG and WebP, read as far as their dimensions. Nothing is decoded.

mod jpeg;
mod webp;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Source, source::Window};

/// How a picture is coded, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PhotoFormat {
    /// JPEG.
    #[serde(rename = "JPEG")]
    Jpeg,
    /// WebP.
    WebP,
}

impl PhotoFormat {
    /// The `Content-Type` that the bytes go out with.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
        }
    }

    /// The ending of a file name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
        }
    }
}

impl fmt::Display for PhotoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
        })
    }
}

/// The facts of one picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhotoFacts {
    /// How it is coded.
    pub format: PhotoFormat,
    /// Width in pixels as coded; a camera may have noted that it is to be turned.
    pub width: u32,
    /// Height in pixels as coded.
    pub height: u32,
    /// Whether it moves.
    pub animated: bool,
}

impl PhotoFacts {
    /// The shorter side, whichever way the picture is turned.
    pub fn short_side(&self) -> u32 {
        self.width.min(self.height)
    }

    /// The longer side.
    pub fn long_side(&self) -> u32 {
        self.width.max(self.height)
    }
}

/// Reads the facts of a picture whose first bytes are `head`; none when it is no picture.
pub(crate) async fn read<S: Source>(
    window: &mut Window<'_, S>,
    head: &[u8],
) -> Result<Option<PhotoFacts>, Error> {
    if head.starts_with(&[0xFF, 0xD8, 0xFF]) {
        return jpeg::read(window).await.map(Some);
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return webp::read(window).await.map(Some);
    }
    match other_picture(head) {
        Some(found) => Err(Error::NotPhoto { found }),
        None => Ok(None),
    }
}

/// Pictures that TikTok does not take.
fn other_picture(head: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| {
        head.get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    Some(match () {
        () if at(0, b"\x89PNG") => "a PNG picture",
        () if at(0, b"GIF8") => "a GIF picture",
        () if at(0, b"II*\0") || at(0, b"MM\0*") => "a TIFF picture",
        () if at(4, b"ftypheic") || at(4, b"ftypheix") || at(4, b"ftypmif1") => "a HEIC picture",
        () if at(4, b"ftypavif") || at(4, b"ftypavis") => "an AVIF picture",
        () => return None,
    })
}
