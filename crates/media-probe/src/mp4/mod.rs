//! MP4 and QuickTime: a walk over the top-level boxes that fetches `ftyp`, `moov` and, in fragmented
//! files, the small `moof` headers. The media data itself is stepped over.

mod boxes;
mod fragment;
mod track;

use bytes::Bytes;

use crate::{
    Container, Error, Facts, Source,
    facts::{milli_fps, millis, printable},
    source::Window,
};
use boxes::{Boxes, Fields, FourCc, find};
use fragment::Tally;
use track::{Kind, Track};

/// The largest movie header that is read.
const MAX_MOOV: u64 = 32 * 1024 * 1024;
/// The largest fragment header or index that is read.
const MAX_SMALL: u64 = 1024 * 1024;
/// Top-level boxes that one walk may pass: ten minutes in fragments of a tenth of a second.
const MAX_BOXES: u32 = 20_000;
/// Brands that a file needs to list to be MP4, by their beginning.
const MP4_BRANDS: [&[u8]; 8] = [
    b"iso", b"mp4", b"avc1", b"M4V", b"MSNV", b"dash", b"msdh", b"f4v",
];

/// Whether the first bytes are a box that opens an MP4 or QuickTime file.
pub(crate) fn looks_like(head: &[u8]) -> bool {
    head.get(4..8).is_some_and(|name| {
        matches!(
            name,
            b"ftyp" | b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot"
        )
    })
}

/// What the walk over the top level gathers.
#[derive(Default)]
struct Layout {
    brands: Option<Bytes>,
    moov: Option<Bytes>,
    data_before_moov: bool,
    has_data: bool,
    index: Option<(u64, u64)>,
    tallies: Vec<(u64, Tally)>,
    stopped_early: bool,
}

