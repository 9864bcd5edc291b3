//! Whether a request comes from a page of ours.
//!
//! A browser says by `Sec-Fetch-Site` whether a request comes from a page of the same origin, and by
//! `Origin` which page that is; no script of a page can set either. What has neither is not a browser's
//! on a page of ours.

use axum::http::{HeaderMap, HeaderName, header};

use crate::app::App;

/// Whether a page of ours, in a browser, sends this.
pub(super) fn is_ours(app: &App, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    let Some(origin) = text(header::ORIGIN) else {
        return false;
    };
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    let own = text(header::HOST);
    let public = &app.config.http.public_url;
    origin == public.origin().ascii_serialization()
        || matches!((host, own), (Some(host), Some(own)) if host.eq_ignore_ascii_case(own))
}
