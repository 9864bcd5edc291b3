//! The keys of a provider of identities, and ID tokens signed by them in every way that a test asks for.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RsaKeyPair, RsaPublicKeyComponents,
    },
};
use serde_json::{Value, json};

use super::provider::SECRET;

/// The key of RSA; making one takes ring more than it offers.
const RSA: &[u8] = include_bytes!("keys/provider-rsa.pk8");

/// How an ID token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Rs256,
    Ps256,
    /// With the first or the second key of its kind.
    Es256(usize),
    EdDsa,
    /// Not at all.
    None,
    /// By a MAC whose key is the public key of RSA.
    MacOfPublicKey,
    /// By a MAC whose key is the client's secret.
    MacOfSecret,
    /// With the first key under the name of the second.
    Misnamed,
}

/// One pair of each kind, and two of ES256.
pub(super) struct Keys {
    rsa: RsaKeyPair,
    es: [EcdsaKeyPair; 2],
    ed: Ed25519KeyPair,
}

/// Base64url without padding, as JOSE has it.
pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Keys {
    pub(super) fn new() -> Self {
        let random = SystemRandom::new();
        let es = || {
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap()
        };
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            rsa: RsaKeyPair::from_pkcs8(RSA).unwrap(),
            es: [es(), es()],
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
        }
    }

    fn modulus(&self) -> Vec<u8> {
        RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public()).n
    }

    /// The public keys, of ES256 the first alone until it was rotated.
    pub(super) fn published(&self, rotated: bool) -> Value {
        let es = |at: usize| {
            // 4, and two coordinates.
            let point = self.es[at].public_key().as_ref();
            json!({ "kty": "EC", "use": "sig", "crv": "P-256", "kid": format!("es-{at}"),
                    "x": b64(&point[1..33]), "y": b64(&point[33..65]) })
        };
        let exponent = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public()).e;
        let rsa = json!({ "kty": "RSA", "use": "sig", "kid": "rsa",
                          "n": b64(self.modulus()), "e": b64(exponent) });
        let ed = json!({ "kty": "OKP", "use": "sig", "crv": "Ed25519", "kid": "ed",
                         "x": b64(self.ed.public_key().as_ref()) });
        let mut keys = vec![rsa, ed, es(0)];
        if rotated {
            keys.push(es(1));
        }
        json!({ "keys": keys })
    }

    /// A token in its compact form.
    pub(super) fn token(&self, sign: Sign, claims: &Value) -> String {
        let (alg, kid) = match sign {
            Sign::Rs256 => ("RS256", Some("rsa")),
            Sign::Ps256 => ("PS256", Some("rsa")),
            Sign::Es256(0) => ("ES256", Some("es-0")),
            Sign::Es256(_) | Sign::Misnamed => ("ES256", Some("es-1")),
            Sign::EdDsa => ("EdDSA", Some("ed")),
            Sign::None => ("none", None),
            Sign::MacOfPublicKey => ("HS256", Some("rsa")),
            Sign::MacOfSecret => ("HS256", None),
        };
        let mut header = json!({ "alg": alg, "typ": "JWT" });
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        let body = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let message = body.as_bytes();
        let random = SystemRandom::new();
        let rsa = |padding: &'static dyn signature::RsaEncoding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa
                .sign(padding, &random, message, &mut signature)
                .unwrap();
            signature
        };
        let mac = |key: &[u8]| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key);
            hmac::sign(&key, message).as_ref().to_vec()
        };
        let es = |at: usize| {
            self.es[at]
                .sign(&random, message)
                .unwrap()
                .as_ref()
                .to_vec()
        };
        let signature = match sign {
            Sign::Rs256 => rsa(&signature::RSA_PKCS1_SHA256),
            Sign::Ps256 => rsa(&signature::RSA_PSS_SHA256),
            Sign::Es256(at) => es(at),
            Sign::Misnamed => es(0),
            Sign::EdDsa => self.ed.sign(message).as_ref().to_vec(),
            Sign::None => Vec::new(),
            Sign::MacOfPublicKey => mac(&self.modulus()),
            Sign::MacOfSecret => mac(SECRET.as_bytes()),
        };
        format!("{body}.{}", b64(signature))
    }
}
