//! One track of a movie header: what it is, how it is coded, how long, how large.

use crate::{
    AudioCodec, Rotation, VideoCodec,
    facts::printable,
    mp4::boxes::{Boxes, Fields, FourCc, find},
};

/// What a track carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Video {
        codec: VideoCodec,
        width: u32,
        height: u32,
    },
    Audio(AudioCodec),
    Other,
}

/// The facts of one track.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) id: u32,
    pub(super) kind: Kind,
    pub(super) rotation: Rotation,
    pub(super) timescale: u64,
    /// Samples in the header's own table, and the ticks that they take.
    pub(super) samples: u64,
    pub(super) ticks: u64,
    /// Ticks by the media header, when it says.
    pub(super) declared_ticks: Option<u64>,
}

/// Reads a `trak`. `None` when what every track must have is missing.
pub(super) fn read(trak: &[u8]) -> Option<Track> {
    let (id, rotation) = header(find(trak, b"tkhd")?)?;
    let mdia = find(trak, b"mdia")?;
    let (timescale, declared_ticks) = media_header(find(mdia, b"mdhd")?)?;
    let stbl = find(find(mdia, b"minf")?, b"stbl")?;
    let mut hdlr = Fields(find(mdia, b"hdlr")?);
    hdlr.skip(8)?;
    let handler = hdlr.four()?;
    let (entry_name, entry) = sample_entry(find(stbl, b"stsd")?)?;
    let kind = match &handler {
        b"vide" => visual(entry_name, entry)?,
        b"soun" => Kind::Audio(audio_codec(entry_name, entry)),
        _ => Kind::Other,
    };
    let (samples, ticks) = find(stbl, b"stts").map(time_to_sample).unwrap_or_default();
    Some(Track {
        id,
        kind,
        rotation,
        timescale,
        samples,
        ticks,
        declared_ticks,
    })
}

/// The id and the rotation out of `tkhd`.
fn header(tkhd: &[u8]) -> Option<(u32, Rotation)> {
    let mut fields = Fields(tkhd);
    let (version, _) = fields.version_flags()?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    let id = fields.u32()?;
    // Reserved, duration, reserved, layer, group, volume, reserved.
    fields.skip(4 + if version == 1 { 8 } else { 4 } + 8 + 8)?;
    let (a, b) = (fields.i32()?, fields.i32()?);
    fields.skip(4)?;
    let (c, d) = (fields.i32()?, fields.i32()?);
    // The matrix holds the cosine on its diagonal and the sine beside it.
    let rotation = match (a.signum(), b.signum(), c.signum(), d.signum()) {
        (0, 1, -1, 0) => Rotation::Quarter,
        (0, -1, 1, 0) => Rotation::ThreeQuarters,
        (-1, 0, 0, -1) => Rotation::Half,
        // A mirrored picture that lies on its side also swaps the sides.
        (0, 1, 1, 0) | (0, -1, -1, 0) => Rotation::Quarter,
        _ => Rotation::None,
    };
    Some((id, rotation))
}

/// The timescale and the duration out of `mdhd`.
pub(super) fn media_header(mdhd: &[u8]) -> Option<(u64, Option<u64>)> {
    let mut fields = Fields(mdhd);
    let (version, _) = fields.version_flags()?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    let timescale = fields.u32()?;
    Some((u64::from(timescale), fields.duration(version)?))
}

/// The first sample description.
fn sample_entry(stsd: &[u8]) -> Option<(FourCc, &[u8])> {
    // Version, flags and the number of entries; the iterator finds the entries.
    Boxes(stsd.get(8..)?).next()
}

fn visual(name: FourCc, entry: &[u8]) -> Option<Kind> {
    let mut fields = Fields(entry);
    fields.skip(24)?;
    let (width, height) = (fields.u16()?, fields.u16()?);
    let codec = match &name {
        b"avc1" | b"avc2" | b"avc3" | b"avc4" | b"dva1" | b"dvav" => VideoCodec::H264,
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => VideoCodec::H265,
        b"vp08" => VideoCodec::Vp8,
        b"vp09" => VideoCodec::Vp9,
        other => VideoCodec::Other(printable(other, 4)),
    };
    Some(Kind::Video {
        codec,
        width: u32::from(width),
        height: u32::from(height),
    })
}

fn audio_codec(name: FourCc, entry: &[u8]) -> AudioCodec {
    match &name {
        // QuickTime and MP4 use this name for everything that an `esds` describes.
        b"mp4a" => match object_type(entry) {
            None | Some(0x40 | 0x66..=0x68) => AudioCodec::Aac,
            Some(0x69 | 0x6B) => AudioCodec::Mp3,
            Some(0xDD) => AudioCodec::Vorbis,
            Some(0xAD) => AudioCodec::Opus,
            Some(other) => AudioCodec::Other(format!("mp4a.{other:02x}")),
        },
        b".mp3" | b"ms\0U" => AudioCodec::Mp3,
        b"Opus" => AudioCodec::Opus,
        other => AudioCodec::Other(printable(other, 4)),
    }
}

/// The object type out of the entry's `esds`, wherever QuickTime's versions put it.
fn object_type(entry: &[u8]) -> Option<u8> {
    let mut fields = Fields(entry);
    fields.skip(8)?;
    let body = match fields.u16()? {
        1 => entry.get(44..)?,
        2 => entry.get(64..)?,
        _ => entry.get(28..)?,
    };
    let esds = find(body, b"esds").or_else(|| find(find(body, b"wave")?, b"esds"))?;
    let mut fields = Fields(esds.get(4..)?);
    descriptor(&mut fields, 0x03)?;
    fields.skip(2)?;
    let flags = fields.u8()?;
    if flags & 0x80 != 0 {
        fields.skip(2)?;
    }
    if flags & 0x40 != 0 {
        let length = fields.u8()?;
        fields.skip(usize::from(length))?;
    }
    if flags & 0x20 != 0 {
        fields.skip(2)?;
    }
    descriptor(&mut fields, 0x04)?;
    fields.u8()
}

/// Steps over a descriptor's tag and its length of one to four bytes.
fn descriptor(fields: &mut Fields<'_>, tag: u8) -> Option<()> {
    if fields.u8()? != tag {
        return None;
    }
    for _ in 0..4 {
        if fields.u8()? & 0x80 == 0 {
            return Some(());
        }
    }
    None
}

/// Samples and ticks in `stts`. The number of entries is bounded by the bytes that are there.
fn time_to_sample(stts: &[u8]) -> (u64, u64) {
    let mut samples = 0_u64;
    let mut ticks = 0_u64;
    for entry in stts.get(8..).unwrap_or_default().chunks_exact(8) {
        let mut fields = Fields(entry);
        let (Some(count), Some(delta)) = (fields.u32(), fields.u32()) else {
            break;
        };
        samples = samples.saturating_add(u64::from(count));
        ticks = ticks.saturating_add(u64::from(count).saturating_mul(u64::from(delta)));
    }
    (samples, ticks)
}
