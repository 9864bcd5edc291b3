//! Upload addresses that need no other proof: whoever has one may send to this upload and to nothing
//! else, until it ends. So a browser can upload without an API key.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clipqueue_entities::{MediaId, Timestamp, UserId};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use uuid::Uuid;

/// Keeps this use of the key apart from every other one.
const DOMAIN: &[u8] = b"clipqueue upload capability v1";
/// Media id, tenant, expiry.
const BODY_BYTES: usize = 16 + 16 + 8;
const MAC_BYTES: usize = 32;

/// Why a text is not a usable capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    /// It was not made here, or was changed.
    #[error("this upload address is not valid")]
    Invalid,
    /// Its time is over.
    #[error("this upload address has expired; ask for a new one")]
    Expired,
}

/// Makes and checks capabilities.
#[derive(Clone)]
pub struct Capabilities {
    key: Arc<SecretBox<[u8; 32]>>,
}

impl std::fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Capabilities")
    }
}

impl Capabilities {
    /// Capabilities under a secret key.
    pub fn new(key: SecretBox<[u8; 32]>) -> Self {
        Self { key: Arc::new(key) }
    }

    /// The last part of an upload address for one file. It is a secret: never log it.
    pub fn issue(&self, user: UserId, media: MediaId, expires_at: Timestamp) -> String {
        let mut token = Vec::with_capacity(BODY_BYTES + MAC_BYTES);
        token.extend_from_slice(media.0.as_bytes());
        token.extend_from_slice(user.0.as_bytes());
        token.extend_from_slice(&expires_at.as_millis().to_be_bytes());
        let mac = self.mac(&token).finalize().into_bytes();
        token.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Whose file a capability opens.
    pub fn check(&self, text: &str, now: Timestamp) -> Result<(UserId, MediaId), CapabilityError> {
        let token = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| CapabilityError::Invalid)?;
        let (body, mac) = token
            .split_first_chunk::<BODY_BYTES>()
            .ok_or(CapabilityError::Invalid)?;
        self.mac(body)
            .verify_slice(mac)
            .map_err(|_| CapabilityError::Invalid)?;
        let (media, rest) = body.split_at(16);
        let (user, expiry) = rest.split_at(16);
        let id = |bytes| Uuid::from_slice(bytes).map_err(|_| CapabilityError::Invalid);
        let expiry = expiry.try_into().map_err(|_| CapabilityError::Invalid)?;
        if now >= Timestamp::from_millis(i64::from_be_bytes(expiry)) {
            return Err(CapabilityError::Expired);
        }
        Ok((UserId(id(user)?), MediaId(id(media)?)))
    }

    fn mac(&self, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose_secret())
            .expect("HMAC takes keys of any length");
        mac.update(DOMAIN);
        mac.update(body);
        mac
    }
}
