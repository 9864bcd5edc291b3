//! EBML elements: an id, a length, a body. Over slices and over the window; never beyond either.

use crate::{Error, Source, source::Window};

/// The longest element header: an id of four bytes and a length of eight.
const MAX_HEADER: u64 = 12;

/// An element's header. `size` is `None` when the writer streamed and did not know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) id: u32,
    pub(super) len: u64,
    pub(super) size: Option<u64>,
}

/// Reads the header at the front of `bytes`.
pub(super) fn header(bytes: &[u8]) -> Option<Header> {
    let first = *bytes.first()?;
    let id_len = first.leading_zeros() as usize + 1;
    if id_len > 4 {
        return None;
    }
    let id = unsigned(bytes.get(..id_len)?)?;
    let rest = bytes.get(id_len..)?;
    let (size, size_len) = length(rest)?;
    Some(Header {
        id: u32::try_from(id).ok()?,
        len: (id_len + size_len) as u64,
        size,
    })
}

/// A variable-length number and how many bytes it took; all ones means unknown.
pub(super) fn length(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let first = *bytes.first()?;
    let len = first.leading_zeros() as usize + 1;
    if len > 8 {
        return None;
    }
    let raw = unsigned(bytes.get(..len)?)?;
    let mask = (1_u64 << (7 * len)) - 1;
    let value = raw & mask;
    Some(((value != mask).then_some(value), len))
}

/// The header of the element at `at` in the file.
pub(super) async fn header_at<S: Source>(
    window: &mut Window<'_, S>,
    at: u64,
) -> Result<Header, Error> {
    let left = window.size().saturating_sub(at);
    let head = window.take(at, left.min(MAX_HEADER)).await?;
    header(&head).ok_or(Error::Damaged("an element has an impossible header"))
}

/// The elements in a body, in order. Ends at the first header that cannot be right.
pub(super) struct Elements<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let header = header(self.0)?;
        let start = usize::try_from(header.len).ok()?;
        let end = start.checked_add(usize::try_from(header.size?).ok()?)?;
        let body = self.0.get(start..end)?;
        self.0 = self.0.get(end..)?;
        Some((header.id, body))
    }
}

/// The body of the first element of that id.
pub(super) fn find(body: &[u8], id: u32) -> Option<&[u8]> {
    Elements(body)
        .find(|(found, _)| *found == id)
        .map(|(_, body)| body)
}

/// A big-endian number of up to eight bytes.
pub(super) fn unsigned(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| {
        bytes
            .iter()
            .fold(0, |value, byte| (value << 8) | u64::from(*byte))
    })
}

/// A float of four or eight bytes.
pub(super) fn float(bytes: &[u8]) -> Option<f64> {
    match bytes.len() {
        4 => Some(f64::from(f32::from_be_bytes(bytes.try_into().ok()?))),
        8 => Some(f64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}
