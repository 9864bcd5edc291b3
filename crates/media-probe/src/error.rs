//! Why a file's facts could not be read.

use std::io;

/// What stopped a probe. All but [`Error::Read`] are properties of the file: trying again with the
/// same bytes gives the same answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source failed; the file may be fine.
    #[error("the stored file could not be read")]
    Read(#[from] io::Error),
    /// The content is no container that holds video for TikTok.
    #[error("the file is {}, not an MP4, MOV or WebM video", found.unwrap_or("of an unknown type"))]
    NotVideo {
        /// What it is instead, when it is something well known.
        found: Option<&'static str>,
    },
    /// The content is a picture of a kind that TikTok does not take.
    #[error("the file is {found}, not a JPEG or WebP picture")]
    NotPhoto {
        /// What it is.
        found: &'static str,
    },
    /// The file ends before its own headers say that it does.
    #[error("the file is cut off: its headers describe more bytes than it has")]
    CutOff,
    /// The container contradicts itself.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
    /// The headers are larger or more numerous than any honest file's.
    #[error("the file's headers are too large to read")]
    TooComplex,
}
