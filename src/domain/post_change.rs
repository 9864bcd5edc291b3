//! The only way in which a post changes state: the rule, the row, the proof and the event, in one
//! transaction.

use std::time::Duration;

use clipqueue_entities::{
    AttemptId, EvidenceId, PostId, Timestamp,
    evidence::{self, EvidenceSource},
    post::{self, LatePolicy, PostState},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
};
use serde_json::{Map, Value, json};

use super::{
    error::{Code, Refusal, Result},
    events::{self, NewEvent},
    lateness::{self, Late},
    line,
    post_state::{self, Delivery, PostEvent},
};
use crate::{app::App, config};

/// TikTok's upload address lives one hour; an hour more leaves room for a fresh attempt.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(2 * 3600);
/// A doubt that is older than this is an alert.
const UNCONFIRMED_DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// The proof of a change.
#[derive(Clone, Debug)]
pub struct Evidence {
    source: EvidenceSource,
    subject: String,
    attempt_id: Option<AttemptId>,
    http_status: Option<i32>,
    code: Option<String>,
    log_id: Option<String>,
    body: Value,
}

impl Evidence {
    fn new(source: EvidenceSource, subject: impl Into<String>) -> Self {
        Self {
            source,
            subject: subject.into(),
            attempt_id: None,
            http_status: None,
            code: None,
            log_id: None,
            body: json!({}),
        }
    }

    /// A signed webhook of TikTok's.
    pub fn webhook(kind: &str, facts: Value) -> Self {
        Self {
            body: facts,
            ..Self::new(EvidenceSource::TiktokWebhook, kind)
        }
    }

    /// An operator's recorded act.
    pub fn operator(act: &'static str) -> Self {
        Self::new(EvidenceSource::Operator, act)
    }

    /// The owner's own request.
    pub fn creator(request: &'static str) -> Self {
        Self::new(EvidenceSource::Creator, request)
    }

    /// What we saw ourselves.
    pub fn own(observation: &'static str) -> Self {
        Self::new(EvidenceSource::Clipqueue, observation)
    }

    /// An answer of TikTok's that was a success.
    pub fn answer<T>(call: &'static str, answer: &tiktok::Answer<T>, body: Value) -> Self {
        Self {
            http_status: Some(i32::from(answer.http_status)),
            code: Some("ok".to_owned()),
            log_id: answer.logs.any().map(ToString::to_string),
            body,
            ..Self::new(EvidenceSource::TiktokApi, call)
        }
    }

    /// A call to TikTok that ended in an error, or in silence.
    pub fn error(call: &'static str, error: &tiktok::Error) -> Self {
        Self {
            http_status: error.http_status().map(i32::from),
            code: Some(error.code().to_owned()),
            log_id: log_id(error),
            body: json!({ "error": error.to_string() }),
            ..Self::new(EvidenceSource::TiktokApi, call)
        }
    }

    /// Names the attempt that it is about.
    pub fn of(mut self, attempt: AttemptId) -> Self {
        self.attempt_id = Some(attempt);
        self
    }

    /// The row that keeps it.
    pub(super) fn row(
        &self,
        id: EvidenceId,
        post: PostId,
        now: Timestamp,
    ) -> evidence::ActiveModel {
        evidence::ActiveModel {
            id: Set(id),
            post_id: Set(post),
            attempt_id: Set(self.attempt_id),
            source: Set(self.source),
            subject: Set(self.subject.clone()),
            http_status: Set(self.http_status),
            code: Set(self.code.clone()),
            log_id: Set(self.log_id.clone()),
            body: Set(self.body.clone()),
            created_at: Set(now),
            body_removed_at: Set(None),
        }
    }

    /// Adds a particular.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Value::Object(map) = &mut self.body {
            map.insert(name.to_owned(), value.into());
        }
        self
    }
}

/// TikTok's reference for the answer that held `error`.
pub fn log_id(error: &tiktok::Error) -> Option<String> {
    error
        .logs()
        .and_then(|logs| logs.any())
        .map(ToString::to_string)
}

