//! Boxes of ISO base media: a length, four letters, a body. All over slices that are already in
//! memory; reading beyond one yields nothing, never a panic.

/// Four letters that name a box, a brand or a codec.
pub(super) type FourCc = [u8; 4];

/// The boxes in a body, in order. Ends at the first header that cannot be right.
pub(super) struct Boxes<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = (FourCc, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut fields = Fields(self.0);
        let short = u64::from(fields.u32()?);
        let name = fields.four()?;
        let (header, size) = match short {
            0 => (8, self.0.len() as u64),
            1 => (16, fields.u64()?),
            size => (8, size),
        };
        let size = usize::try_from(size).ok()?;
        let body = self.0.get(header..size)?;
        self.0 = self.0.get(size..)?;
        Some((name, body))
    }
}

/// The body of the first box of that name.
pub(super) fn find<'a>(body: &'a [u8], name: &FourCc) -> Option<&'a [u8]> {
    Boxes(body)
        .find(|(found, _)| found == name)
        .map(|(_, body)| body)
}

/// Big-endian numbers, taken from the front.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*front)
    }

    pub(super) fn four(&mut self) -> Option<FourCc> {
        self.bytes()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.bytes().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.bytes().map(i32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_be_bytes)
    }

    /// A version byte and 24 bits of flags, which open many boxes.
    pub(super) fn version_flags(&mut self) -> Option<(u8, u32)> {
        let word = self.u32()?;
        Some(((word >> 24) as u8, word & 0x00FF_FFFF))
    }

    /// 64 bits in version 1 boxes, 32 bits before.
    pub(super) fn versioned(&mut self, version: u8) -> Option<u64> {
        if version == 1 {
            self.u64()
        } else {
            self.u32().map(u64::from)
        }
    }

    /// A duration, of which all ones means unknown.
    pub(super) fn duration(&mut self, version: u8) -> Option<Option<u64>> {
        let ticks = self.versioned(version)?;
        let unknown = if version == 1 {
            u64::MAX
        } else {
            u64::from(u32::MAX)
        };
        Some((ticks != unknown && ticks != 0).then_some(ticks))
    }
}
