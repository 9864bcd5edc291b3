//! WebM: the EBML header, then `Info` and `Tracks`. A recording that a browser streamed has neither a
//! duration nor a frame rate there; then the headers of its blocks are walked, within limits.

mod ebml;

use crate::{
    AudioCodec, Container, Error, Facts, Rotation, Source, VideoCodec,
    facts::{milli_fps, printable},
    source::Window,
};
use ebml::{Elements, find, float, header_at, length, unsigned};

/// The largest `Info` or `Tracks` that is read.
const MAX_MASTER: u64 = 4 * 1024 * 1024;
/// Elements that one walk may pass: ten minutes of pictures and sound.
const MAX_ELEMENTS: u32 = 100_000;
/// Pictures that are enough to tell the frame rate.
const ENOUGH_FRAMES: u64 = 240;
/// Ticks are milliseconds unless the file says otherwise.
const DEFAULT_TICK_NS: u64 = 1_000_000;
const NS_PER_SECOND: u64 = 1_000_000_000;

mod id {
    pub(super) const EBML: u32 = 0x1A45_DFA3;
    pub(super) const DOC_TYPE: u32 = 0x4282;
    pub(super) const SEGMENT: u32 = 0x1853_8067;
    pub(super) const INFO: u32 = 0x1549_A966;
    pub(super) const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
    pub(super) const DURATION: u32 = 0x4489;
    pub(super) const TRACKS: u32 = 0x1654_AE6B;
    pub(super) const TRACK_ENTRY: u32 = 0xAE;
    pub(super) const TRACK_NUMBER: u32 = 0xD7;
    pub(super) const TRACK_TYPE: u32 = 0x83;
    pub(super) const CODEC_ID: u32 = 0x86;
    pub(super) const DEFAULT_DURATION: u32 = 0x23_E383;
    pub(super) const VIDEO: u32 = 0xE0;
    pub(super) const PIXEL_WIDTH: u32 = 0xB0;
    pub(super) const PIXEL_HEIGHT: u32 = 0xBA;
    pub(super) const CLUSTER: u32 = 0x1F43_B675;
    pub(super) const TIMESTAMP: u32 = 0xE7;
    pub(super) const SIMPLE_BLOCK: u32 = 0xA3;
    pub(super) const BLOCK_GROUP: u32 = 0xA0;
    pub(super) const BLOCK: u32 = 0xA1;
}

const VIDEO_TRACK: u64 = 1;
const AUDIO_TRACK: u64 = 2;

/// What the headers say.
#[derive(Default)]
struct Head {
    tick_ns: Option<u64>,
    duration_ticks: Option<f64>,
    video: Option<VideoTrack>,
    audio: Option<AudioCodec>,
    seen_info: bool,
    seen_tracks: bool,
    data_before: bool,
}

struct VideoTrack {
    number: u64,
    codec: VideoCodec,
    width: Option<u32>,
    height: Option<u32>,
    frame_ns: Option<u64>,
}

/// What the walked blocks say, in ticks.
#[derive(Default)]
struct Blocks {
    cluster: u64,
    frames: u64,
    first: Option<u64>,
    last_frame: u64,
    last: u64,
    reached_end: bool,
}

pub(crate) async fn read<S: Source>(window: &mut Window<'_, S>) -> Result<Facts, Error> {
    let (doc_type, segment) = opening(window).await?;
    let mut head = Head::default();
    let mut blocks = Blocks::default();
    match walk(window, segment, &mut head, &mut blocks).await {
        Ok(()) => {}
        // The headers are known; only what the blocks would have told stays unknown.
        Err(Error::TooComplex) if head.seen_tracks => {}
        Err(error) => return Err(error),
    }
    if !head.seen_tracks {
        return Err(Error::Damaged("it has no list of tracks"));
    }
    let duration_ms = head.duration(&blocks);
    let milli_fps = head.milli_fps(&blocks);
    let video = head.video.ok_or(Error::Damaged("it has no video track"))?;
    Ok(Facts {
        container: if doc_type == b"webm" {
            Container::WebM
        } else if doc_type == b"matroska" {
            Container::Other("Matroska".to_owned())
        } else {
            Container::Other(printable(&doc_type, 16))
        },
        video_codec: video.codec,
        audio_codec: head.audio,
        duration_ms,
        milli_fps,
        width: video.width,
        height: video.height,
        rotation: Rotation::None,
        header_at_front: !head.data_before,
        fragmented: false,
    })
}

