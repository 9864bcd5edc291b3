//! What an address is told of an event: what happened, when, and to what, by the ids of the API. No
//! captions, no names, no proofs: whoever wants more asks the API with a key. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use clipqueue_entities::{Timestamp, event};
use serde_json::{Map, Value, json};

use crate::domain::public_id::{self, ACCOUNT, EVENTS, POST};

/// The particulars of events that leave the installation. Everything else stays, whatever events come
/// to hold.
const TOLD: [&str; 16] = [
    "bytes_sent",
    "bytes_total",
    "code",
    "endpoint",
    "erasure",
    "from",
    "limit",
    "message",
    "notice",
    "origin",
    "plan",
    "prefix",
    "reason",
    "scopes",
    "to",
    "video_id",
];

/// The kind of event that tells that an address works.
pub const TEST: &str = "webhook.test";

/// The body for an event.
pub fn of_event(event: &event::Model) -> String {
    let mut data = Map::new();
    data.insert("cursor".into(), public_id::render(EVENTS, event.seq).into());
    if let Some(id) = event.account_id {
        data.insert("accountId".into(), public_id::render(ACCOUNT, id).into());
    }
    if let Some(id) = event.post_id {
        data.insert("postId".into(), public_id::render(POST, id).into());
    }
    for (name, value) in event.data.as_object().into_iter().flatten() {
        // Texts and numbers alone: nothing nested that nobody looked at.
        if TOLD.contains(&name.as_str()) && !value.is_object() && !value.is_array() {
            data.insert(camel(name), value.clone());
        }
    }
    body(&event.kind, event.created_at, Value::Object(data))
}

/// The body of a test.
pub fn of_test(now: Timestamp) -> String {
    body(TEST, now, json!({ "message": "This address gets events." }))
}

fn body(kind: &str, at: Timestamp, data: Value) -> String {
    let at = DateTime::<Utc>::from_timestamp_millis(at.as_millis()).unwrap_or_default();
    json!({
        "type": kind,
        "timestamp": at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "data": data,
    })
    .to_string()
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        text.push_str(&first.to_uppercase());
        text.push_str(rest);
    }
    text
}

/// Whether a list of kinds (exact, or `post.*`) has `kind`. An empty list has all.
pub fn wants(kinds: &str, kind: &str) -> bool {
    let mut words = kinds.split_whitespace().peekable();
    if words.peek().is_none() {
        return true;
    }
    words.any(|word| match word.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => word == kind,
    })
}

/// Whether a word can name kinds of events.
pub fn is_kind(word: &str) -> bool {
    let word = word.strip_suffix(".*").unwrap_or(word);
    !word.is_empty()
        && word.len() <= 64
        && word.split('.').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        })
}

#[cfg(test)]
mod tests {
    use clipqueue_entities::{PostId, UserId};
    use proptest::prelude::*;

    use super::*;

    fn event(kind: &str, data: Value) -> event::Model {
        event::Model {
            seq: 7,
            user_id: UserId::new(),
            account_id: None,
            post_id: Some(PostId::new()),
            kind: kind.into(),
            data,
            evidence_id: None,
            created_at: Timestamp::from_millis(1_800_000_000_123),
        }
    }

    #[test]
    fn what_is_not_on_the_list_stays_inside() {
        let event = event(
            "post.state",
            json!({
                "from": "uploading", "to": "failed", "video_id": "12", "caption": "private",
                "access_token": "act.secret", "upload_url": "https://secret", "reason": { "deep": "secret" },
            }),
        );
        let body: Value = serde_json::from_str(&of_event(&event)).unwrap();
        assert_eq!(body["type"], "post.state");
        assert_eq!(body["timestamp"], "2027-01-15T08:00:00.123Z");
        let mut names: Vec<&String> = body["data"].as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["cursor", "from", "postId", "to", "videoId"]);
    }

    #[test]
    fn kinds_are_wanted_by_name_by_group_or_all() {
        assert!(wants("", "post.state"));
        assert!(wants("post.state account.connected", "account.connected"));
        assert!(wants("post.*", "post.progress"));
        assert!(!wants("post.*", "account.connected"));
        assert!(!wants("post.state", "post.state_of_mind"));
        for word in ["post.state", "post.*", "webhook.disabled"] {
            assert!(is_kind(word), "{word}");
        }
        for word in [
            "",
            "*",
            ".*",
            "post.",
            "post state",
            "Post.state",
            "post.**",
            "po*t.state",
        ] {
            assert!(!is_kind(word), "{word}");
        }
    }

    proptest! {
        #[test]
        fn any_event_becomes_a_body_that_parses(
            kind in ".{0,40}",
            name in "[a-z_]{0,12}|message|to",
            text in ".{0,80}",
            at in any::<i64>(),
        ) {
            let mut event = event(&kind, json!({ name: text.clone(), "message": text.clone() }));
            event.created_at = Timestamp::from_millis(at);
            let body: Value = serde_json::from_str(&of_event(&event)).unwrap();
            prop_assert_eq!(&body["type"], &json!(kind));
            prop_assert_eq!(&body["data"]["message"], &json!(text));
            let _ = wants(&text, &kind);
            let _ = is_kind(&text);
        }
    }
}