/// Why a post failed, for its owner.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Who can do something about it, as a word.
    pub class: &'static str,
    /// TikTok's code or ours.
    pub code: String,
    /// A sentence: what happened and what to do.
    pub message: String,
    /// Whether `retryPost` may help.
    pub retryable: bool,
}

/// A change to carry out.
#[derive(Clone, Debug)]
pub struct Change {
    event: PostEvent,
    evidence: Evidence,
    hold: Option<(String, Option<Timestamp>)>,
    failure: Option<Failure>,
    notice: Option<String>,
    edits: post::ActiveModel,
}

impl Change {
    /// `event` happened, as `evidence` shows.
    pub fn new(event: PostEvent, evidence: Evidence) -> Self {
        Self {
            event,
            evidence,
            hold: None,
            failure: None,
            notice: None,
            edits: post::ActiveModel::default(),
        }
    }

    /// Why it is held, and when it is tried again by itself.
    pub fn hold(mut self, reason: impl Into<String>, until: Option<Timestamp>) -> Self {
        self.hold = Some((reason.into(), until));
        self
    }

    /// Why it failed.
    pub fn failure(mut self, failure: Failure) -> Self {
        self.failure = Some(failure);
        self
    }

    /// A sentence for the owner, shown with the event.
    pub fn notice(mut self, text: impl Into<String>) -> Self {
        self.notice = Some(text.into());
        self
    }

    /// Further columns that change with it.
    pub fn edit(mut self, edit: impl FnOnce(&mut post::ActiveModel)) -> Self {
        edit(&mut self.edits);
        self
    }
}

/// Whether the rules let `event` happen to `post` as it stands.
pub fn takes(post: &post::Model, event: PostEvent) -> bool {
    post_state::next(Delivery::of(post.kind), post.state, event).is_ok()
}

/// Carries out `change` on `post` as it was read; refuses when the rules or another writer forbid it.
pub async fn apply_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    post: post::Model,
    change: Change,
) -> Result<post::Model> {
    // On the heap, since every caller's future would carry it.
    Box::pin(carry_out(app, tx, post, change)).await
}

async fn carry_out(
    app: &App,
    tx: &impl ConnectionTrait,
    post: post::Model,
    change: Change,
) -> Result<post::Model> {
    let now = app.clock.now();
    let from = post.state;
    let to = post_state::next(Delivery::of(post.kind), from, change.event)?;
    let evidence_id = insert_evidence(tx, now, &post, change.evidence).await?;

    let mut data = Map::new();
    data.insert("event".into(), format!("{:?}", change.event).into());
    data.insert("from".into(), state_word(from).into());
    data.insert("to".into(), state_word(to).into());

    let mut row = change.edits;
    row.state = Set(to);
    row.updated_at = Set(now);
    let asked_now = matches!(change.event, PostEvent::Submitted | PostEvent::Retried);
    if asked_now
        && post.late_policy == Some(LatePolicy::Within)
        && matches!(row.publish_at, Set(None))
    {
        // Its time is when it was asked for, and the rule counts from there.
        row.publish_at = Set(Some(now));
    }
    if to != from {
        row.state_since = Set(now);
        let publish_at = match &row.publish_at {
            Set(edited) => *edited,
            _ => post.publish_at,
        };
        row.deadline_at = Set(deadline(
            &app.config.posts,
            &post,
            publish_at,
            change.event,
            to,
            now,
        ));
    }
    if let Some(text) = change.notice {
        data.insert("message".into(), text.into());
    }
    let (reason, until) = match change.hold {
        Some((reason, until)) => {
            data.insert("reason".into(), reason.clone().into());
            (Some(reason), until)
        }
        None => (None, None),
    };
    // What is tried again by itself stands in line; every other change ends the waiting.
    row.wait_reason = Set(reason.clone().filter(|_| until.is_some()));
    row.wait_until = Set(until);
    row.wait_due = Set(until.map(|_| line::due(&post)));
    row.hold_reason = Set(reason);
    row.hold_until = Set(until);
    if let Some(failure) = change.failure {
        data.insert("code".into(), failure.code.clone().into());
        data.insert("message".into(), failure.message.clone().into());
        row.failure_class = Set(Some(failure.class.to_owned()));
        row.failure_code = Set(Some(failure.code));
        row.failure_message = Set(Some(failure.message));
        row.failure_retryable = Set(failure.retryable);
    } else if to != PostState::Failed {
        row.failure_class = Set(None);
        row.failure_code = Set(None);
        row.failure_message = Set(None);
        row.failure_retryable = Set(false);
    }
    let changed = post::Entity::update_many()
        .set(row)
        .filter(post::Column::Id.eq(post.id))
        .filter(post::Column::State.eq(from))
        .exec(tx)
        .await?;
    if changed.rows_affected != 1 {
        return Err(Refusal::whole(
            Code::WrongState,
            "the post changed in the meantime; read it again and decide anew",
        )
        .into());
    }
    events::append_in_tx(
        tx,
        now,
        NewEvent {
            user_id: post.user_id,
            account_id: Some(post.account_id),
            post_id: Some(post.id),
            kind: "post.state",
            data: Value::Object(data),
            evidence_id: Some(evidence_id),
        },
    )
    .await?;
    post::Entity::find_by_id(post.id)
        .one(tx)
        .await?
        .ok_or(super::error::Error::NotFound)
}

