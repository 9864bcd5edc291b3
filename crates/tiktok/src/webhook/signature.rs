//! Whether a delivery is from TikTok. Knows the raw bytes, not what they say.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::to_milliseconds;

/// Name of the header with the signature.
pub const SIGNATURE_HEADER: &str = "TikTok-Signature";

/// Why a delivery is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is not of the form `t=…,s=…`.
    #[error("the signature header is malformed")]
    Malformed,
    /// The signature does not fit the body and the secret.
    #[error("the signature does not match")]
    Mismatch,
}

/// Checks the signature of a delivery over its raw bytes, in constant time, and gives the time at which it was
/// signed in Unix seconds. How old that may be is for the caller to judge.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(
    client_secret: &SecretString,
    header: &str,
    body: &[u8],
) -> Result<i64, SignatureError> {
    let mut time = None;
    let mut signature = None;
    for (key, value) in header.split(',').filter_map(|part| part.split_once('=')) {
        match key.trim() {
            "t" => time = Some(value.trim()),
            "s" => signature = Some(value.trim()),
            _ => {}
        }
    }
    let (Some(time), Some(signature)) = (time, signature) else {
        return Err(SignatureError::Malformed);
    };
    let signed_at: i64 = time.parse().map_err(|_| SignatureError::Malformed)?;
    let signature = hex::decode(signature).map_err(|_| SignatureError::Malformed)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(client_secret.expose_secret().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.verify_slice(&signature)
        .map_err(|_| SignatureError::Mismatch)?;
    Ok(to_milliseconds(signed_at) / 1000)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const BODY: &[u8] = br#"{"client_key":"awtest","event":"post.publish.complete","create_time":1770210873,"user_openid":"-000TestOpenId","content":"{\"publish_id\":\"v_pub_file~v2-1.7000000000000000001\",\"publish_type\":\"DIRECT_PUBLISH\"}"}"#;
    const SIGNATURE: &str = "62013c2b0b7b2f7cd5b6fbdbccdc81a2367db4afb77b489d8f61c4593d5cba37";

    fn check(header: &str, body: &[u8]) -> Result<i64, SignatureError> {
        verify(&SecretString::from("test_client_secret"), header, body)
    }

    fn sign(time: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"test_client_secret").unwrap();
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("t={time},s={}", hex::encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn vector() {
        assert_eq!(BODY.len(), 216);
        let header = format!("t=1770210880,s={SIGNATURE}");
        assert_eq!(check(&header, BODY), Ok(1_770_210_880));
        let spaced = format!("s={}, t=1770210880, v=2", SIGNATURE.to_uppercase());
        assert_eq!(check(&spaced, BODY), Ok(1_770_210_880));
        assert_eq!(
            verify(&SecretString::from("other"), &header, BODY),
            Err(SignatureError::Mismatch)
        );
    }

    #[test]
    fn the_time_is_signed_as_written_and_read_in_either_unit() {
        assert_eq!(
            check(&sign("1770210880123", b"{}"), b"{}"),
            Ok(1_770_210_880)
        );
        let header = format!("t=1770210881,s={SIGNATURE}");
        assert_eq!(check(&header, BODY), Err(SignatureError::Mismatch));
    }

    #[test]
    fn malformed_headers() {
        for header in [
            "", "t=1", "s=00", "t=x,s=00", "t=1,s=zz", "t=1;s=00", "t=,s=",
        ] {
            assert_eq!(
                check(header, b""),
                Err(SignatureError::Malformed),
                "{header}"
            );
        }
        // A cut signature must not pass as a prefix.
        let cut = format!("t=1770210880,s={}", &SIGNATURE[..32]);
        assert_eq!(check(&cut, BODY), Err(SignatureError::Mismatch));
    }

    proptest! {
        #[test]
        fn no_header_panics_or_passes(
            header in ".{0,120}",
            near in "t=-?[0-9]{0,25},s=[0-9a-fg]{0,70}(,s=[0-9a-f]{64})?",
            body in any::<Vec<u8>>(),
        ) {
            prop_assert!(check(&header, &body).is_err());
            prop_assert!(check(&near, &body).is_err());
        }

        #[test]
        fn any_flipped_bit_is_noticed(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut body = BODY.to_vec();
            body[at.index(BODY.len())] ^= 1 << bit;
            let header = format!("t=1770210880,s={SIGNATURE}");
            prop_assert_eq!(check(&header, &body), Err(SignatureError::Mismatch));
        }
    }
}
