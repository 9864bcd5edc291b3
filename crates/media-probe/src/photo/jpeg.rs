//! JPEG: a row of marked segments, one of which, the start of frame, has the dimensions.

use super::{PhotoFacts, PhotoFormat};
use crate::{Error, Source, source::Window};

/// Honest files have some dozens of segments before the frame.
const MAX_SEGMENTS: usize = 4096;
/// Marker, length, precision, height, width.
const FRAME_BYTES: u64 = 9;

const END: u8 = 0xD9;
const SCAN: u8 = 0xDA;

pub(super) async fn read<S: Source>(window: &mut Window<'_, S>) -> Result<PhotoFacts, Error> {
    let mut at = 2;
    for _ in 0..MAX_SEGMENTS {
        let head = window.take(at, 2).await?;
        if head[0] != 0xFF {
            return Err(Error::Damaged("a JPEG segment has no marker"));
        }
        match head[1] {
            // A filling byte.
            0xFF => at += 1,
            // Markers without a body.
            0x01 | 0xD0..=0xD8 => at += 2,
            END | SCAN => return Err(Error::Damaged("a JPEG without a frame")),
            // Tables that share the numbers of frames.
            0xC4 | 0xC8 | 0xCC => at = skip(window, at).await?,
            0xC0..=0xCF => return frame(window, at).await,
            _ => at = skip(window, at).await?,
        }
    }
    Err(Error::TooComplex)
}

async fn skip<S: Source>(window: &mut Window<'_, S>, at: u64) -> Result<u64, Error> {
    let bytes = window.take(at + 2, 2).await?;
    let length = u64::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    if length < 2 {
        return Err(Error::Damaged("a JPEG segment without a length"));
    }
    Ok(at + 2 + length)
}

async fn frame<S: Source>(window: &mut Window<'_, S>, at: u64) -> Result<PhotoFacts, Error> {
    let bytes = window.take(at, FRAME_BYTES).await?;
    let side = |place: usize| u32::from(u16::from_be_bytes([bytes[place], bytes[place + 1]]));
    let (height, width) = (side(5), side(7));
    if width == 0 || height == 0 {
        return Err(Error::Damaged("a JPEG without dimensions"));
    }
    Ok(PhotoFacts {
        format: PhotoFormat::Jpeg,
        width,
        height,
        animated: false,
    })
}
