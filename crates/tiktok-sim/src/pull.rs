//! Pulls: the simulator fetches photos and videos from the URLs of an init, as TikTok does.
//!
//! Only loopback and listed hosts are ever fetched, and only if the configuration allows it at all; every
//! other pull fails the way an unreachable URL does. Redirects are not followed.

use std::sync::Arc;

use futures::StreamExt;
use sha2::{Digest, Sha256};
use url::Url;

use crate::config_transfer::PullConfig;
use crate::publish::Stage;
use crate::state::Core;

/// The largest photo in bytes.
const MAX_PHOTO: u64 = 20_000_000;
/// The largest video in bytes.
const MAX_VIDEO: u64 = 4_294_967_296;

/// What an init asked to be fetched.
#[derive(Debug, Clone)]
pub(crate) struct PullJob {
    pub(crate) publish_id: String,
    pub(crate) photo: bool,
    pub(crate) urls: Vec<String>,
}

/// Starts the pulls that inits have asked for.
pub(crate) fn start_all(core: &Arc<Core>) {
    let jobs = core.look(|state, _| std::mem::take(&mut state.pulls));
    for job in jobs {
        let core = Arc::clone(core);
        tokio::spawn(async move { run(&core, job).await });
    }
}

async fn run(core: &Core, job: PullJob) {
    let config = core.look(|state, _| state.config.pulls.clone());
    let mut hasher = Sha256::new();
    let mut outcome = Ok(());
    for url in &job.urls {
        outcome = fetch(core, &config, &job, url, &mut hasher).await;
        if outcome.is_err() {
            break;
        }
    }
    core.with(|state, now| {
        let Some(publish) = state.publishes.get_mut(&job.publish_id) else {
            return;
        };
        if publish.stage != Stage::AwaitingPull {
            return;
        }
        match outcome {
            Ok(()) => {
                publish.sha256 = Some(hex::encode(hasher.finalize()));
                let bytes = publish.downloaded;
                state.begin_processing(&job.publish_id, bytes, now);
            }
            Err(reason) => state.fail(&job.publish_id, reason, now),
        }
    });
}

/// Fetches one URL; the error is TikTok's fail reason.
async fn fetch(
    core: &Core,
    config: &PullConfig,
    job: &PullJob,
    url: &str,
    hasher: &mut Sha256,
) -> Result<(), &'static str> {
    let (unreachable, max) = if job.photo {
        ("photo_pull_failed", MAX_PHOTO)
    } else {
        ("video_pull_failed", MAX_VIDEO)
    };
    if !config.allow || !may_fetch(config, url) {
        return Err(unreachable);
    }
    let response = core.http.get(url).send().await.map_err(|_| unreachable)?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(unreachable);
    }
    let mut stream = response.bytes_stream();
    let mut head = Vec::new();
    let mut length = 0_u64;
    while let Some(frame) = stream.next().await {
        let frame = frame.map_err(|_| unreachable)?;
        length += frame.len() as u64;
        if length > max {
            return Err("picture_size_check_failed");
        }
        if head.len() < MARK_BYTES {
            head.extend(frame.iter().take(MARK_BYTES - head.len()));
        }
        hasher.update(&frame);
        core.look(|state, _| {
            if let Some(publish) = state.publishes.get_mut(&job.publish_id) {
                publish.downloaded += frame.len() as u64;
            }
        });
    }
    if job.photo && !is_photo(&head) {
        return Err("file_format_check_failed");
    }
    Ok(())
}

/// How many opening bytes tell JPEG and WebP.
const MARK_BYTES: usize = 12;

/// JPEG or WebP; TikTok takes no PNG.
fn is_photo(head: &[u8]) -> bool {
    let webp = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP");
    head.starts_with(&[0xFF, 0xD8, 0xFF]) || webp
}

fn may_fetch(config: &PullConfig, url: &str) -> bool {
    let host = Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| is_loopback(&host) || config.hosts.contains(&host))
}

/// Whether a host name is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}
