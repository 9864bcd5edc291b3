//! What sessions of operators and of users have in common: the text of the cookie, when one is over, and
//! that tries to sign in are counted.

use std::{net::IpAddr, time::Duration};

use clipqueue_entities::{Sealed, Timestamp};
use secrecy::SecretString;
use uuid::Uuid;

use crate::{
    app::App,
    clock::Clock,
    queue::transport::{Acquired, Budget},
    secrets::random_bytes,
};

/// Last use is written at most this often.
pub(super) const SEEN_STEP: Duration = Duration::from_secs(60);
/// The time over which tries are counted.
const TRIES_WINDOW: Duration = Duration::from_secs(60);

/// A session that was just begun; the only time its cookie's text exists.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The cookie's text.
    pub cookie: SecretString,
    /// How long it can last.
    pub life: Duration,
}

/// A fresh session's id, what is stored of its secret, and the cookie's text.
pub(super) fn draw(app: &App) -> (Uuid, Sealed, SecretString) {
    let id = Uuid::new_v4();
    let secret: [u8; 32] = random_bytes();
    let text = format!("{}.{}", id.simple(), hex::encode(secret));
    (
        id,
        app.vault.session_hash(&secret),
        SecretString::from(text),
    )
}

/// Takes a cookie's text apart, checking its form only.
pub(super) fn parse(text: &str) -> Option<(Uuid, [u8; 32])> {
    let (id, secret) = text.split_once('.')?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(secret, &mut bytes).ok()?;
    let id = (id.len() == 32).then(|| Uuid::try_parse(id).ok())??;
    Some((id, bytes))
}

/// Whether a session that was last used at `seen` and ends at `end` is over.
pub(super) fn is_over(seen: Timestamp, end: Timestamp, idle: Duration, now: Timestamp) -> bool {
    end <= now || seen + idle <= now
}

/// How long `source` has to wait before its next of `limit` tries in a minute, if it has to.
pub(super) async fn too_often(
    app: &App,
    what: &str,
    limit: u32,
    source: Option<IpAddr>,
) -> Option<Duration> {
    let budget = Budget {
        key: format!("{what}:{}", network(source)),
        limit,
        window: TRIES_WINDOW,
    };
    // Redis counts by its own clock; a clock that a test moves counts for itself.
    let now = matches!(app.clock, Clock::Manual(_)).then(|| app.clock.now());
    match app.queue.transport().acquire(&[budget], now).await {
        Ok(Acquired::Granted(_)) => None,
        Ok(Acquired::Wait(wait)) => Some(wait),
        Err(error) => {
            // A secret cannot be guessed, and the pages are needed most while Redis is away.
            tracing::warn!(%error, "tries to sign in cannot be counted");
            None
        }
    }
}

/// Whom to count as one: an address, or the network that one IPv6 client has for itself.
fn network(source: Option<IpAddr>) -> String {
    match source {
        Some(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}")
            }
        },
        Some(address) => address.to_string(),
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_counted_as_one_however_it_changes_its_address() {
        let of = |text: &str| network(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn what_is_no_cookie_is_nobody() {
        for text in ["", ".", "a.b", "0123", &"0".repeat(97)] {
            assert!(parse(text).is_none(), "{text}");
        }
        let whole = format!("{}.{}", "1".repeat(32), "2".repeat(64));
        assert!(parse(&whole).is_some());
    }
}