/// The document's type, and where the segment's children lie.
async fn opening<S: Source>(
    window: &mut Window<'_, S>,
) -> Result<(Vec<u8>, std::ops::Range<u64>), Error> {
    const BAD: Error = Error::Damaged("its EBML header makes no sense");
    let header = header_at(window, 0).await?;
    let size = header.size.filter(|size| *size <= MAX_MASTER).ok_or(BAD)?;
    if header.id != id::EBML {
        return Err(BAD);
    }
    let body = window.take(header.len, size).await?;
    let doc_type = find(&body, id::DOC_TYPE)
        .unwrap_or_default()
        .iter()
        .copied()
        .take_while(|byte| *byte != 0)
        .collect();
    let at = header.len + size;
    let segment = header_at(window, at).await?;
    if segment.id != id::SEGMENT {
        return Err(BAD);
    }
    let start = at + segment.len;
    let end = match segment.size {
        None => window.size(),
        Some(size) => start
            .checked_add(size)
            .filter(|end| *end <= window.size())
            .ok_or(Error::CutOff)?,
    };
    Ok((doc_type, start..end))
}

/// Walks the segment flatly: masters of interest are entered, everything else is stepped over.
async fn walk<S: Source>(
    window: &mut Window<'_, S>,
    segment: std::ops::Range<u64>,
    head: &mut Head,
    blocks: &mut Blocks,
) -> Result<(), Error> {
    let mut at = segment.start;
    let mut passed = 0;
    let mut skipped_cluster = None;
    loop {
        if at >= segment.end {
            // Only the last of the clusters that were skipped can hold the end.
            match skipped_cluster.take() {
                Some(body) => at = body,
                None => break,
            }
        }
        passed += 1;
        if passed > MAX_ELEMENTS {
            return Err(Error::TooComplex);
        }
        let header = header_at(window, at).await?;
        let body = at + header.len;
        let size = header.size;
        let end = size.map(|size| body.saturating_add(size));
        if end.is_some_and(|end| end > segment.end) {
            return Err(Error::CutOff);
        }
        let next = end.ok_or(Error::Damaged("an element does not say how long it is"));
        at = match header.id {
            id::CLUSTER => {
                head.data_before |= !head.seen_tracks;
                if head.seen_tracks && head.says_everything() {
                    return Ok(());
                }
                match end {
                    Some(end) if head.knows_rate(blocks) && end < segment.end => {
                        skipped_cluster = Some(body);
                        end
                    }
                    Some(end) if !head.seen_tracks => end,
                    _ => {
                        skipped_cluster = None;
                        body
                    }
                }
            }
            id::BLOCK_GROUP => body,
            id::INFO | id::TRACKS => {
                let size = size.filter(|size| *size <= MAX_MASTER);
                let master = window.take(body, size.ok_or(Error::TooComplex)?).await?;
                if header.id == id::INFO {
                    head.info(&master);
                } else {
                    head.tracks(&master);
                }
                next?
            }
            id::TIMESTAMP => {
                let bytes = window.take(body, size.unwrap_or(0).min(8)).await?;
                blocks.cluster = unsigned(&bytes).unwrap_or(0);
                next?
            }
            id::SIMPLE_BLOCK | id::BLOCK => {
                // Track number, time within the cluster: at most eight and two bytes.
                let bytes = window.take(body, size.unwrap_or(0).min(10)).await?;
                blocks.add(&bytes, head.video.as_ref().map(|video| video.number));
                next?
            }
            _ => next?,
        };
    }
    blocks.reached_end = true;
    Ok(())
}

impl Head {
    fn info(&mut self, info: &[u8]) {
        self.seen_info = true;
        self.tick_ns = find(info, id::TIMESTAMP_SCALE)
            .and_then(unsigned)
            .filter(|ns| *ns > 0);
        self.duration_ticks = find(info, id::DURATION)
            .and_then(float)
            .filter(|ticks| ticks.is_finite() && *ticks > 0.0);
    }

