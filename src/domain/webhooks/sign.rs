//! Signatures as "Standard Webhooks" has them: HMAC-SHA-256 over `id.timestamp.body`, so that a receiver
//! can tell who sent it, that nothing was changed, and when. Pure.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clipqueue_entities::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::secrets::random_bytes;

/// What a secret's text begins with.
const PREFIX: &str = "whsec_";

/// The name of the message.
pub const ID_HEADER: &str = "webhook-id";
/// When it was sent, in seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// A new secret of 256 bits.
pub fn draw() -> SecretString {
    let bytes: [u8; 32] = random_bytes();
    SecretString::from(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

/// The signature of a message, with its version; none, when `secret` is no secret.
pub fn sign(secret: &SecretString, id: &str, at: Timestamp, body: &str) -> Option<String> {
    let key = secret.expose_secret().strip_prefix(PREFIX)?;
    let key = STANDARD.decode(key).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{}.", seconds(at)).as_bytes());
    mac.update(body.as_bytes());
    Some(format!(
        "v1,{}",
        STANDARD.encode(mac.finalize().into_bytes())
    ))
}

/// An instant as the header has it.
pub fn seconds(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Secret, id, seconds, body, signature: as other implementations publish them.
    const VECTORS: &[(&str, &str, i64, &str, &str)] = &[
        (
            "whsec_plJ3nmyCDGBKInavdOK15jsl",
            "msg_loFOjxBNrRLzqYUf",
            1_731_705_121,
            r#"{"event_type":"ping","data":{"success":true}}"#,
            "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
        ),
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
    ];

    #[test]
    fn published_vectors_come_out() {
        for (secret, id, at, body, signature) in VECTORS {
            let secret = SecretString::from(*secret);
            // Milliseconds are cut, not rounded.
            let at = Timestamp::from_millis(at * 1000 + 999);
            assert_eq!(sign(&secret, id, at, body).as_deref(), Some(*signature));
        }
    }

    #[test]
    fn a_new_secret_has_256_bits_and_signs() {
        let secret = draw();
        let key = secret.expose_secret().strip_prefix(PREFIX).unwrap();
        assert_eq!(STANDARD.decode(key).unwrap().len(), 32);
        assert!(sign(&secret, "a", Timestamp::from_millis(0), "{}").is_some());
        assert_ne!(draw().expose_secret(), secret.expose_secret());
    }

    proptest! {
        #[test]
        fn any_secret_and_body_are_taken_without_panic(
            secret in ".{0,60}",
            id in ".{0,40}",
            body in ".{0,200}",
            at in any::<i64>(),
        ) {
            let at = Timestamp::from_millis(at);
            let _ = sign(&SecretString::from(secret), &id, at, &body);
            let real = draw();
            let one = sign(&real, &id, at, &body).unwrap();
            prop_assert_ne!(&one, &sign(&real, &id, at, &format!("{body} ")).unwrap());
            prop_assert_ne!(&one, &sign(&draw(), &id, at, &body).unwrap());
        }
    }
}
