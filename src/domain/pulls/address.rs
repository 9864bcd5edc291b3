//! The addresses: `{public_url}/m/{token}/{place}.{ending}`, where the token opens the attempt's photos.

use clipqueue_entities::{AttemptId, Timestamp};
use url::Url;

use crate::{
    app::App,
    domain::link_token::{self, Kind},
    secrets::Vault,
};

/// Where TikTok fetches one photo of an attempt.
pub fn address(
    app: &App,
    attempt: AttemptId,
    ends_at: Timestamp,
    position: i32,
    content_type: &str,
) -> Url {
    let token = link_token::issue(&app.vault, Kind::Photos, attempt.0, ends_at);
    let mut url = app.config.http.public_url.clone();
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!(
        "{base}/m/{token}/{}",
        name(position, content_type)
    ));
    url
}

/// Whether TikTok could fetch from this server at all: by https, or over the loopback of a machine
/// that has the simulator on it.
pub fn may_be_fetched(public_url: &Url) -> bool {
    let loopback = match public_url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    public_url.scheme() == "https" || loopback
}

/// The last part of an address, counted from one as people do.
pub(super) fn name(position: i32, content_type: &str) -> String {
    let ending = match content_type {
        "image/webp" => "webp",
        _ => "jpg",
    };
    format!("{}.{ending}", position + 1)
}

/// The attempt that a token was made for, unless it is not ours or its time is over.
pub(super) fn read(vault: &Vault, token: &str, now: Timestamp) -> Option<AttemptId> {
    link_token::read(vault, Kind::Photos, token, now).map(AttemptId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_can_be_fetched_from() {
        for (url, may) in [
            ("https://clips.example/app", true),
            ("http://127.0.0.1:8080", true),
            ("http://localhost:8080", true),
            ("http://clips.example", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(may_be_fetched(&Url::parse(url).unwrap()), may, "{url}");
        }
    }
}
