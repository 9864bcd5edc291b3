//! Files of each form and files that lie, with ffprobe's answers as the expected values.
#![allow(clippy::unwrap_used, missing_docs)]

mod hostile;
mod photos;
mod real_files;
mod verdicts;

use std::path::Path;

use bytes::Bytes;
use futures::executor::block_on;
use media_probe::{Container, Facts, Rotation, VideoCodec, probe};

fn fixture(name: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/media")
        .join(name);
    std::fs::read(path).unwrap().into()
}

fn facts(name: &str) -> Facts {
    block_on(probe(&fixture(name))).unwrap()
}

fn plain(container: Container, codec: VideoCodec, width: u32, height: u32) -> Facts {
    Facts {
        container,
        video_codec: codec,
        audio_codec: None,
        duration_ms: Some(1000),
        milli_fps: Some(30_000),
        width: Some(width),
        height: Some(height),
        rotation: Rotation::None,
        header_at_front: false,
        fragmented: false,
    }
}
