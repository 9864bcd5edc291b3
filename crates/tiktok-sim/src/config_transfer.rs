//! Knobs of what crosses the network besides API calls: uploaded bytes, pulls, webhooks.

use serde::{Deserialize, Serialize};

/// Upload URLs and the reading of bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UploadConfig {
    /// Life of an `upload_url` in seconds.
    pub url_seconds: i64,
    /// What the progress header's number means.
    pub progress: ProgressHeader,
    /// Reads no faster than this (real time), to make uploads long enough to interrupt.
    pub bytes_per_second: Option<u64>,
}

impl Default for UploadConfig {
    fn default() -> Self {
        Self {
            url_seconds: 3_600,
            progress: ProgressHeader::Count,
            bytes_per_second: None,
        }
    }
}

/// The second number in `Content-Range: bytes 0-N/TOTAL` of an upload answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgressHeader {
    /// The number of bytes received.
    Count,
    /// The index of the last byte received.
    LastIndex,
}

/// Which URLs the app has verified and whether the simulator may really fetch them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PullConfig {
    /// Verified domains (`example.com`, covers subdomains) and prefixes
    /// (`https://example.com/videos/`).
    pub verified: Vec<String>,
    /// Whether the simulator fetches at all; if not, every pull fails.
    pub allow: bool,
    /// Hosts that may be fetched besides loopback.
    pub hosts: Vec<String>,
    /// Whether plain `http` and IP prefixes are accepted on loopback, for tests.
    pub loopback_http: bool,
}

/// Where webhooks go and how they misbehave.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookConfig {
    /// The callback URL; none means that events are only logged.
    pub url: Option<String>,
    /// Extra copies of each event.
    pub duplicates: u32,
    /// Delivers events in swapped pairs.
    pub reorder: bool,
    /// Delay before the first attempt.
    pub delay_ms: i64,
    /// Signs with a wrong key.
    pub bad_signature: bool,
    /// Puts milliseconds into `create_time`.
    pub ms_timestamps: bool,
    /// Signs each retry with its own time; otherwise a retry repeats the first signature.
    pub resign_retries: bool,
    /// First retry delay; doubles with each attempt, until 72 hours after the event.
    pub retry_base_ms: i64,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            url: None,
            duplicates: 0,
            reorder: false,
            delay_ms: 0,
            bad_signature: false,
            ms_timestamps: false,
            resign_retries: true,
            retry_base_ms: 5_000,
        }
    }
}