/// Stores a proof that changes no state.
pub async fn insert_evidence(
    tx: &impl ConnectionTrait,
    now: Timestamp,
    post: &post::Model,
    proof: Evidence,
) -> Result<EvidenceId> {
    let id = EvidenceId::new();
    evidence::Entity::insert(proof.row(id, post.id, now))
        .exec_without_returning(tx)
        .await?;
    Ok(id)
}

/// When a post that comes into `state` by `event` is overdue.
pub(super) fn deadline(
    rules: &config::Posts,
    post: &post::Model,
    publish_at: Option<Timestamp>,
    event: PostEvent,
    state: PostState,
    now: Timestamp,
) -> Option<Timestamp> {
    let in_time = || lateness::deadline(rules, Late::of(post), publish_at, now);
    let last_moment = lateness::last_moment(post, publish_at);
    match state {
        // A rule that counts from the post's time ends at the same moment whatever came between.
        PostState::Scheduled | PostState::Preflight | PostState::InitSent
            if last_moment.is_some() =>
        {
            last_moment
        }
        PostState::Held => {
            let until = now + rules.held_deadline;
            Some(last_moment.map_or(until, |last| last.min(until)))
        }
        // The deadline of the upload that was given up says nothing of the post's own time.
        PostState::Preflight if event == PostEvent::AttemptAbandoned => {
            let due = line::due(post);
            let late = lateness::deadline(rules, Late::of(post), Some(due), due);
            post.deadline_at.max(Some(late))
        }
        // Trying anew by ourselves does not move the end, or a post that never gets through would never end.
        PostState::Scheduled if event == PostEvent::Deferred => {
            post.deadline_at.or_else(|| Some(in_time()))
        }
        PostState::Preflight | PostState::InitSent => post.deadline_at.or_else(|| Some(in_time())),
        PostState::Scheduled => Some(in_time()),
        PostState::Uploading => Some(now + UPLOAD_DEADLINE),
        PostState::Processing => Some(now + rules.processing_deadline),
        PostState::InInbox => Some(now + rules.inbox_deadline),
        PostState::Unconfirmed => Some(now + UNCONFIRMED_DEADLINE),
        PostState::Draft
        | PostState::Published
        | PostState::Failed
        | PostState::Cancelled
        | PostState::Missed
        | PostState::Lapsed => None,
    }
}

/// The stored word of a state.
pub fn state_word(state: PostState) -> String {
    use sea_orm::ActiveEnum as _;
    state.to_value()
}

/// The state that a stored word means.
pub fn state_of(word: &str) -> Option<PostState> {
    use sea_orm::ActiveEnum as _;
    PostState::try_from_value(&word.to_owned()).ok()
}
