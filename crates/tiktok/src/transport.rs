//! Sending requests and reading bounded answers. Knows HTTP, not TikTok.
//!
//! Two HTTP clients: calls share one under a total timeout; chunks have one of their own, on
//! HTTP/1.1, where one upload has one connection and nobody else's flow control. Neither follows
//! redirects (they would carry tokens elsewhere) nor uses a proxy from the environment. Nothing is repeated, except what
//! HTTP/2 itself declares unprocessed: requests above the last stream of a connection that says goodbye.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response, redirect};

use crate::config::{ConfigError, Timeouts};
use crate::endpoint::Endpoint;
use crate::envelope::RawAnswer;
use crate::error::{Error, LogIds, Sent};
use crate::ids::LogId;

/// TikTok's reference for an answer.
const LOG_ID_HEADER: &str = "x-tt-logid";

/// How long an idle connection is kept. Short, because a request on a connection that the other side is just closing is
/// of unknown outcome.
const POOL_IDLE: Duration = Duration::from_secs(15);

/// The two HTTP clients.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    pub(crate) calls: reqwest::Client,
    pub(crate) uploads: reqwest::Client,
}

impl Http {
    pub(crate) fn new(timeouts: &Timeouts) -> Result<Self, ConfigError> {
        // reqwest is built without a TLS provider of its own. If the program has installed one, that one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .redirect(redirect::Policy::none())
                .pool_idle_timeout(POOL_IDLE)
                .no_proxy()
                .referer(false)
                .connect_timeout(timeouts.connect)
                .user_agent(concat!("clipqueue/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self {
            calls: builder()
                .timeout(timeouts.call)
                .build()
                .map_err(ConfigError::Http)?,
            uploads: builder().http1_only().build().map_err(ConfigError::Http)?,
        })
    }
}

/// Sends a request and reads its whole answer, up to `limit` bytes.
pub(crate) async fn call(
    endpoint: Endpoint,
    request: RequestBuilder,
    limit: usize,
) -> Result<RawAnswer, Error> {
    let response = request
        .send()
        .await
        .map_err(|e| network_error(endpoint, e))?;
    let http_status = response.status().as_u16();
    let header_log_id = header_log_id(response.headers());
    let too_large = || Error::BodyTooLarge {
        endpoint,
        limit,
        http_status,
        logs: LogIds {
            body: None,
            header: header_log_id.clone(),
        },
    };
    let body = read_body(endpoint, response, limit)
        .await?
        .ok_or_else(too_large)?;
    tracing::debug!(
        endpoint = endpoint.label(),
        http_status,
        log_id = header_log_id.as_ref().map(LogId::as_str),
        "TikTok answered"
    );
    Ok(RawAnswer {
        endpoint,
        http_status,
        header_log_id,
        body,
    })
}

/// The body, or `None` if it is larger than `limit`.
async fn read_body(
    endpoint: Endpoint,
    mut response: Response,
    limit: usize,
) -> Result<Option<Vec<u8>>, Error> {
    let announced = response.content_length().unwrap_or(0);
    if announced > limit as u64 {
        return Ok(None);
    }
    let mut body = Vec::new();
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|e| network_error(endpoint, e))?
    {
        if body.len() + piece.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body))
}

pub(crate) fn header_log_id(headers: &HeaderMap) -> Option<LogId> {
    let text = headers.get(LOG_ID_HEADER)?.to_str().ok()?;
    LogId::parse(text).ok()
}

/// Tells a request that never left from one that may have arrived. The URL is dropped from the error:
/// upload URLs are secrets.
pub(crate) fn network_error(endpoint: Endpoint, error: reqwest::Error) -> Error {
    let sent = if error.is_connect() || error.is_builder() {
        Sent::NotSent
    } else {
        Sent::MaybeSent
    };
    Error::Transport {
        endpoint,
        sent,
        source: error.without_url(),
    }
}
