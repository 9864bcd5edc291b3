//! What a video or a photo is, read from its container with bounded memory, and what TikTok would say to it.
//!
//! [`look`] looks at the content, never at a name: MP4 and QuickTime by their boxes, WebM by its
//! EBML elements, JPEG by its segments, WebP by its chunks. It asks a [`Source`] for small ranges, so a file of gigabytes in object storage is
//! judged from its headers alone. [`rules`] turns the [`Facts`] into one verdict per TikTok rule.
//!
//! The files are hostile. Both readers are written over bounds-checked slices without recursion;
//! every length is checked against what is there before anything is allocated, and the number of
//! bytes and boxes that one probe may look at is limited. The crate decodes no picture and no sound,
//! knows no database, no network and no clock.

mod error;
mod facts;
mod mp4;
mod photo;
pub mod photo_rules;
pub mod rules;
mod source;
mod webm;

pub use error::Error;
pub use facts::{AudioCodec, Container, Facts, Rotation, VideoCodec};
pub use photo::{PhotoFacts, PhotoFormat};
pub use source::Source;

use source::Window;

/// The bytes that tell the known containers apart.
const SNIFF_BYTES: u64 = 16;
/// Every EBML file, WebM among them, begins with this id.
const EBML_MAGIC: [u8; 4] = [0x1A, 0x45, 0xDF, 0xA3];

/// What a file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A video.
    Video(Facts),
    /// A photo.
    Photo(PhotoFacts),
}

/// What a file that could not be read was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A video, or nothing that is known.
    Video,
    /// A picture.
    Photo,
}

/// Reads the facts of the video or photo behind `source`; with an error comes what it was taken for.
pub async fn look<S: Source>(source: &S) -> Result<Found, (Kind, Error)> {
    let mut window = Window::new(source);
    let head = window.take(0, SNIFF_BYTES.min(source.size())).await;
    let head = head.map_err(|error| (Kind::Video, error))?.to_vec();
    match photo::read(&mut window, &head).await {
        Ok(Some(facts)) => Ok(Found::Photo(facts)),
        Ok(None) => match probe(source).await {
            Ok(facts) => Ok(Found::Video(facts)),
            Err(error) => Err((Kind::Video, error)),
        },
        Err(error) => Err((Kind::Photo, error)),
    }
}

/// Reads the facts of the video behind `source`.
///
/// Reads 256 MiB at the very most, and holds no more than the header that the file describes itself
/// with (at most 32 MiB).
pub async fn probe<S: Source>(source: &S) -> Result<Facts, Error> {
    let mut window = Window::new(source);
    let head = window
        .take(0, SNIFF_BYTES.min(source.size()))
        .await?
        .to_vec();
    if head.starts_with(&EBML_MAGIC) {
        webm::read(&mut window).await
    } else if mp4::looks_like(&head) {
        mp4::read(&mut window).await
    } else {
        Err(Error::NotVideo {
            found: other_type(&head),
        })
    }
}

/// Names what people upload by mistake, for a better sentence.
fn other_type(head: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| {
        head.get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    Some(match () {
        () if at(0, b"RIFF") && at(8, b"AVI ") => "an AVI video",
        () if at(0, b"RIFF") && at(8, b"WEBP") => "a WebP picture",
        () if at(0, b"FLV") => "a Flash video",
        () if at(0, &[0x00, 0x00, 0x01, 0xBA]) => "an MPEG program stream",
        () if at(0, &[0x30, 0x26, 0xB2, 0x75]) => "a Windows Media file",
        () if at(0, b"OggS") => "an Ogg file",
        () if at(0, &[0xFF, 0xD8, 0xFF]) => "a JPEG picture",
        () if at(0, b"\x89PNG") => "a PNG picture",
        () if at(0, b"GIF8") => "a GIF picture",
        () if at(0, b"%PDF") => "a PDF document",
        () if at(0, b"PK\x03\x04") => "a ZIP archive",
        () if at(0, b"ID3") => "an MP3 file",
        () if at(0, b"#EXTM3U") => "a playlist",
        () if at(0, b"<!DOCTYPE") || at(0, b"<html") => "a web page",
        () if at(0, &[0x47]) => "an MPEG transport stream",
        () => return None,
    })
}
