//! The addresses: `{public_url}/m/{token}/{place}.{ending}`, where the token is the attempt, the end of
//! its time and a signature over both.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clipqueue_entities::{AttemptId, Timestamp};
use url::Url;
use uuid::Uuid;

use crate::{app::App, secrets::Vault};

/// The attempt and the end of its time.
const BODY: usize = 16 + 8;

/// Where TikTok fetches one photo of an attempt.
pub fn address(
    app: &App,
    attempt: AttemptId,
    ends_at: Timestamp,
    position: i32,
    content_type: &str,
) -> Url {
    let token = issue(&app.vault, attempt, ends_at);
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

fn issue(vault: &Vault, attempt: AttemptId, ends_at: Timestamp) -> String {
    let mut token = Vec::with_capacity(BODY + 32);
    token.extend_from_slice(attempt.0.as_bytes());
    token.extend_from_slice(&ends_at.as_millis().to_be_bytes());
    let signature = vault.sign_pull(&token);
    token.extend_from_slice(&signature);
    URL_SAFE_NO_PAD.encode(token)
}

/// The attempt that a token was made for, unless it is not ours or its time is over.
pub(super) fn read(vault: &Vault, token: &str, now: Timestamp) -> Option<AttemptId> {
    let token = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (body, signature) = token.split_first_chunk::<BODY>()?;
    if !vault.pull_is_signed(body, signature) {
        return None;
    }
    let (attempt, end) = body.split_first_chunk::<16>()?;
    let end = i64::from_be_bytes(end.try_into().ok()?);
    (now < Timestamp::from_millis(end)).then(|| AttemptId(Uuid::from_bytes(*attempt)))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn a_token_opens_its_attempt_until_its_end_and_no_other() {
        let vault = |byte: &str| Vault::new(&SecretString::from(byte.repeat(32))).unwrap();
        let (attempt, end) = (AttemptId::new(), Timestamp::from_millis(5_000));
        let token = issue(&vault("a1"), attempt, end);
        let at = |millis| read(&vault("a1"), &token, Timestamp::from_millis(millis));
        assert_eq!(at(4_999), Some(attempt));
        assert_eq!(at(5_000), None);
        assert_eq!(read(&vault("b2"), &token, Timestamp::from_millis(0)), None);
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let read = read(&vault("a1"), &changed, Timestamp::from_millis(0));
            assert_eq!(read, None, "{place}");
        }
        for text in ["", "x", "%", "AAAA"] {
            assert_eq!(read(&vault("a1"), text, Timestamp::from_millis(0)), None);
        }
    }

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