pub(crate) async fn read<S: Source>(window: &mut Window<'_, S>) -> Result<Facts, Error> {
    let mut layout = Layout::default();
    let mut at = 0;
    let mut passed = 0;
    while at < window.size() {
        passed += 1;
        let step = if passed > MAX_BOXES {
            Err(Error::TooComplex)
        } else {
            layout.step(window, at).await
        };
        match step {
            Ok(end) => at = end,
            // Padding after a complete file is common and harmless.
            Err(Error::Damaged(_)) if layout.complete() => break,
            // The headers are known; only the sum of the fragments is not.
            Err(Error::TooComplex) if layout.complete() => {
                layout.stopped_early = true;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    layout.facts()
}

/// One top-level box.
struct Found {
    name: FourCc,
    body: u64,
    end: u64,
}

async fn top_level<S: Source>(window: &mut Window<'_, S>, at: u64) -> Result<Found, Error> {
    const BAD: Error = Error::Damaged("a box has an impossible length");
    let left = window.size() - at;
    if left < 8 {
        return Err(BAD);
    }
    let head = window.take(at, left.min(16)).await?;
    let mut fields = Fields(&head);
    let short = fields.u32().ok_or(BAD)?;
    let name = fields.four().ok_or(BAD)?;
    if !name
        .iter()
        .all(|byte| (b' '..=b'~').contains(byte) || *byte == 0xA9)
    {
        return Err(Error::Damaged("a box has an impossible name"));
    }
    let (header, size) = match short {
        0 => (8, left),
        1 => (16, fields.u64().ok_or(BAD)?),
        size => (8, u64::from(size)),
    };
    if size < header {
        return Err(BAD);
    }
    if size > left {
        return Err(Error::CutOff);
    }
    Ok(Found {
        name,
        body: at + header,
        end: at + size,
    })
}

impl Layout {
    fn complete(&self) -> bool {
        self.moov.is_some() && self.has_data
    }

    /// Looks at the box at `at` and says where it ends.
    async fn step<S: Source>(&mut self, window: &mut Window<'_, S>, at: u64) -> Result<u64, Error> {
        let found = top_level(window, at).await?;
        let len = found.end - found.body;
        match &found.name {
            b"ftyp" if self.brands.is_none() && len <= MAX_SMALL => {
                self.brands = Some(window.take(found.body, len).await?);
            }
            b"moov" if self.moov.is_none() => {
                if len > MAX_MOOV {
                    return Err(Error::TooComplex);
                }
                let moov = window.take(found.body, len).await?;
                if let Some(mvex) = find(&moov, b"mvex") {
                    self.tallies = tracks(&moov)
                        .map(|track| (track.timescale, Tally::new(track.id, mvex)))
                        .collect();
                }
                self.data_before_moov = self.has_data;
                self.moov = Some(moov);
            }
            b"moof" if !self.tallies.is_empty() && len <= MAX_SMALL => {
                let moof = window.take(found.body, len).await?;
                for (_, tally) in &mut self.tallies {
                    tally.add(&moof);
                }
            }
            b"sidx" if self.index.is_none() && len <= MAX_SMALL => {
                let sidx = window.take(found.body, len).await?;
                self.index = fragment::segment_index(&sidx);
            }
            b"mdat" => self.has_data |= len > 0,
            _ => {}
        }
        Ok(found.end)
    }

    fn facts(self) -> Result<Facts, Error> {
        let moov = self
            .moov
            .as_deref()
            .ok_or(Error::Damaged("it has no movie header"))?;
        if find(moov, b"cmov").is_some() {
            return Err(Error::Damaged("its movie header is compressed"));
        }
        let tracks: Vec<Track> = tracks(moov).collect();
        let (video, codec, width, height) = tracks
            .iter()
            .find_map(|track| match &track.kind {
                Kind::Video {
                    codec,
                    width,
                    height,
                } => Some((track, codec.clone(), *width, *height)),
                _ => None,
            })
            .ok_or(Error::Damaged("it has no video track"))?;
        if !self.has_data {
            return Err(Error::Damaged("it has headers but no pictures"));
        }
        let audio_codec = tracks.iter().find_map(|track| match &track.kind {
            Kind::Audio(codec) => Some(codec.clone()),
            _ => None,
        });
        let fragmented = !self.tallies.is_empty();
        let tally = self
            .tallies
            .iter()
            .map(|(_, tally)| tally)
            .find(|tally| tally.track_id == video.id && tally.samples > 0);
        let (frames, ticks) = tally.map_or((video.samples, video.ticks), |tally| {
            (tally.samples, tally.ticks)
        });
        let (width, height) = if video.rotation.swaps_sides() {
            (height, width)
        } else {
            (width, height)
        };
        Ok(Facts {
            container: container(self.brands.as_deref()),
            video_codec: codec,
            audio_codec,
            duration_ms: self.duration(moov, &tracks),
            milli_fps: milli_fps(frames, ticks, video.timescale),
            width: (width > 0).then_some(width),
            height: (height > 0).then_some(height),
            rotation: video.rotation,
            header_at_front: !self.data_before_moov,
            fragmented,
        })
    }

    /// What the fragments add up to, else what the headers declare.
    fn duration(&self, moov: &[u8], tracks: &[Track]) -> Option<u64> {
        let fragments = self
            .tallies
            .iter()
            .filter(|_| !self.stopped_early)
            .filter_map(|(timescale, tally)| millis(tally.span()?, *timescale))
            .max();
        let movie = find(moov, b"mvhd").and_then(track::media_header);
        let movie_scale = movie.map(|(timescale, _)| timescale);
        fragments
            .or_else(|| {
                self.index
                    .and_then(|(ticks, timescale)| millis(ticks, timescale))
            })
            .or_else(|| {
                let mehd = find(find(moov, b"mvex")?, b"mehd")?;
                let mut fields = Fields(mehd);
                let (version, _) = fields.version_flags()?;
                millis(fields.duration(version)??, movie_scale?)
            })
            .or_else(|| {
                let (timescale, ticks) = movie?;
                millis(ticks?, timescale)
            })
            .or_else(|| {
                tracks
                    .iter()
                    .filter_map(|track| {
                        let ticks = track.declared_ticks.unwrap_or(track.ticks);
                        millis(ticks, track.timescale).filter(|millis| *millis > 0)
                    })
                    .max()
            })
    }
}

fn tracks(moov: &[u8]) -> impl Iterator<Item = Track> {
    Boxes(moov)
        .filter(|(name, _)| name == b"trak")
        .filter_map(|(_, trak)| track::read(trak))
}

/// The container that the brands name. Without any it is QuickTime from before brands.
fn container(brands: Option<&[u8]>) -> Container {
    let Some(ftyp) = brands else {
        return Container::Mov;
    };
    let major = ftyp.get(..4).unwrap_or_default();
    if major == b"qt  " {
        return Container::Mov;
    }
    let compatible = ftyp.get(8..).unwrap_or_default().chunks_exact(4);
    // Phones write 3GPP as the major brand of what is MP4 otherwise.
    if std::iter::once(major)
        .chain(compatible)
        .any(|brand| MP4_BRANDS.iter().any(|known| brand.starts_with(known)))
    {
        Container::Mp4
    } else {
        Container::Other(printable(major, 4))
    }
}
