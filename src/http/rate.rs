//! How often a caller may ask: told in the headers of every answer to an operation that was counted.
//!
//! The headers are those of draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy` names the limit,
//! `RateLimit` what is left of it and in how many seconds there is more. A route that counts notes how
//! the limit stands with the request ([`note`]); [`layer`] writes the last note into the answer, with
//! `Retry-After` when an operation was refused.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::Request,
    http::{Extensions, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

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

/// Where a request notes how the limit stands, for the headers of its answer.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<Noted>>>);

#[derive(Clone, Copy)]
struct Noted {
    rate: Rate,
    /// How long to wait, when an operation was refused.
    wait: Option<Duration>,
}

/// Adds the headers to answers to callers with a limit.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let slot = Slot::default();
    request.extensions_mut().insert(slot.clone());
    let mut response = next.run(request).await;
    let noted = *slot.0.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(Noted { rate, wait }) = noted else {
        return response;
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (RATELIMIT_POLICY, policy(&rate)),
        (RATELIMIT, remaining(&rate)),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    if let Some(wait) = wait {
        let seconds = HeaderValue::from(whole_seconds(wait));
        headers.entry(header::RETRY_AFTER).or_insert(seconds);
    }
    response
}

/// Notes with a request what became of one of its operations. Of several the last one counts, and of the
/// refused ones the longest wait.
pub(super) fn note(extensions: &Extensions, charge: &Charge) {
    let (rate, wait) = match charge {
        Charge::Unlimited => return,
        Charge::Taken(rate) => (*rate, None),
        Charge::Refused { rate, wait, .. } => (*rate, Some(*wait)),
    };
    if let Some(slot) = extensions.get::<Slot>() {
        let mut noted = slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = noted.and_then(|noted| noted.wait).max(wait);
        *noted = Some(Noted { rate, wait });
    }
}

fn policy(rate: &Rate) -> String {
    format!("\"{POLICY}\";q={};w={}", rate.limit, rate.window.as_secs())
}

fn remaining(rate: &Rate) -> String {
    let seconds = whole_seconds(rate.next_in);
    format!("\"{POLICY}\";r={};t={seconds}", rate.left)
}

/// So many seconds that the time is over after them.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
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
