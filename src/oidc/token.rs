//! When an ID token is believed, and what it says.
//!
//! Signature by a key of the provider's with an asymmetric algorithm, issuer, audience, times and nonce
//! are the library's to check. Our verifier knows no client secret, so no algorithm with a shared secret
//! can pass, and `none` has no signature.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use clipqueue_entities::Timestamp;
use openidconnect::{
    ClaimsVerificationError, ClientId, Nonce, SignatureVerificationError,
    core::{
        CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm as Alg, CoreProviderMetadata,
    },
};
use serde_json::Value;

use super::{OidcError, Provider, nonce_hash};

/// What a signature may be made with.
const ALGORITHMS: [Alg; 9] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];
/// How far the provider's clock may be ahead of ours.
const AHEAD: Duration = Duration::from_secs(300);
/// OpenID Connect allows no longer subject.
const MAX_SUBJECT: usize = 255;

/// What an ID token that is believed says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who, for good, within the issuer.
    pub subject: String,
    /// What they call themselves.
    pub name: Option<String>,
    /// The values of the claim that gives roles.
    pub values: Vec<String>,
}

/// Why a token was not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// Its key is not known, and may be a new one.
    UnknownKey,
    /// It is not believed.
    Not(String),
}

impl From<Unread> for OidcError {
    fn from(unread: Unread) -> Self {
        Self::NotBelieved(match unread {
            Unread::UnknownKey => "the provider has no key of that name".to_owned(),
            Unread::Not(why) => why,
        })
    }
}

/// Reads an ID token of a sign-in whose nonce has that hash.
pub(super) fn read(
    provider: &Provider,
    metadata: &CoreProviderMetadata,
    token: &CoreIdToken,
    nonce: &str,
) -> Result<Claims, Unread> {
    let not = |why: &str| Unread::Not(why.to_owned());
    let settings = provider.settings();
    let client = ClientId::new(settings.client_id.clone());
    let now = provider.0.clock.now();
    let verifier = CoreIdTokenVerifier::new_public_client(
        client.clone(),
        metadata.issuer().clone(),
        metadata.jwks().clone(),
    )
    .set_allowed_algs(ALGORITHMS)
    .set_time_fn(move || utc(now))
    .set_issue_time_verifier_fn(move |issued| match issued <= utc(now + AHEAD) {
        true => Ok(()),
        false => Err("it is of the future".to_owned()),
    });
    let is_expected = |shown: Option<&Nonce>| match shown {
        // Hashes of 256 random bits: how long a comparison takes tells nothing of use.
        Some(shown) if nonce_hash(shown.secret()) == nonce => Ok(()),
        Some(_) => Err("it is another sign-in's".to_owned()),
        None => Err("it holds none".to_owned()),
    };
    let claims = token.claims(&verifier, is_expected).map_err(why)?;
    if claims.authorized_party().is_some_and(|by| *by != client) {
        return Err(not("it was made for another client"));
    }
    let subject = claims.subject().as_str();
    if subject.is_empty() || subject.len() > MAX_SUBJECT {
        return Err(not("its subject is empty or too long"));
    }
    let name = claims.preferred_username().map(|name| name.as_str());
    let email = claims.email().map(|email| email.as_str());
    let payload = payload(&token.to_string()).ok_or_else(|| not("it cannot be read"))?;
    Ok(Claims {
        subject: subject.to_owned(),
        name: name.or(email).map(str::to_owned),
        values: values(&payload, &settings.claim),
    })
}

fn why(error: ClaimsVerificationError) -> Unread {
    use ClaimsVerificationError as Error;
    let text = match error {
        Error::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            return Unread::UnknownKey;
        }
        Error::Expired(_) => "it has expired, or the clocks differ",
        Error::InvalidAudience(_) => "it is for another client",
        Error::InvalidIssuer(_) => "it names another issuer",
        Error::InvalidNonce(_) => "its nonce is not of this sign-in",
        Error::SignatureVerification(SignatureVerificationError::NoSignature) => "it is not signed",
        Error::SignatureVerification(
            SignatureVerificationError::DisallowedAlg(_)
            | SignatureVerificationError::UnsupportedAlg(_),
        ) => "it is signed with an algorithm that is not taken",
        Error::SignatureVerification(_) => "its signature is wrong",
        _ => "it is not of a form that is understood",
    };
    Unread::Not(text.to_owned())
}

fn utc(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.as_millis()).unwrap_or_default()
}

/// The claims of a token in its compact form, whose signature was checked.
fn payload(token: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The values of a claim: a text, or a list of texts. The name may be that of the claim as a whole, or lead
/// into objects by dots. An address of mail counts only if the provider has verified it.
fn values(payload: &Value, claim: &str) -> Vec<String> {
    if claim == "email" && payload.get("email_verified") != Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let within = || claim.split('.').try_fold(payload, |of, part| of.get(part));
    let found = payload.get(claim).or_else(within);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match found {
        Some(Value::Array(list)) => list.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_a_text_or_a_list_and_may_lie_within_others() {
        let payload = json!({
            "groups": ["staff", 7, "root", null],
            "hd": "example.com",
            "realm_access": { "roles": ["admin"] },
            "https://example.com/roles": ["namespaced"],
            "level": 3,
        });
        for (claim, expected) in [
            ("groups", &["staff", "root"][..]),
            ("hd", &["example.com"]),
            ("realm_access.roles", &["admin"]),
            ("https://example.com/roles", &["namespaced"]),
            ("level", &[]),
            ("realm_access", &[]),
            ("hd.x", &[]),
            ("missing", &[]),
        ] {
            assert_eq!(values(&payload, claim), expected, "{claim}");
        }
    }

    #[test]
    fn an_address_of_mail_gives_something_only_when_it_is_verified() {
        let of = |verified: Value| {
            let payload = json!({ "email": "ada@example.com", "email_verified": verified });
            values(&payload, "email")
        };
        assert_eq!(of(json!(true)), ["ada@example.com"]);
        for verified in [json!(false), json!("true"), json!(null), json!(1)] {
            assert!(of(verified).is_empty());
        }
        assert!(values(&json!({ "email": "ada@example.com" }), "email").is_empty());
    }

    #[test]
    fn nothing_can_be_signed_with_a_shared_secret() {
        for alg in [Alg::HmacSha256, Alg::HmacSha384, Alg::HmacSha512, Alg::None] {
            assert!(!ALGORITHMS.contains(&alg), "{alg:?}");
        }
    }

    proptest! {
        #[test]
        fn any_token_and_claim_are_read_without_panic(token in ".{0,80}", claim in ".{0,30}") {
            let payload = payload(&token).unwrap_or_default();
            let _ = values(&payload, &claim);
        }
    }
}
