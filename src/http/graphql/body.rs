//! Reading a request body that may be too long, too slow or cut off.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;

use crate::graphql::error::{ApiError, Code};

/// How much of a body that is too long is read and thrown away, so that a client that is still sending
/// gets to read its refusal instead of a reset connection.
const DRAIN_BYTES: usize = 64 * 1024 * 1024;
/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// How long a stranger may take over a small body.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Reads at most `limit` bytes within `timeout`.
pub(super) async fn read(body: Body, limit: usize, timeout: Duration) -> Result<Vec<u8>, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk
                .map_err(|_| ApiError::new(Code::BadRequest, "The body ended before its time."))?;
            if bytes.len() + chunk.len() > limit {
                return Ok(false);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(true)
    };
    match tokio::time::timeout(timeout, reading).await {
        Ok(Ok(true)) => return Ok(bytes),
        Ok(Ok(false)) => {}
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            return Err(ApiError::new(
                Code::Timeout,
                "The body did not arrive in time.",
            ));
        }
    }
    drop(bytes);
    let drain = async {
        let mut drained = 0;
        while let Some(Ok(chunk)) = chunks.next().await {
            drained += chunk.len();
            if drained > DRAIN_BYTES {
                break;
            }
        }
    };
    // Whether the rest came or not, the answer is the same.
    let _ = tokio::time::timeout(DRAIN_TIME, drain).await;
    Err(ApiError::new(
        Code::PayloadTooLarge,
        format!("A body may have {limit} bytes. Media goes through /uploads."),
    ))
}
