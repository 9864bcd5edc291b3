//! Fragmented files: the movie header is empty and the times are in many `moof` boxes.

use crate::mp4::boxes::{Boxes, Fields, find};

/// What the fragments of one track add up to.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) track_id: u32,
    pub(super) samples: u64,
    pub(super) ticks: u64,
    /// Ticks per sample unless a fragment says otherwise.
    default_duration: u32,
    first: Option<u64>,
    last: u64,
}

impl Tally {
    /// A tally for a track, with its default out of the movie header's `mvex`.
    pub(super) fn new(track_id: u32, mvex: &[u8]) -> Self {
        Self {
            track_id,
            samples: 0,
            ticks: 0,
            default_duration: Boxes(mvex)
                .filter(|(name, _)| name == b"trex")
                .find_map(|(_, trex)| default_of(trex, track_id))
                .unwrap_or(0),
            first: None,
            last: 0,
        }
    }

    /// Adds the track's part of one `moof`.
    pub(super) fn add(&mut self, moof: &[u8]) {
        for (name, traf) in Boxes(moof) {
            if name == *b"traf" {
                // A fragment that cannot be read adds nothing.
                let _ = self.add_fragment(traf);
            }
        }
    }

    fn add_fragment(&mut self, traf: &[u8]) -> Option<()> {
        let mut tfhd = Fields(find(traf, b"tfhd")?);
        let (_, flags) = tfhd.version_flags()?;
        if tfhd.u32()? != self.track_id {
            return None;
        }
        if flags & 0x01 != 0 {
            tfhd.skip(8)?;
        }
        if flags & 0x02 != 0 {
            tfhd.skip(4)?;
        }
        let default = if flags & 0x08 != 0 {
            tfhd.u32()?
        } else {
            self.default_duration
        };
        let mut ticks = 0_u64;
        let mut samples = 0_u64;
        for (_, trun) in Boxes(traf).filter(|(name, _)| name == b"trun") {
            let (count, took) = run(trun, default)?;
            samples = samples.saturating_add(count);
            ticks = ticks.saturating_add(took);
        }
        let start = find(traf, b"tfdt").and_then(|tfdt| {
            let mut fields = Fields(tfdt);
            let (version, _) = fields.version_flags()?;
            fields.versioned(version)
        });
        self.samples = self.samples.saturating_add(samples);
        self.ticks = self.ticks.saturating_add(ticks);
        let start = start.unwrap_or(self.last);
        self.first.get_or_insert(start);
        self.last = self.last.max(start.saturating_add(ticks));
        Some(())
    }

    /// From the first fragment's start to the last one's end, in ticks.
    pub(super) fn span(&self) -> Option<u64> {
        let span = self.last.saturating_sub(self.first?);
        (span > 0).then_some(span)
    }
}

/// The default duration that a `trex` gives this track.
fn default_of(trex: &[u8], track_id: u32) -> Option<u32> {
    let mut fields = Fields(trex);
    fields.version_flags()?;
    if fields.u32()? != track_id {
        return None;
    }
    fields.skip(4)?;
    fields.u32()
}

/// Samples and ticks of one `trun`.
fn run(trun: &[u8], default: u32) -> Option<(u64, u64)> {
    let mut fields = Fields(trun);
    let (_, flags) = fields.version_flags()?;
    let count = fields.u32()?;
    if flags & 0x001 != 0 {
        fields.skip(4)?;
    }
    if flags & 0x004 != 0 {
        fields.skip(4)?;
    }
    if flags & 0x100 == 0 {
        let count = u64::from(count);
        return Some((count, count.saturating_mul(u64::from(default))));
    }
    let others = [0x200, 0x400, 0x800]
        .into_iter()
        .filter(|bit| flags & bit != 0)
        .count();
    let mut ticks = 0_u64;
    // Ends when the bytes do, whatever the count claims.
    for _ in 0..count {
        ticks = ticks.saturating_add(u64::from(fields.u32()?));
        fields.skip(others * 4)?;
    }
    Some((u64::from(count), ticks))
}

/// The length out of a `sidx`: ticks and ticks per second.
pub(super) fn segment_index(sidx: &[u8]) -> Option<(u64, u64)> {
    let mut fields = Fields(sidx);
    let (version, _) = fields.version_flags()?;
    fields.skip(4)?;
    let timescale = u64::from(fields.u32()?);
    fields.skip(if version == 0 { 8 } else { 16 })?;
    fields.skip(2)?;
    let count = fields.u16()?;
    let mut ticks = 0_u64;
    for _ in 0..count {
        fields.skip(4)?;
        ticks = ticks.saturating_add(u64::from(fields.u32()?));
        fields.skip(4)?;
    }
    (ticks > 0).then_some((ticks, timescale))
}
