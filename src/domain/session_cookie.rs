//! What sessions of operators and of users have in common: the text of the cookie, when one is over, and
//! that tries to sign in are counted.

use std::{net::IpAddr, time::Duration};

use clipqueue_entities::{Sealed, Timestamp};
use secrecy::SecretString;
use uuid::Uuid;

use crate::{
    app::App,
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
    let source = source.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let budget = Budget {
        key: format!("{what}:{}", app.vault.keyed("caller", &source)),
        limit,
        window: TRIES_WINDOW,
    };
    let transport = app.queue.transport();
    match transport.acquire(&[budget], app.clock.counted()).await {
        Ok(Acquired::Granted(_)) => None,
        Ok(Acquired::Wait(wait)) => Some(wait),
        Err(error) => {
            // A secret cannot be guessed, and the pages are needed most while Redis is away.
            tracing::warn!(%error, "tries to sign in cannot be counted");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_cookie_is_nobody() {
        for text in ["", ".", "a.b", "0123", &"0".repeat(97)] {
            assert!(parse(text).is_none(), "{text}");
        }
        let whole = format!("{}.{}", "1".repeat(32), "2".repeat(64));
        assert!(parse(&whole).is_some());
    }
}
