//! TikTok's webhooks: is it from TikTok, and what does it say.
//!
//! The life of a delivery: [`verify`] checks the signature over the raw bytes, [`Notice::parse`] reads them, and
//! [`Notice::dedup_key`] tells a repetition. TikTok repeats for 72 hours, in any order, and it is not known whether a
//! repetition is signed afresh; so the caller judges the age of a signature and looks for repetitions. A notice is a
//! hint: what matters is confirmed by asking for the status.

mod event;
mod signature;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fields::Fields;
use crate::ids::OpenId;

pub use event::{Event, PublishType, RemovalReason, Task};
pub use signature::{SIGNATURE_HEADER, SignatureError, verify};

/// Times above this are in milliseconds, below in seconds. In seconds it lies in the year 5138.
const MILLISECONDS_ABOVE: i64 = 100_000_000_000;

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::FailReason;
    use proptest::prelude::*;
    use serde_json::json;

    fn notice(event: &str, content: &Value) -> Notice {
        let body = json!({
            "client_key": "awtest",
            "event": event,
            "create_time": 1_770_210_873,
            "user_openid": "-000TestOpenId",
            "content": content.to_string(),
            "new_field": [1],
        });
        Notice::parse(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn publishing_events() {
        let content = json!({"publish_id": "v_pub~1", "publish_type": "DIRECT_PUBLISH", "post_id": "7412345678901234567"});
        let task = Task {
            publish_id: "v_pub~1".parse().unwrap(),
            publish_type: Some(PublishType::DirectPublish),
        };
        let post_id = Some("7412345678901234567".parse().unwrap());
        let complete = notice("post.publish.complete", &content);
        assert_eq!(
            complete.event,
            Event::PublishComplete { task: task.clone() }
        );
        assert_eq!(complete.created_at_ms, Some(1_770_210_873_000));
        assert_eq!(complete.user_openid.unwrap().as_str(), "-000TestOpenId");
        assert_eq!(complete.client_key.as_deref(), Some("awtest"));
        for spelling in ["publicaly", "publicly"] {
            assert_eq!(
                notice(&format!("post.publish.{spelling}_available"), &content).event,
                Event::PubliclyAvailable {
                    task: task.clone(),
                    post_id: post_id.clone()
                }
            );
            assert_eq!(
                notice(
                    &format!("post.publish.no_longer_{spelling}_available"),
                    &content
                )
                .event,
                Event::NoLongerPubliclyAvailable {
                    task: task.clone(),
                    post_id: post_id.clone()
                }
            );
        }
        let failed = json!({"publish_id": "v_pub~1", "reason": "spam_risk_text"});
        let task = Task {
            publish_type: None,
            ..task
        };
        assert_eq!(
            notice("post.publish.failed", &failed).event,
            Event::PublishFailed {
                task,
                reason: Some(FailReason::RiskyText)
            }
        );
        let number = json!({"publish_id": "p", "post_id": 7_412_345_678_901_234_567_u64});
        let Event::PubliclyAvailable { post_id, .. } =
            notice("post.publish.publicly_available", &number).event
        else {
            panic!("publicly available");
        };
        assert_eq!(post_id.unwrap().as_str(), "7412345678901234567");
        let delivered = json!({"publish_id": "p", "publish_type": "INBOX_SHARE"});
        assert!(matches!(
            notice("post.publish.inbox_delivered", &delivered).event,
            Event::InboxDelivered {
                task: Task {
                    publish_type: Some(PublishType::InboxShare),
                    ..
                }
            }
        ));
    }

    #[test]
    fn removal_ping_and_the_unknown() {
        let reasons = [
            (1, RemovalReason::UserDisconnected),
            (2, RemovalReason::AccountDeleted),
            (3, RemovalReason::AgeChanged),
            (4, RemovalReason::AccountBanned),
            (5, RemovalReason::DeveloperRevoked),
            (9, RemovalReason::Unknown),
        ];
        for (number, reason) in reasons {
            let event = notice("authorization.removed", &json!({"reason": number})).event;
            assert_eq!(event, Event::AuthorizationRemoved { reason });
        }
        let ping = br#"{"event":"tiktok.ping","create_time":1770210873123,"user_openid":"","content":"{\"reason\":\"testing Webhook\"}"}"#;
        let ping = Notice::parse(ping).unwrap();
        assert_eq!(
            (ping.event, ping.created_at_ms),
            (Event::Ping, Some(1_770_210_873_123))
        );
        assert_eq!(ping.user_openid, None);

        // An event without its publish id is kept as it came.
        for (name, content) in [
            ("video.upload.failed", json!({"share_id": "s"})),
            ("post.publish.complete", json!({})),
        ] {
            let expected = Event::Unknown {
                name: name.to_owned(),
                content: content.to_string(),
            };
            assert_eq!(notice(name, &content).event, expected);
        }
        assert_eq!(Notice::parse(b"[]"), Err(NoticeError::NotJson));
        assert_eq!(Notice::parse(b"{\"event\":"), Err(NoticeError::NotJson));
        assert_eq!(Notice::parse(b"{}"), Err(NoticeError::NoEvent));
    }

    #[test]
    fn repetitions_share_a_key_and_others_do_not() {
        let one = json!({"publish_id": "p", "post_id": "1"});
        let two = json!({"publish_id": "p", "post_id": "2"});
        let name = "post.publish.publicly_available";
        assert_eq!(
            notice(name, &one).dedup_key(),
            notice(name, &one).dedup_key()
        );
        assert_ne!(
            notice(name, &one).dedup_key(),
            notice(name, &two).dedup_key()
        );
        assert_ne!(
            notice(name, &one).dedup_key(),
            notice("post.publish.complete", &one).dedup_key()
        );
        // Moving a character from one part to the next must change the key.
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    }

    proptest! {
        #[test]
        fn no_body_panics(body in any::<Vec<u8>>(), content in any::<String>()) {
            let _ = Notice::parse(&body);
            let body = json!({"event": "post.publish.failed", "content": content});
            prop_assert!(Notice::parse(body.to_string().as_bytes()).is_ok());
        }
    }
}
