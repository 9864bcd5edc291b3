//! Webhooks: what is said, how it is signed, and the list of deliveries that are due.
//!
//! It sends nothing; `deliver` does. The log keeps every event with every attempt.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::clock::{HOUR, SECOND};
use crate::publish::Publish;
use crate::state::State;

/// TikTok gives up on an event after this long.
const GIVE_UP_AFTER_MS: i64 = 72 * HOUR;
/// The longest a reordered event waits for the one that overtakes it.
const REORDER_HOLD_MS: i64 = 2 * SECOND;
/// Doubling stops here, so that a delay stays a number.
const MAX_DOUBLINGS: u32 = 16;

/// An event and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WebhookRecord {
    /// Position in the log, from 1.
    pub seq: u64,
    /// Event name.
    pub event: String,
    /// Username of the creator, or a placeholder for a ping.
    pub account: String,
    /// The body as sent.
    pub body: String,
    /// When it happened, simulated Unix milliseconds.
    pub at_ms: i64,
    /// Attempts at delivery, copies included.
    pub attempts: Vec<WebhookAttempt>,
    /// Whether one attempt was answered with 200.
    pub delivered: bool,
}

/// One attempt at delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WebhookAttempt {
    /// When, simulated Unix milliseconds.
    pub at_ms: i64,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
}

/// A delivery that is due at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) seq: u64,
    pub(crate) attempt: u32,
    pub(crate) body: String,
    pub(crate) signed: Option<String>,
    event_ms: i64,
}

/// Deliveries by moment, and the log.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    due: BTreeMap<(i64, u64), Delivery>,
    sequence: u64,
    held: bool,
    pub(crate) log: Vec<WebhookRecord>,
}

impl Outbox {
    fn at(&mut self, due: i64, delivery: Delivery) {
        self.sequence += 1;
        self.due.insert((due, self.sequence), delivery);
    }

    pub(crate) fn take_due(&mut self, now: i64) -> Option<Delivery> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        self.due.keys().next().map(|(due, _)| *due)
    }
}

/// The `TikTok-Signature` header for a body sent at `t` (Unix seconds).
pub(crate) fn sign(secret: &str, t: i64, body: &str) -> String {
    let mut mac =
        <Hmac<Sha256>>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("{t}.{body}").as_bytes());
    format!("t={t},s={}", hex::encode(mac.finalize().into_bytes()))
}

impl State {
    /// Emits an event about a publish; `extra` joins its content.
    pub(crate) fn emit_publish(&mut self, event: &str, publish: &Publish, extra: Value, now: i64) {
        let mut content = json!({
            "publish_id": publish.id,
            "publish_type": publish.flow.publish_type(),
        });
        if let (Value::Object(content), Value::Object(extra)) = (&mut content, extra) {
            content.extend(extra);
        }
        self.emit(event, &publish.account, &content, now);
    }

    /// Emits `authorization.removed`; reasons: 0 unknown, 1 user, 2 account deleted, 3 age changed,
    /// 4 banned, 5 developer.
    pub(crate) fn emit_removed(&mut self, account: &str, reason: u8, now: i64) {
        let content = json!({ "reason": reason });
        self.emit("authorization.removed", account, &content, now);
    }

    /// Logs an event and, if a callback URL is set, schedules its delivery.
    pub(crate) fn emit(&mut self, event: &str, account: &str, content: &Value, now: i64) {
        let config = self.config.webhooks.clone();
        let known = self.accounts.get(account);
        // The portal's test button sends an id that belongs to nobody.
        let open_id = known.map_or("test-user", |account| account.open_id.as_str());
        let create_time = if config.ms_timestamps {
            now
        } else {
            now / SECOND
        };
        let body = json!({
            "client_key": self.config.client_key,
            "event": event,
            "create_time": create_time,
            "user_openid": open_id,
            "content": content.to_string(),
        });
        let outbox = &mut self.outbox;
        let seq = outbox.log.len() as u64 + 1;
        outbox.log.push(WebhookRecord {
            seq,
            event: event.to_owned(),
            account: account.to_owned(),
            body: body.to_string(),
            at_ms: now,
            attempts: Vec::new(),
            delivered: false,
        });
        if config.url.is_none() {
            return;
        }
        let delivery = Delivery {
            seq,
            attempt: 0,
            body: body.to_string(),
            signed: None,
            event_ms: now,
        };
        let mut due = now + config.delay_ms;
        if config.reorder {
            outbox.held = !outbox.held;
            if outbox.held {
                due += REORDER_HOLD_MS;
            }
        }
        for _ in 0..=config.duplicates {
            outbox.at(due, delivery.clone());
        }
    }

    /// Notes the answer to a delivery; anything but 200 brings it back later, until 72 hours are over.
    pub(crate) fn delivered(&mut self, mut delivery: Delivery, status: Option<u16>, now: i64) {
        let index = usize::try_from(delivery.seq - 1).unwrap_or(usize::MAX);
        let Some(record) = self.outbox.log.get_mut(index) else {
            return;
        };
        record.attempts.push(WebhookAttempt { at_ms: now, status });
        if status == Some(200) {
            record.delivered = true;
            return;
        }
        if now - delivery.event_ms >= GIVE_UP_AFTER_MS {
            return;
        }
        let doublings = delivery.attempt.min(MAX_DOUBLINGS);
        let wait = self.config.webhooks.retry_base_ms << doublings;
        delivery.attempt += 1;
        self.outbox.at(now + wait, delivery);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_fits_the_known_vector() {
        let body = r#"{"client_key":"awtest","event":"post.publish.complete","create_time":1770210873,"user_openid":"-000TestOpenId","content":"{\"publish_id\":\"v_pub_file~v2-1.7000000000000000001\",\"publish_type\":\"DIRECT_PUBLISH\"}"}"#;
        assert_eq!(body.len(), 216);
        assert_eq!(
            sign("test_client_secret", 1_770_210_880, body),
            "t=1770210880,s=62013c2b0b7b2f7cd5b6fbdbccdc81a2367db4afb77b489d8f61c4593d5cba37"
        );
    }
}
