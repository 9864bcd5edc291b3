//! What TikTok's refusals taught: which cap is used up, and until when. Rows, so that a lost Redis or a
//! restart forgets nothing.

use std::time::Duration;

use clipqueue_entities::{AccountId, Timestamp, budget_mark};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    sea_query::OnConflict,
};
use tiktok::Class;

use super::Name;
use crate::{
    app::App,
    domain::{error::Result, post_change::log_id},
};

/// The subject of caps that are the app's.
const APP: &str = "app";

/// Drafts free their places when the creator finishes them, which nobody tells us at once: after this
/// long TikTok is asked again.
pub const PENDING_DRAFTS_WAIT: Duration = Duration::from_secs(15 * 60);

/// The cap that a refusal is about, and how long TikTok's window may last.
pub fn taught(class: Class) -> Option<(Name, Duration)> {
    match class {
        Class::CreatorCap => Some((Name::PostsPerDay, tiktok::limits::CAP_WINDOW)),
        Class::PendingDraftsCap => Some((Name::PendingDrafts, PENDING_DRAFTS_WAIT)),
        Class::AppUserCap => Some((Name::CreatorsPerDay, tiktok::limits::CAP_WINDOW)),
        Class::Transient
        | Class::RateLimited
        | Class::TokenRejected
        | Class::ScopeMissing
        | Class::GrantDead
        | Class::CreatorBanned
        | Class::UnauditedClient
        | Class::PrivacyMismatch
        | Class::UrlNotOwned
        | Class::CreatorAppTooOld
        | Class::NotFoundYet
        | Class::NotCancellable
        | Class::BadMedia
        | Class::BadRequest
        | Class::OurFault
        | Class::UploadDead
        | Class::UploadOutOfStep { .. }
        | Class::SourceFailed
        | Class::Ambiguous => None,
    }
}

/// Marks the cap that `error` says is used up; nothing when it says nothing of the kind.
pub async fn learn_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    account: AccountId,
    error: &tiktok::Error,
) -> Result<()> {
    let Some((name, window)) = taught(error.class()) else {
        return Ok(());
    };
    metrics::counter!("clipqueue_budget_corrections_total", "budget" => name.word()).increment(1);
    let now = app.clock.now();
    mark(tx, &account.to_string(), name, now, window, error).await?;
    if name == Name::CreatorsPerDay {
        mark(tx, APP, name, now, window, error).await?;
    }
    Ok(())
}

async fn mark(
    tx: &impl ConnectionTrait,
    subject: &str,
    name: Name,
    now: Timestamp,
    window: Duration,
    error: &tiktok::Error,
) -> Result<()> {
    budget_mark::Entity::insert(budget_mark::ActiveModel {
        subject: Set(subject.to_owned()),
        budget: Set(name.word().to_owned()),
        spent_until: Set(now + window),
        code: Set(error.code().to_owned()),
        log_id: Set(log_id(error)),
        learned_at: Set(now),
    })
    .on_conflict(
        OnConflict::columns([budget_mark::Column::Subject, budget_mark::Column::Budget])
            .update_columns([
                budget_mark::Column::SpentUntil,
                budget_mark::Column::Code,
                budget_mark::Column::LogId,
                budget_mark::Column::LearnedAt,
            ])
            .to_owned(),
    )
    .exec_without_returning(tx)
    .await?;
    Ok(())
}

/// The marks that hold for an account at `now`: its own, and the app's.
pub async fn holding(
    db: &impl ConnectionTrait,
    account: AccountId,
    now: Timestamp,
) -> Result<Vec<budget_mark::Model>> {
    Ok(budget_mark::Entity::find()
        .filter(budget_mark::Column::Subject.is_in([account.to_string(), APP.to_owned()]))
        .filter(budget_mark::Column::SpentUntil.gt(now))
        .all(db)
        .await?)
}

/// The mark of one cap among `marks`, of the account or of the app.
pub fn of(marks: &[budget_mark::Model], name: Name, app: bool) -> Option<&budget_mark::Model> {
    marks
        .iter()
        .find(|mark| mark.budget == name.word() && (mark.subject == APP) == app)
}

/// Deletes marks that hold no longer.
pub async fn prune(db: &impl ConnectionTrait, now: Timestamp) -> Result<u64> {
    let gone = budget_mark::Entity::delete_many()
        .filter(budget_mark::Column::SpentUntil.lte(now))
        .exec(db)
        .await?;
    Ok(gone.rows_affected)
}
