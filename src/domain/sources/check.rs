//! What becomes of a source by a look for its proof. It looks for nothing itself.

use std::time::Duration;

use clipqueue_entities::{
    VerifiedSourceId,
    verified_source::{self as source, SourceState},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde_json::json;

use super::{job, next_look};
use crate::{
    app::App,
    domain::{
        error::Result,
        events::{self, NewEvent},
    },
    job::OUTBOUND,
};

/// How often a verified source is looked for.
pub const EVERY: Duration = Duration::from_secs(24 * 3600);
/// How often while the proof is missing.
pub const WHILE_MISSING: Duration = Duration::from_secs(3600);
/// How long the proof of a verified source may be missing.
pub const GRACE: Duration = Duration::from_secs(24 * 3600);
/// How long a source that was named is waited for.
pub const PATIENCE: Duration = Duration::from_secs(3 * 86_400);
/// Sources whose look is asked for in one go.
const BATCH: u64 = 200;

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The proof is there, by this way: `dns` or `file`.
    Found(&'static str),
    /// It is not, by this word.
    Missing(&'static str),
}

/// The source, when it is to be looked for.
pub async fn wanted(app: &App, id: VerifiedSourceId) -> Result<Option<source::Model>> {
    let row = source::Entity::find_by_id(id).one(app.db.read()).await?;
    Ok(row.filter(|row| row.next_check_at.is_some()))
}

/// Writes down how a look ended.
pub async fn record(app: &App, row: &source::Model, look: Look) -> Result<SourceState> {
    let now = app.clock.now();
    let missing_since = row.missing_since.unwrap_or(now);
    let patience = match row.state {
        SourceState::Verified => GRACE,
        SourceState::Pending | SourceState::Lapsed => PATIENCE,
    };
    let mut change = source::ActiveModel {
        checked_at: Set(Some(now)),
        ..Default::default()
    };
    let state = match look {
        Look::Found(method) => {
            change.method = Set(Some(method.to_owned()));
            change.failure = Set(None);
            change.missing_since = Set(None);
            change.verified_at = Set(Some(row.verified_at.unwrap_or(now)));
            SourceState::Verified
        }
        Look::Missing(word) => {
            change.failure = Set(Some(word.to_owned()));
            change.missing_since = Set(Some(missing_since));
            if now.since(missing_since) >= patience {
                SourceState::Lapsed
            } else {
                row.state
            }
        }
    };
    change.state = Set(state);
    change.next_check_at =
        Set((state != SourceState::Lapsed).then(|| next_look(matches!(look, Look::Found(_)), now)));
    let tx = app.db.begin().await?;
    let changed = source::Entity::update_many()
        .set(change)
        .filter(source::Column::Id.eq(row.id))
        .filter(source::Column::State.eq(row.state))
        .exec(&tx)
        .await?;
    if changed.rows_affected == 1 && state != row.state {
        let kind = match state {
            SourceState::Verified => "source.verified",
            SourceState::Pending | SourceState::Lapsed => "source.lapsed",
        };
        let event = NewEvent {
            user_id: row.user_id,
            account_id: None,
            post_id: None,
            kind,
            data: json!({ "origin": row.origin, "prefix": row.prefix }),
            evidence_id: None,
        };
        events::append_in_tx(&tx, now, event).await?;
    }
    tx.commit().await?;
    if state != row.state {
        app.announce(row.user_id).await;
    }
    Ok(state)
}

/// Asks for a look at every source that is due.
pub async fn sweep(app: &App) -> Result<()> {
    let due = source::Entity::find()
        .filter(source::Column::NextCheckAt.lte(app.clock.now()))
        .order_by_asc(source::Column::NextCheckAt)
        .limit(BATCH)
        .all(app.db.read())
        .await?;
    if due.is_empty() {
        return Ok(());
    }
    let tx = app.db.begin().await?;
    let jobs = due.iter().map(|row| (job(row), None)).collect();
    app.enqueue_many_in_tx(&tx, jobs).await?;
    tx.commit().await?;
    app.nudge(OUTBOUND);
    Ok(())
}
