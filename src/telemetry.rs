//! Logs by `tracing`, to standard output, as JSON or for people.
//!
//! Fields are named by entity (`post.id`, `job.kind`) and chosen at the call: tokens, addresses for
//! uploading, captions and bodies are never given to a log call. Types that hold secrets cannot print.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{Log, LogFormat};

/// The filter does not parse.
#[derive(Debug, thiserror::Error)]
#[error("log.filter is not a filter such as `info` or `clipqueue=debug,info`")]
pub struct BadFilter(#[from] tracing_subscriber::filter::ParseError);

/// Installs the process's log subscriber. A second call leaves the first in place.
pub fn init(log: &Log) -> Result<(), BadFilter> {
    let filter = EnvFilter::try_new(&log.filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer();
    let installed = match log.format {
        LogFormat::Json => registry
            .with(layer.json().flatten_event(true).with_current_span(true))
            .try_init(),
        LogFormat::Pretty => registry
            .with(layer.compact().with_ansi(std::io::stdout().is_terminal()))
            .try_init(),
    };
    if installed.is_err() {
        tracing::debug!("a log subscriber is already installed");
    }
    Ok(())
}
