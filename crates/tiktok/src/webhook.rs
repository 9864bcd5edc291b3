//! TikTok's webhooks: is it from TikTok, and what does it say.
//!
//! The life of a delivery: [`verify`] checks the signature over the raw bytes, [`Notice::parse`] reads them, and
//! [`Notice::dedup_key`] tells a repetition. TikTok repeats for 72 hours, in any order, and it is not known whether a
//! repetition is signed afresh; so the caller judges the age of a signature and looks for repetitions. A notice is a
//! hint: what matters is confirmed by asking for the status.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::FailReason;
use crate::fields::Fields;
use crate::ids::{OpenId, PostId, PublishId};
use crate::text::clean;

/// Name of the header with the signature.
pub const SIGNATURE_HEADER: &str = "TikTok-Signature";
/// Times above this are in milliseconds, below in seconds. In seconds it lies in the year 5138.
const MILLISECONDS_ABOVE: i64 = 100_000_000_000;
/// Longest unknown event name that is kept, in characters.
const NAME_MAX_CHARS: usize = 80;

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

/// Why a body is no notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// It is no JSON object.
    #[error("the body is no JSON object")]
    NotJson,
    /// It names no event.
    #[error("the body has no `event`")]
    NoEvent,
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

/// What TikTok tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The app it is for.
    pub client_key: Option<String>,
    /// Whom it is about; no real one in a ping.
    pub user_openid: Option<OpenId>,
    /// When it happened, in Unix milliseconds. TikTok sends seconds, and milliseconds in pings.
    pub created_at_ms: Option<i64>,
    /// What happened.
    pub event: Event,
    dedup_key: [u8; 32],
}

/// A publishing task, as notices name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its handle.
    pub publish_id: PublishId,
    /// Draft or direct, if the notice says so.
    pub publish_type: Option<PublishType>,
}

/// The kind of a publishing task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishType {
    /// A draft in the inbox.
    InboxShare,
    /// A direct post. Observed, not documented.
    DirectPublish,
    /// Something else.
    Unknown(String),
}

/// Why the app lost its access to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalReason {
    /// 0, or a number that is not documented.
    Unknown,
    /// 1: the user disconnected the app.
    UserDisconnected,
    /// 2: the account was deleted.
    AccountDeleted,
    /// 3: the user's age changed.
    AgeChanged,
    /// 4: the account was banned.
    AccountBanned,
    /// 5: the app itself revoked the grant.
    DeveloperRevoked,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A task failed.
    PublishFailed {
        /// Which.
        task: Task,
        /// Why.
        reason: Option<FailReason>,
    },
    /// A direct post is done, or the creator posted a draft. Can come several times for one draft.
    PublishComplete {
        /// Which.
        task: Task,
    },
    /// A draft is in the inbox.
    InboxDelivered {
        /// Which.
        task: Task,
    },
    /// A post became public.
    PubliclyAvailable {
        /// Of which task.
        task: Task,
        /// Which post.
        post_id: Option<PostId>,
    },
    /// A post is no longer public.
    NoLongerPubliclyAvailable {
        /// Of which task.
        task: Task,
        /// Which post.
        post_id: Option<PostId>,
    },
    /// The app lost its access; its tokens are dead already.
    AuthorizationRemoved {
        /// Why.
        reason: RemovalReason,
    },
    /// The test button of TikTok's portal.
    Ping,
    /// Another event, or one of the above without what makes it usable.
    Unknown {
        /// TikTok's name of it.
        name: String,
        /// Its content as it came.
        content: String,
    },
}

impl Notice {
    /// Reads a verified body.
    ///
    /// # Errors
    /// [`NoticeError`]. An event that is not known is no error.
    pub fn parse(body: &[u8]) -> Result<Self, NoticeError> {
        let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
            return Err(NoticeError::NotJson);
        };
        let fields = Fields(object);
        let name = fields.filled("event").ok_or(NoticeError::NoEvent)?;
        let openid = fields.text("user_openid").unwrap_or_default();
        let create_time = fields.signed("create_time");
        let content = match fields.0.get("content") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            // Documented as a JSON text in a string; taken as plain JSON too.
            Some(other) => other.to_string(),
        };
        let time_text = create_time.map(|t| t.to_string()).unwrap_or_default();
        Ok(Self {
            client_key: fields.owned("client_key"),
            user_openid: OpenId::parse(openid).ok(),
            created_at_ms: create_time.map(to_milliseconds),
            event: Event::read(name, &content),
            dedup_key: digest(&[name, openid, &time_text, &content]),
        })
    }

    /// The same for every repetition of one notice: SHA-256 over event, user, time and content. TikTok sends no
    /// id, and one task rightly has several notices.
    #[must_use]
    pub fn dedup_key(&self) -> &[u8; 32] {
        &self.dedup_key
    }
}

impl Event {
    fn read(name: &str, content: &str) -> Self {
        let inner = match serde_json::from_str(content) {
            Ok(Value::Object(object)) => Fields(object),
            _ => Fields::default(),
        };
        Self::known(name, &inner).unwrap_or_else(|| Self::Unknown {
            name: clean(name, NAME_MAX_CHARS),
            content: content.to_owned(),
        })
    }

    fn known(name: &str, inner: &Fields) -> Option<Self> {
        let task = || {
            Some(Task {
                publish_id: PublishId::parse(inner.filled("publish_id")?).ok()?,
                publish_type: inner.filled("publish_type").map(PublishType::from_wire),
            })
        };
        let post_id = || inner.post_id("post_id");
        Some(match name {
            "post.publish.failed" => Self::PublishFailed {
                task: task()?,
                reason: inner.filled("reason").map(FailReason::from_wire),
            },
            "post.publish.complete" => Self::PublishComplete { task: task()? },
            "post.publish.inbox_delivered" => Self::InboxDelivered { task: task()? },
            // TikTok spells one of the two names with "publicaly"; each is taken in both spellings.
            "post.publish.publicly_available" | "post.publish.publicaly_available" => {
                Self::PubliclyAvailable {
                    task: task()?,
                    post_id: post_id(),
                }
            }
            "post.publish.no_longer_publicaly_available"
            | "post.publish.no_longer_publicly_available" => Self::NoLongerPubliclyAvailable {
                task: task()?,
                post_id: post_id(),
            },
            "authorization.removed" => Self::AuthorizationRemoved {
                reason: RemovalReason::from_wire(inner.signed("reason")),
            },
            "tiktok.ping" => Self::Ping,
            _ => return None,
        })
    }
}

impl PublishType {
    fn from_wire(text: &str) -> Self {
        match text {
            "INBOX_SHARE" => Self::InboxShare,
            "DIRECT_PUBLISH" => Self::DirectPublish,
            other => Self::Unknown(clean(other, NAME_MAX_CHARS)),
        }
    }
}

impl RemovalReason {
    fn from_wire(number: Option<i64>) -> Self {
        match number {
            Some(1) => Self::UserDisconnected,
            Some(2) => Self::AccountDeleted,
            Some(3) => Self::AgeChanged,
            Some(4) => Self::AccountBanned,
            Some(5) => Self::DeveloperRevoked,
            _ => Self::Unknown,
        }
    }
}

fn to_milliseconds(time: i64) -> i64 {
    if time > MILLISECONDS_ABOVE {
        time
    } else {
        time.saturating_mul(1000)
    }
}

/// Hashes the parts with their lengths, so that no two lists of parts give the same bytes.
fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}
