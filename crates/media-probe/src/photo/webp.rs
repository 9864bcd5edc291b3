//! WebP: a RIFF file whose first chunk has the dimensions, in one of three forms.

use super::{PhotoFacts, PhotoFormat};
use crate::{Error, Source, source::Window};

/// The RIFF header, the first chunk's header, and as much of the chunk as has the dimensions.
const HEAD_BYTES: u64 = 30;
/// The flag of the extended form that says that the picture moves.
const ANIMATED: u8 = 0x02;

pub(super) async fn read<S: Source>(window: &mut Window<'_, S>) -> Result<PhotoFacts, Error> {
    let head = window.take(0, HEAD_BYTES).await?;
    let declared = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    if u64::from(declared) + 8 > window.size() {
        return Err(Error::CutOff);
    }
    let short = |at: usize| u32::from(u16::from_le_bytes([head[at], head[at + 1]]));
    let triple = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], 0]);
    let (width, height, animated) = match &head[12..16] {
        b"VP8 " if head[23..26] == [0x9D, 0x01, 0x2A] => {
            (short(26) & 0x3FFF, short(28) & 0x3FFF, false)
        }
        b"VP8L" if head[20] == 0x2F => {
            let bits = u32::from_le_bytes([head[21], head[22], head[23], head[24]]);
            ((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1, false)
        }
        b"VP8X" => (triple(24) + 1, triple(27) + 1, head[20] & ANIMATED != 0),
        _ => return Err(Error::Damaged("a WebP without a picture")),
    };
    if width == 0 || height == 0 {
        return Err(Error::Damaged("a WebP without dimensions"));
    }
    Ok(PhotoFacts {
        format: PhotoFormat::WebP,
        width,
        height,
        animated,
    })
}
