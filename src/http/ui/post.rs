//! One post with everything on record about it: attempts, calls to TikTok with their log ids, proofs,
//! changes of state, and who acts next. Its caption is the creator's and not shown.

use askama::Template;
use axum::{Extension, extract::Path, response::Response};
use clipqueue_entities::{
    EvidenceId, PostId, Timestamp, event,
    evidence::{self, EvidenceSource},
    post::{self, PostMode},
    post_attempt::{self, AttemptPhase},
};
use serde_json::Value;
use uuid::Uuid;

use super::{
    jobs,
    page::{self, Frame, Place},
    session::Visit,
    show::{Bytes, Chip, When, cut},
    word,
};
use crate::domain::{
    error::{Error, Result},
    inspect::{self, PostRecord},
    next_action::{self, NextActor},
    post_change,
};

/// Characters of a stored text on the page.
const MAX_TEXT: usize = 1000;
/// What proofs say that an operator may need, by its name in the record. Anything else stays there.
const SAID: [&str; 11] = [
    "status",
    "fail_reason",
    "post_ids",
    "uploaded_bytes",
    "publish_id",
    "attempt",
    "error",
    "message",
    "code",
    "note",
    "deadline",
];

/// An attempt at handing the post to TikTok.
struct Attempt {
    number: i32,
    chip: Chip,
    publish_id: Option<String>,
    sent: Bytes,
    size: Bytes,
    chunks: i32,
    end: Option<String>,
    code: Option<String>,
    log_id: Option<String>,
    began: When,
    ended: When,
}

impl Attempt {
    fn new(row: post_attempt::Model, now: Timestamp) -> Self {
        Self {
            number: row.number,
            chip: match row.phase {
                AttemptPhase::InitSent => Chip::new("init sent", "busy"),
                AttemptPhase::Uploading => Chip::new("uploading", "busy"),
                AttemptPhase::LastChunk => Chip::new("last chunk", "warn"),
                AttemptPhase::PullSent => Chip::new("init sent, may be pulled", "warn"),
                AttemptPhase::Sent => Chip::new("sent", "busy"),
                AttemptPhase::Closed => Chip::new("closed", "over"),
            },
            publish_id: row.publish_id,
            sent: Bytes(row.bytes_acked),
            size: Bytes(row.video_size),
            chunks: row.chunk_count,
            end: row.outcome,
            code: row.error_code,
            log_id: row.log_id,
            began: When::new(row.created_at, now),
            ended: When::new(row.closed_at, now),
        }
    }
}

/// A proof.
struct Proof {
    source: &'static str,
    subject: String,
    http_status: Option<i32>,
    code: Option<String>,
    log_id: Option<String>,
    said: Vec<(String, String)>,
}

impl Proof {
    fn new(row: &evidence::Model) -> Self {
        Self {
            source: match row.source {
                EvidenceSource::TiktokApi => "TikTok answered",
                EvidenceSource::TiktokWebhook => "TikTok told by webhook",
                EvidenceSource::Creator => "The creator's side asked",
                EvidenceSource::Operator => "An operator acted",
                EvidenceSource::Clipqueue => "Clipqueue saw",
            },
            subject: row.subject.clone(),
            http_status: row.http_status,
            code: row.code.clone(),
            log_id: row.log_id.clone(),
            said: said(&row.body),
        }
    }
}

/// The parts of a proof that are shown.
fn said(body: &Value) -> Vec<(String, String)> {
    let Some(map) = body.as_object() else {
        return Vec::new();
    };
    map.iter()
        .filter(|(name, value)| SAID.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), cut(&text, MAX_TEXT))
        })
        .collect()
}

/// Something on the timeline: a change, a proof, or both.
struct Entry {
    at: Timestamp,
    when: When,
    from: Option<Chip>,
    to: Option<Chip>,
    text: String,
    proof: Option<Proof>,
}

impl Entry {
    fn of_event(event: &event::Model, proof: Option<Proof>, now: Timestamp) -> Self {
        let text = |name: &str| event.data.get(name).and_then(Value::as_str);
        let number = |name: &str| event.data.get(name).and_then(Value::as_i64);
        let chip = |name: &str| text(name).and_then(post_change::state_of).map(Chip::from);
        let is_change = event.kind == "post.state";
        let sentence = match event.kind.as_str() {
            "post.created" => "Asked for".to_owned(),
            "post.edited" => "Edited".to_owned(),
            "post.progress" => match (number("bytes_sent"), number("bytes_total")) {
                (Some(sent), Some(total)) => format!("{} of {} sent", Bytes(sent), Bytes(total)),
                _ => "Progress".to_owned(),
            },
            "post.state" => ["reason", "code", "message"]
                .into_iter()
                .filter_map(text)
                .collect::<Vec<_>>()
                .join(" · "),
            other => other.to_owned(),
        };
        Self {
            at: event.created_at,
            when: When::new(event.created_at, now),
            from: chip("from").filter(|_| is_change),
            to: chip("to").filter(|_| is_change),
            text: cut(&sentence, MAX_TEXT),
            proof,
        }
    }

