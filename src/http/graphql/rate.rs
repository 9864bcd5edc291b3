//! How often a caller may ask: taken once an operation, told in the headers of every answer.
//!
//! The headers are those of draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy` names the limit,
//! `RateLimit` what is left of it and in how many seconds there is more. Who counts, and by which
//! limit, the [`Session`] knows. A socket has no headers; its operations are counted all the same.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{extract::Request, middleware::Next, response::Response};
use futures::future::BoxFuture;
use http::{Extensions, HeaderName, HeaderValue};

use super::session::Session;
use crate::graphql::error::{ApiError, Code};

/// The name of the one policy that there is.
const POLICY: &str = "api";
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How a caller's limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Operations within any window.
    pub limit: u32,
    /// The length of the window.
    pub window: Duration,
    /// Operations that are left.
    pub left: u32,
    /// How long until there is one more.
    pub next_in: Duration,
}

/// What became of an operation that was to be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charge {
    /// The caller has no limit.
    Unlimited,
    /// It is one of those that are allowed.
    Taken(Rate),
    /// It is one too many.
    Refused {
        /// How the limit stands.
        rate: Rate,
        /// How long to wait.
        wait: Duration,
        /// What to do, for people.
        message: String,
    },
}

/// Counts one operation.
pub(super) type Meter = Arc<dyn Fn() -> BoxFuture<'static, Charge> + Send + Sync>;

/// Where a request notes how the limit stands, for the headers of its answer.
#[derive(Clone, Default)]
struct Slot(Arc<OnceLock<Rate>>);

/// Adds the headers to answers to callers with a limit.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let slot = Slot::default();
    request.extensions_mut().insert(slot.clone());
    let mut response = next.run(request).await;
    if let Some(rate) = slot.0.get() {
        let headers = response.headers_mut();
        for (name, value) in [
            (RATELIMIT_POLICY, policy(rate)),
            (RATELIMIT, remaining(rate)),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
    response
}

/// Counts one operation of `session`; the request's extensions are told how the limit stands.
pub(super) async fn charge(
    session: &Session,
    extensions: Option<&Extensions>,
) -> Result<(), ApiError> {
    let (rate, result) = match session.charge().await {
        Charge::Unlimited => return Ok(()),
        Charge::Taken(rate) => (rate, Ok(())),
        Charge::Refused {
            rate,
            wait,
            message,
        } => {
            let error = ApiError::new(Code::RateLimited, message).retry_after(wait);
            (rate, Err(error))
        }
    };
    if let Some(slot) = extensions.and_then(|extensions| extensions.get::<Slot>()) {
        let _ = slot.0.set(rate);
    }
    result
}

fn policy(rate: &Rate) -> String {
    format!("\"{POLICY}\";q={};w={}", rate.limit, rate.window.as_secs())
}

fn remaining(rate: &Rate) -> String {
    let seconds = rate.next_in.as_secs() + u64::from(rate.next_in.subsec_nanos() > 0);
    format!("\"{POLICY}\";r={};t={seconds}", rate.left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_structured_fields_in_whole_seconds() {
        let rate = Rate {
            limit: 60,
            window: Duration::from_secs(60),
            left: 12,
            next_in: Duration::from_millis(1500),
        };
        assert_eq!(policy(&rate), "\"api\";q=60;w=60");
        assert_eq!(remaining(&rate), "\"api\";r=12;t=2");
    }
}
