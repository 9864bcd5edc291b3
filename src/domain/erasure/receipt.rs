//! The receipt: what was done, when and how often, what stays and until when, and what TikTok had been
//! handed before. Signed with Ed25519 over its canonical JSON (RFC 8785), so that anybody can verify it
//! without us, given the published keys.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clipqueue_entities::{ErasureId, Timestamp, erasure, erasure_step};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sea_orm::ActiveEnum as _;
use serde_json::{Value, json};

use super::{Step, Watched};
use crate::{app::App, mail::Outbox, secrets::sha256};

/// Where receipts lie in the media storage.
pub(super) const PLACE: &str = "receipts";
/// Logs are kept no longer than this.
const LOGS_KEPT: Duration = Duration::from_secs(90 * 86_400);
/// A letter is tried for no longer than this.
const LETTER_KEPT: Duration = Duration::from_secs(3 * 86_400);
/// The only layout of receipts so far.
const FORMAT: u32 = 1;

/// An instant as people and programs read it.
pub fn instant(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_millis(at.as_millis()).map_or_else(String::new, |time| {
        time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    })
}

/// A step as receipts and status pages show it.
pub(super) fn step(row: &erasure_step::Model) -> Value {
    json!({ "step": row.step, "done_at": instant(row.done_at), "counts": row.counts })
}

/// What a receipt tells beside the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beside {
    /// The erasure of the user that follows.
    pub(super) follower: Option<ErasureId>,
    /// Whether an address waits for the letter with the code.
    pub(super) keeps_address: bool,
}

/// How many grants TikTok could not be brought to end, by the steps of a receipt.
pub(super) fn left_at_tiktok(steps: &Value) -> u64 {
    let mut steps = steps.as_array().into_iter().flatten();
    let revoke = steps.find(|step| step["step"] == Step::Revoke.word());
    revoke.map_or(0, |step| grants_left(&step["counts"]))
}

/// The same by the counts of the step that ends grants.
pub fn grants_left(counts: &Value) -> u64 {
    counts["left_at_tiktok"].as_u64().unwrap_or(0)
}

/// What is signed.
pub(super) fn body(
    app: &App,
    erasure: &erasure::Model,
    steps: &[erasure_step::Model],
    beside: &Beside,
    now: Timestamp,
) -> Value {
    let kept = instant(now + app.config.erasure.keep);
    let steps = Value::Array(steps.iter().map(step).collect());
    let left = left_at_tiktok(&steps);
    let mut body = json!({
        "format": FORMAT,
        "issuer": app.config.http.public_url.as_str(),
        "erasure": erasure.id.to_string(),
        "code_sha256": erasure.code_hash,
        "scope": erasure.scope.to_value(),
        "cause": erasure.cause.to_value(),
        "requested_at": instant(erasure.requested_at),
        "completed_at": instant(now),
        "steps": steps,
        "handed_to_tiktok_before": erasure.handed.clone().unwrap_or_else(|| json!([])),
        "stays": [
            {
                "what": "this receipt, with TikTok's ids of what it had been handed before",
                "until": kept,
                "places": ["database:erasures.receipt", "object:receipts/"],
            },
            {
                "what": "tombstones: keyed hashes that keep the data from coming back and tell nobody whose it was",
                "until": kept,
                "places": [],
            },
            {
                "what": "technical and security logs, with internal ids of this service and no id of TikTok's",
                "until": instant(now + LOGS_KEPT),
                "places": ["log:"],
            },
            {
                "what": "totals over all users, without anything by which somebody could be told",
                "until": null,
                "places": [],
            },
            {
                "what": "what TikTok was handed before, at TikTok: only its creator can delete it there",
                "until": null,
                "places": [],
            },
        ],
    });
    if let Some(stays) = body["stays"].as_array_mut() {
        stays.extend(billing(app, erasure, now));
        if left > 0 {
            stays.push(json!({
                "what": "the permission at TikTok, which TikTok did not end when it was asked: only its creator \
                         can end it, in the TikTok app under the apps with access",
                "until": null,
                "places": [],
            }));
        }
        if beside.follower.is_some() {
            stays.push(json!({
                "what": "what hung on the user and on no account, until the erasure that follows is complete: \
                         see followed_by",
                "until": null,
                "places": [],
            }));
        }
        if beside.keeps_address {
            stays.push(json!({
                "what": "the address that was given for answers, sealed, until the letter with this receipt's code is sent",
                "until": instant(now + LETTER_KEPT),
                "places": [],
            }));
            if matches!(app.config.mail.outbox, Outbox::Directory(_)) {
                stays.push(json!({
                    "what": "the letter with this receipt's code, with the address that it goes to, as a file of the outbox",
                    "until": instant(now + LETTER_KEPT + app.config.retention.mails),
                    "places": ["mail:"],
                }));
            }
        }
    }
    if let Some(follower) = beside.follower {
        body["followed_by"] = json!(follower.to_string());
    }
    body
}

