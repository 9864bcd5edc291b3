//! Tokens of links that open one thing for some time: what it is, the end of its time, and a signature
//! over both. Whoever has the link may use it; nothing is stored of it. Pure.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clipqueue_entities::Timestamp;
use uuid::Uuid;

use crate::secrets::Vault;

/// What a link opens. Tokens of different kinds never have the same length, so that none is taken for
/// another's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// The photos of an attempt.
    Photos,
    /// The archive of an export.
    Export,
}

impl Kind {
    /// What the signed bytes begin with.
    const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Photos => b"",
            Self::Export => b"export\0",
        }
    }
}

/// The thing and the end of its time.
const BODY: usize = 16 + 8;

/// A token for `id` until `ends_at`.
pub(super) fn issue(vault: &Vault, kind: Kind, id: Uuid, ends_at: Timestamp) -> String {
    let mut token = kind.prefix().to_vec();
    token.extend_from_slice(id.as_bytes());
    token.extend_from_slice(&ends_at.as_millis().to_be_bytes());
    let signature = vault.sign_pull(&token);
    token.extend_from_slice(&signature);
    URL_SAFE_NO_PAD.encode(token)
}

/// What a token was made for, unless it is not ours, is of another kind, or its time is over.
pub(super) fn read(vault: &Vault, kind: Kind, token: &str, now: Timestamp) -> Option<Uuid> {
    let token = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (body, signature) = token.split_at_checked(kind.prefix().len() + BODY)?;
    if !vault.pull_is_signed(body, signature) {
        return None;
    }
    let rest = body.strip_prefix(kind.prefix())?;
    let (id, end) = rest.split_first_chunk::<16>()?;
    let end = i64::from_be_bytes(end.try_into().ok()?);
    (now < Timestamp::from_millis(end)).then(|| Uuid::from_bytes(*id))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn a_token_opens_its_thing_until_its_end_and_no_other() {
        let vault = |byte: &str| Vault::new(&SecretString::from(byte.repeat(32))).unwrap();
        for (kind, other) in [(Kind::Photos, Kind::Export), (Kind::Export, Kind::Photos)] {
            let (id, end) = (Uuid::now_v7(), Timestamp::from_millis(5_000));
            let token = issue(&vault("a1"), kind, id, end);
            let at = |millis| read(&vault("a1"), kind, &token, Timestamp::from_millis(millis));
            let first = Timestamp::from_millis(0);
            assert_eq!(at(4_999), Some(id));
            assert_eq!(at(5_000), None);
            assert_eq!(read(&vault("b2"), kind, &token, first), None);
            assert_eq!(read(&vault("a1"), other, &token, first), None);
            for place in 0..token.len() {
                let mut changed = token.clone().into_bytes();
                changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(changed).unwrap();
                assert_eq!(read(&vault("a1"), kind, &changed, first), None, "{place}");
            }
            for text in ["", "x", "%", "AAAA"] {
                assert_eq!(read(&vault("a1"), kind, text, first), None);
            }
        }
    }
}