    fn of_proof(row: &evidence::Model, now: Timestamp) -> Self {
        Self {
            at: row.created_at,
            when: When::new(row.created_at, now),
            from: None,
            to: None,
            text: String::new(),
            proof: Some(Proof::new(row)),
        }
    }
}

/// Events with their proofs, and the proofs that changed nothing, in the order of time.
fn timeline(events: &[event::Model], proofs: &[evidence::Model], now: Timestamp) -> Vec<Entry> {
    let find = |id: EvidenceId| proofs.iter().find(|row| row.id == id);
    let mut entries: Vec<Entry> = events
        .iter()
        .map(|event| {
            let proof = event.evidence_id.and_then(find).map(Proof::new);
            Entry::of_event(event, proof, now)
        })
        .collect();
    let alone =
        |row: &&evidence::Model| !events.iter().any(|event| event.evidence_id == Some(row.id));
    entries.extend(
        proofs
            .iter()
            .filter(alone)
            .map(|row| Entry::of_proof(row, now)),
    );
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// Who acts next, and how.
struct Next {
    who: &'static str,
    text: String,
    at: When,
}

#[derive(Template)]
#[template(path = "post.html")]
struct PostPage {
    frame: Frame,
    post: post::Model,
    chip: Chip,
    mode: &'static str,
    account: String,
    account_id: String,
    user: String,
    caption_length: usize,
    since: When,
    deadline: When,
    publish_at: When,
    created: When,
    hold_until: When,
    sent: Bytes,
    size: Bytes,
    next: Option<Next>,
    /// Makes the form to say what became of it one act, however often it is sent; none, when nobody's
    /// word is wanted.
    word_key: Option<String>,
    attempts: Vec<Attempt>,
    entries: Vec<Entry>,
    is_cut: bool,
    tiktok_ids: Vec<String>,
    jobs: Vec<jobs::Line>,
}

/// The page.
pub(super) async fn show(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    page::answer(&visit, read(&visit, &id).await)
}

async fn read(visit: &Visit, id: &str) -> Result<PostPage> {
    let id: PostId = id.parse().map_err(|_| Error::NotFound)?;
    let record = inspect::post(&visit.console.app, id).await?;
    Ok(described(visit, record))
}

fn described(visit: &Visit, record: PostRecord) -> PostPage {
    let now = visit.now;
    let PostRecord { post, account, .. } = record;
    let when = |at: Option<Timestamp>| When::new(at, now);
    let next = next_action::next_action(&post, &account).map(|action| Next {
        who: match action.actor {
            NextActor::Creator => "The creator",
            NextActor::Tiktok => "TikTok",
            NextActor::Clipqueue => "Clipqueue",
            NextActor::Operator => "An operator",
        },
        text: action.text,
        at: when(action.at),
    });
    let ids = post.tiktok_post_ids.as_array();
    let is_long = |rows: usize| rows as u64 >= inspect::MAX_RECORD;
    PostPage {
        frame: Frame::new(visit, Place::Elsewhere),
        chip: post.state.into(),
        mode: match post.mode {
            PostMode::Inbox => "Inbox draft",
            PostMode::Direct => "Direct post",
        },
        account: account
            .username
            .unwrap_or_else(|| "an account without a name".to_owned()),
        account_id: account.id.to_string(),
        user: record.user_name,
        caption_length: post.caption.chars().count(),
        since: when(Some(post.state_since)),
        deadline: when(post.deadline_at),
        publish_at: when(post.publish_at),
        created: when(Some(post.created_at)),
        hold_until: when(post.hold_until),
        sent: Bytes(post.bytes_sent),
        size: Bytes(post.bytes_total),
        next,
        word_key: word::is_wanted(&post).then(|| Uuid::new_v4().to_string()),
        is_cut: is_long(record.events.len()) || is_long(record.evidence.len()),
        entries: timeline(&record.events, &record.evidence, now),
        attempts: record
            .attempts
            .into_iter()
            .map(|row| Attempt::new(row, now))
            .collect(),
        tiktok_ids: ids
            .into_iter()
            .flatten()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect(),
        jobs: record
            .jobs
            .iter()
            .map(|job| jobs::Line::new(job, now))
            .collect(),
        post,
    }
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn proofs_show_what_is_known_to_be_harmless() {
        let body = serde_json::json!({
            "status": "FAILED",
            "uploaded_bytes": 7,
            "fail_reason": null,
            "upload_url": "https://upload.example/?token=x",
            "title": "a caption",
        });
        let shown = said(&body);
        assert_eq!(
            shown,
            [
                ("status".to_owned(), "FAILED".to_owned()),
                ("uploaded_bytes".to_owned(), "7".to_owned())
            ]
        );
    }
}
