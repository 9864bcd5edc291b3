//! Which web pages may talk to us through a visitor's browser.
//!
//! A browser names the page in `Origin`; other programs send none and are judged by their credential
//! alone. Sockets are always checked, since browsers let any page open them. Requests are checked when
//! they carry a cookie: only then does the browser lend the page its visitor's identity.

use http::{HeaderMap, HeaderValue, header};

use super::settings::Settings;
use crate::graphql::error::{ApiError, Code};

/// Refuses a socket for a page of a foreign origin.
pub(super) fn check_upgrade(headers: &HeaderMap, settings: &Settings) -> Result<(), ApiError> {
    match headers.get(header::ORIGIN) {
        Some(origin) if !is_ours(origin, headers, settings) => Err(foreign()),
        _ => Ok(()),
    }
}

/// Refuses a request with a cookie that a foreign page caused.
pub(super) fn check_request(headers: &HeaderMap, settings: &Settings) -> Result<(), ApiError> {
    if !headers.contains_key(header::COOKIE) {
        return Ok(());
    }
    match headers.get(header::ORIGIN) {
        Some(origin) if is_ours(origin, headers, settings) => Ok(()),
        Some(_) => Err(foreign()),
        None => match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => Err(foreign()),
        },
    }
}

fn is_ours(origin: &HeaderValue, headers: &HeaderMap, settings: &Settings) -> bool {
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    let own = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    match (host, own) {
        (Some(host), Some(own)) if host.eq_ignore_ascii_case(own) => true,
        _ => settings
            .allowed_origins
            .iter()
            .any(|allowed| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin)),
    }
}

fn foreign() -> ApiError {
    ApiError::new(
        Code::Forbidden,
        "Pages of this origin may not use this server. An operator can allow the origin in the configuration.",
    )
}
