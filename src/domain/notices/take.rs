//! Taking a delivery in: is it TikTok's, is it new, what does it tell? One short transaction, no
//! call to anybody.

use std::time::Duration;

use clipqueue_entities::{
    AccountId, NoticeId, Timestamp, account,
    notice::{self, NoticeKind},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _,
    sea_query::OnConflict,
};
use serde_json::{Value, json};
use tiktok::{
    PublishId,
    webhook::{Event, Notice, RemovalReason, Task, verify},
};

use crate::{
    app::App,
    crash::{self, Commit},
    domain::erasure,
    job::{Job, STATUS},
};

/// How far ahead of our clock a signature may be.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// What became of a delivery that is TikTok's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is on record and will be seen to.
    New,
    /// It was on record already.
    Repeated,
    /// It tells nothing that concerns us: a test of the portal's, or an unknown event.
    Ignored,
}

/// Why a delivery is turned away.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// It carries no signature, or none that fits its bytes.
    #[error("the signature is missing or does not fit the body")]
    Unsigned,
    /// It was signed too long ago, or in the future.
    #[error("the signature is not of this time")]
    Stale,
    /// It is meant for another app.
    #[error("it is for another client key")]
    OtherApp,
    /// It is signed, but says nothing that can be read.
    #[error("the body is no notice")]
    Unreadable,
    /// It could not be stored; TikTok sends it again.
    #[error("the notice could not be stored")]
    Unavailable(#[from] DbErr),
}

/// Takes in a delivery: the value of its signature header, and its raw bytes.
pub async fn take(app: &App, signature: Option<&str>, body: &[u8]) -> Result<Taken, Rejected> {
    let settings = &app.config.tiktok;
    let signature = signature.ok_or(Rejected::Unsigned)?;
    let signed_at = verify(&settings.client_secret, signature, body)
        .map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)))
        .map_err(|_| Rejected::Unsigned)?;
    let now = app.clock.now();
    if signed_at > now + CLOCK_SKEW || signed_at + settings.webhook_max_age < now {
        return Err(Rejected::Stale);
    }
    let notice = Notice::parse(body).map_err(|_| Rejected::Unreadable)?;
    if notice
        .client_key
        .as_ref()
        .is_some_and(|key| *key != settings.client_key)
    {
        return Err(Rejected::OtherApp);
    }
    let Some(told) = Told::of(&notice.event) else {
        return Ok(Taken::Ignored);
    };
    store(app, now, &notice, told).await
}

async fn store(app: &App, now: Timestamp, notice: &Notice, told: Told) -> Result<Taken, Rejected> {
    let open_id = notice.user_openid.as_ref().map(|id| id.as_str().to_owned());
    let id = NoticeId::new();
    let tx = app.db.begin().await?;
    if let Some(open_id) = &open_id
        && erasure::refuses_creator(app, &tx, open_id).await?
    {
        tx.rollback().await?;
        return Ok(Taken::Ignored);
    }
    let account_id = match &open_id {
        Some(open_id) => account_of(&tx, open_id).await?,
        None => None,
    };
    let inserted = notice::Entity::insert(notice::ActiveModel {
        id: Set(id),
        digest: Set(hex::encode(notice.dedup_key())),
        kind: Set(told.kind),
        open_id: Set(open_id),
        account_id: Set(account_id),
        publish_id: Set(told.publish_id.map(|id| id.to_string())),
        facts: Set(told.facts),
        occurred_at: Set(notice.created_at_ms.map(Timestamp::from_millis)),
        received_at: Set(now),
        post_id: Set(None),
        attempt_id: Set(None),
        matched_at: Set(None),
        answered_at: Set(None),
        settled_at: Set(None),
        outcome: Set(None),
    })
    .on_conflict(
        OnConflict::column(notice::Column::Digest)
            .do_nothing()
            .to_owned(),
    )
    .exec_without_returning(&tx)
    .await?;
    if inserted == 0 {
        tx.rollback().await?;
        return Ok(Taken::Repeated);
    }
    let job = Job::ApplyNotice {
        notice_id: id,
        account_id,
    };
    app.enqueue_in_tx(&tx, job, None).await?;
    crash::commit(tx, Commit::NoticeTaken).await?;
    app.nudge(STATUS);
    Ok(Taken::New)
}

/// The account of the creator whom TikTok names so.
pub(super) async fn account_of(
    db: &impl sea_orm::ConnectionTrait,
    open_id: &str,
) -> Result<Option<AccountId>, DbErr> {
    let row = account::Entity::find()
        .filter(account::Column::OpenId.eq(open_id))
        .one(db)
        .await?;
    Ok(row.map(|row| row.id))
}

/// What a notice tells, ready to be stored.
struct Told {
    kind: NoticeKind,
    publish_id: Option<PublishId>,
    facts: Value,
}

impl Told {
    fn of(event: &Event) -> Option<Self> {
        let about = |kind, task: &Task, facts| {
            Some(Self {
                kind,
                publish_id: Some(task.publish_id.clone()),
                facts,
            })
        };
        let of_post = |post_id: &Option<tiktok::PostId>| json!({ "post_id": post_id.as_ref().map(tiktok::PostId::as_str) });
        match event {
            Event::PublishFailed { task, reason } => {
                let reason = reason.as_ref().map(tiktok::FailReason::as_str);
                about(NoticeKind::Failed, task, json!({ "reason": reason }))
            }
            Event::PublishComplete { task } => about(NoticeKind::Complete, task, json!({})),
            Event::InboxDelivered { task } => about(NoticeKind::InboxDelivered, task, json!({})),
            Event::PubliclyAvailable { task, post_id } => {
                about(NoticeKind::PubliclyAvailable, task, of_post(post_id))
            }
            Event::NoLongerPubliclyAvailable { task, post_id } => {
                about(NoticeKind::NoLongerPublic, task, of_post(post_id))
            }
            Event::AuthorizationRemoved { reason } => Some(Self {
                kind: NoticeKind::AuthorizationRemoved,
                publish_id: None,
                facts: json!({ "reason": removal_word(*reason) }),
            }),
            Event::Ping => None,
            Event::Unknown { name, .. } => {
                tracing::info!(event = %name, "TikTok told of something that is not known here");
                None
            }
        }
    }
}

fn removal_word(reason: RemovalReason) -> &'static str {
    match reason {
        RemovalReason::Unknown => "unknown",
        RemovalReason::UserDisconnected => "user_disconnected",
        RemovalReason::AccountDeleted => "account_deleted",
        RemovalReason::AgeChanged => "age_changed",
        RemovalReason::AccountBanned => "account_banned",
        RemovalReason::DeveloperRevoked => "developer_revoked",
    }
}