/// What the law on accounting asks for, and what we cannot end.
fn billing(app: &App, erasure: &erasure::Model, now: Timestamp) -> Vec<Value> {
    if Watched::of(erasure).subscriptions == 0 {
        return Vec::new();
    }
    vec![
        json!({
            "what": "for accounting: PayPal's id and status of the subscription, and the ends of its paid period, \
                     grace and access, sealed, under a key that leads to nobody here",
            "until": instant(now + app.config.paypal.keep_records),
            "places": [],
        }),
        json!({
            "what": "the subscription at PayPal: only its payer can end it there",
            "until": null,
            "places": [],
        }),
    ]
}

/// Canonical JSON after RFC 8785, for values whose numbers are whole.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        plain => plain.to_string(),
    }
}

/// Signs receipts.
pub struct Signer {
    pair: Ed25519KeyPair,
    id: String,
}

impl Signer {
    /// With the key that follows from the master key.
    pub fn of(app: &App) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(app.vault.receipt_seed())
            .expect("any 32 bytes are a seed of Ed25519");
        let id = hex::encode(&sha256(pair.public_key().as_ref())[..8]);
        Self { pair, id }
    }

    /// The name of the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key, base64url.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref())
    }

    /// The signed receipt as it is given out.
    pub fn sign(&self, body: &Value) -> String {
        let signature = self.pair.sign(canonical(body).as_bytes());
        canonical(&json!({
            "receipt": body,
            "signature": {
                "algorithm": "Ed25519",
                "key": self.id,
                "value": URL_SAFE_NO_PAD.encode(signature.as_ref()),
            },
        }))
    }
}

/// A JSON Web Key Set of public keys, each a name and base64url.
pub(super) fn key_set(keys: &[(String, String)]) -> Value {
    let keys: Vec<Value> = keys
        .iter()
        .map(|(id, key)| {
            json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": id, "x": key })
        })
        .collect();
    json!({ "keys": keys })
}

/// Why a receipt is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// It is no receipt.
    #[error("this is no signed receipt: {0} is missing")]
    NoReceipt(&'static str),
    /// The key that it names is not among those given.
    #[error(
        "the keys hold none that is called {0}; fetch them from /.well-known/clipqueue-receipt-keys.json of the issuer"
    )]
    UnknownKey(String),
    /// The signature does not fit.
    #[error("the signature does not fit: the receipt was changed, or is not the issuer's")]
    Forged,
}

/// Verifies a signed receipt by a key set. Asks nobody.
pub fn verify(document: &Value, keys: &Value) -> Result<Value, NotVerified> {
    let body = document
        .get("receipt")
        .filter(|body| body.is_object())
        .ok_or(NotVerified::NoReceipt("receipt"))?;
    let text = |name: &'static str| {
        document["signature"][name]
            .as_str()
            .ok_or(NotVerified::NoReceipt(name))
    };
    if text("algorithm")? != "Ed25519" {
        return Err(NotVerified::NoReceipt("algorithm Ed25519"));
    }
    let name = text("key")?;
    let key = keys["keys"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|key| key["kid"] == name && key["crv"] == "Ed25519")
        .and_then(|key| key["x"].as_str())
        .and_then(|key| URL_SAFE_NO_PAD.decode(key).ok())
        .ok_or_else(|| NotVerified::UnknownKey(name.to_owned()))?;
    let signature = URL_SAFE_NO_PAD
        .decode(text("value")?)
        .map_err(|_| NotVerified::Forged)?;
    UnparsedPublicKey::new(&ED25519, key)
        .verify(canonical(body).as_bytes(), &signature)
        .map_err(|_| NotVerified::Forged)?;
    Ok(body.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(byte: u8) -> Signer {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[byte; 32]).unwrap();
        let id = format!("k{byte}");
        Signer { pair, id }
    }

    fn keys_of(signer: &Signer) -> Value {
        key_set(&[(signer.id.clone(), signer.public_key())])
    }

    #[test]
    fn canonical_json_knows_one_order_and_no_spaces() {
        let value: Value =
            serde_json::from_str(r#"{ "b": [1, {"z": null, "a": "x\"\n"}], "a": true }"#).unwrap();
        assert_eq!(
            canonical(&value),
            r#"{"a":true,"b":[1,{"a":"x\"\n","z":null}]}"#
        );
    }

    #[test]
    fn a_receipt_verifies_however_it_is_laid_out_and_not_when_it_was_changed() {
        let signer = signer(7);
        let body =
            json!({ "steps": [{ "step": "revoke", "counts": { "revoked": 1 } }], "scope": "user" });
        let document: Value = serde_json::from_str(&signer.sign(&body)).unwrap();
        let pretty = serde_json::to_string_pretty(&document).unwrap();
        let again: Value = serde_json::from_str(&pretty).unwrap();
        assert_eq!(verify(&again, &keys_of(&signer)), Ok(body));
        let mut changed = document.clone();
        changed["receipt"]["steps"][0]["counts"]["revoked"] = json!(2);
        assert_eq!(
            verify(&changed, &keys_of(&signer)),
            Err(NotVerified::Forged)
        );
        let other = self::signer(8);
        assert!(matches!(
            verify(&document, &keys_of(&other)),
            Err(NotVerified::UnknownKey(_))
        ));
        let disguised = key_set(&[(signer.id.clone(), other.public_key())]);
        assert_eq!(verify(&document, &disguised), Err(NotVerified::Forged));
        assert!(verify(&json!({}), &keys_of(&signer)).is_err());
    }
}