    fn tracks(&mut self, tracks: &[u8]) {
        self.seen_tracks = true;
        for (_, entry) in Elements(tracks).filter(|(id, _)| *id == id::TRACK_ENTRY) {
            let codec = find(entry, id::CODEC_ID).unwrap_or_default();
            match find(entry, id::TRACK_TYPE).and_then(unsigned) {
                Some(VIDEO_TRACK) if self.video.is_none() => {
                    let video = find(entry, id::VIDEO).unwrap_or_default();
                    let side = |id| {
                        find(video, id)
                            .and_then(unsigned)
                            .and_then(|pixels| u32::try_from(pixels).ok())
                            .filter(|pixels| *pixels > 0)
                    };
                    self.video = Some(VideoTrack {
                        number: find(entry, id::TRACK_NUMBER)
                            .and_then(unsigned)
                            .unwrap_or(0),
                        codec: video_codec(codec),
                        width: side(id::PIXEL_WIDTH),
                        height: side(id::PIXEL_HEIGHT),
                        frame_ns: find(entry, id::DEFAULT_DURATION)
                            .and_then(unsigned)
                            .filter(|ns| *ns > 0),
                    });
                }
                Some(AUDIO_TRACK) if self.audio.is_none() => {
                    self.audio = Some(audio_codec(codec));
                }
                _ => {}
            }
        }
    }

    fn tick_ns(&self) -> u64 {
        self.tick_ns.unwrap_or(DEFAULT_TICK_NS)
    }

    /// Whether the blocks need not be looked at.
    fn says_everything(&self) -> bool {
        self.duration_ticks.is_some()
            && self
                .video
                .as_ref()
                .is_none_or(|video| video.frame_ns.is_some())
    }

    fn knows_rate(&self, blocks: &Blocks) -> bool {
        blocks.frames >= ENOUGH_FRAMES
            || self
                .video
                .as_ref()
                .is_some_and(|video| video.frame_ns.is_some())
    }

    fn duration(&self, blocks: &Blocks) -> Option<u64> {
        let ns = u128::from(self.tick_ns());
        if let Some(ticks) = self.duration_ticks {
            // Saturates, so that an absurd length is an absurd number and not a panic.
            let millis = ticks * self.tick_ns() as f64 / 1e6;
            return Some(millis.round() as u64);
        }
        let first = blocks.first.filter(|_| blocks.reached_end)?;
        // The last picture is shown as long as the others were.
        let frame = match blocks.frames {
            0 | 1 => 0,
            frames => blocks.last_frame.saturating_sub(first) / (frames - 1),
        };
        let ticks = blocks.last.saturating_sub(first).saturating_add(frame);
        u64::try_from((u128::from(ticks) * ns + 500_000) / 1_000_000).ok()
    }

    fn milli_fps(&self, blocks: &Blocks) -> Option<u32> {
        match self.video.as_ref()?.frame_ns {
            Some(ns) => milli_fps(1, ns, NS_PER_SECOND),
            None => {
                let ticks = blocks.last_frame.saturating_sub(blocks.first?);
                let ns = ticks.checked_mul(self.tick_ns())?;
                milli_fps(blocks.frames.saturating_sub(1), ns, NS_PER_SECOND)
            }
        }
    }
}

impl Blocks {
    fn add(&mut self, block: &[u8], video: Option<u64>) {
        let Some((Some(track), len)) = length(block) else {
            return;
        };
        let Some(&[high, low]) = block.get(len..len + 2) else {
            return;
        };
        let offset = i64::from(i16::from_be_bytes([high, low]));
        let time = self.cluster.saturating_add_signed(offset);
        self.last = self.last.max(time);
        if Some(track) == video {
            let first = *self.first.get_or_insert(time);
            // Enough frames tell the rate; those of the last cluster only tell the end.
            if self.frames < ENOUGH_FRAMES && time >= first {
                self.frames += 1;
                self.last_frame = self.last_frame.max(time);
            }
        }
    }
}

fn video_codec(id: &[u8]) -> VideoCodec {
    match id {
        b"V_VP8" => VideoCodec::Vp8,
        b"V_VP9" => VideoCodec::Vp9,
        b"V_MPEG4/ISO/AVC" => VideoCodec::H264,
        b"V_MPEGH/ISO/HEVC" => VideoCodec::H265,
        other => VideoCodec::Other(printable(other, 32)),
    }
}

fn audio_codec(id: &[u8]) -> AudioCodec {
    match id {
        b"A_OPUS" => AudioCodec::Opus,
        b"A_VORBIS" => AudioCodec::Vorbis,
        b"A_MPEG/L3" => AudioCodec::Mp3,
        other if other.starts_with(b"A_AAC") => AudioCodec::Aac,
        other => AudioCodec::Other(printable(other, 32)),
    }
}
