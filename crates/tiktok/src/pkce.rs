//! PKCE as TikTok wants it: the challenge is the verifier's SHA-256 in lowercase hex, where the
//! standard says base64url. Verifiers come from the `oauth2` crate.

use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use sha2::{Digest, Sha256};

/// The only challenge method that TikTok knows.
pub const METHOD: &str = "S256";

/// A fresh random verifier of 43 characters, for one login.
#[must_use]
pub fn new_verifier() -> PkceCodeVerifier {
    // The challenge that comes with it has the standard's encoding, which TikTok refuses.
    let (_base64url_challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    verifier
}

/// The challenge of a verifier: 64 lowercase hex digits.
#[must_use]
pub fn challenge(verifier: &PkceCodeVerifier) -> String {
    hex::encode(Sha256::digest(verifier.secret().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenge_is_hex() {
        let verifier = PkceCodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
        assert_eq!(
            challenge(&verifier),
            "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"
        );
    }

    #[test]
    fn verifiers_are_fresh_and_well_formed() {
        let (a, b) = (new_verifier(), new_verifier());
        assert_ne!(a.secret(), b.secret());
        assert!((43..=128).contains(&a.secret().len()));
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        assert!(a.secret().chars().all(allowed));
    }
}
