//! Giving users everything that is held about them: an archive of JSON and their files, in the store of
//! media, to be fetched by a link that ends.
//!
//! An export is accepted with the idempotency key, its row and its job in one transaction. The worker
//! writes the archive straight into the store ([`write`](mod@write)), table by table ([`parts`]) and file
//! by file, and makes it known with one statement under its lease: what a crash leaves of it is removed by
//! the next try. A new archive ends the older ones, so that a user has one. An erasure ends the exports of whom it is about before anything else.

pub mod archive;
pub mod link;
pub mod named;
pub mod parts;
pub mod write;

use std::time::Duration;

use clipqueue_entities::{
    DataExportId, Timestamp, UserId,
    data_export::{self as export, ExportState},
    erasure::{self, ErasureState},
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _,
    IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, sea_query::SelectStatement,
};
use url::Url;

use super::{
    actor::Actor,
    attempts,
    error::{Code, Error, Refusal, Result},
    idempotency::{Request, Seen},
};
use crate::{
    app::App,
    job::{Job, OPS},
    media::Reader,
    queue::Lease,
};

/// Exports that a user may ask for within [`WINDOW`].
const MOST: u64 = 5;
/// The time within which exports are counted.
const WINDOW: Duration = Duration::from_secs(86_400);
/// An export that did not come to its end within this time is given up.
const PATIENCE: Duration = Duration::from_secs(3 * 86_400);
/// How many exports are shown.
const SHOWN: u64 = 20;
/// Exports that are looked at in one go.
const BATCH: u64 = 100;

/// Accepts an export. The same key gives the same one.
pub async fn begin(app: &App, actor: &Actor, idempotency_key: &str) -> Result<export::Model> {
    let user = actor.user_id;
    let request = Request::new(user, idempotency_key, "requestExport", &())?;
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return get(app, user, DataExportId(id)).await;
    }
    let (id, now) = (DataExportId::new(), app.clock.now());
    let row = export::Model {
        id,
        user_id: user,
        state: ExportState::Waiting,
        object: None,
        size: None,
        sha256: None,
        failure_message: None,
        requested_at: now,
        ready_at: None,
        expires_at: None,
        ended_at: None,
    };
    let tx = app.db.begin().await?;
    // Whoever asks at the same moment, and whoever erases this user, waits here.
    if super::erasure::is_leaving(&tx, user).await? {
        return Err(Error::NotFound);
    }
    if let Seen::Before(id) = request.record_in_tx(&tx, now, id.0).await? {
        tx.rollback().await?;
        return get(app, user, DataExportId(id)).await;
    }
    let erasures = erasure::Entity::find()
        .filter(erasure::Column::UserId.eq(user))
        .filter(erasure::Column::State.eq(ErasureState::Running))
        .count(&tx)
        .await?;
    if erasures > 0 {
        let text = "an account of yours is being deleted; ask again when that is done";
        return Err(Refusal::whole(Code::WrongState, text).into());
    }
    let theirs = || export::Entity::find().filter(export::Column::UserId.eq(user));
    let open = theirs()
        .filter(export::Column::State.is_in([ExportState::Waiting, ExportState::Running]))
        .count(&tx)
        .await?;
    if open > 0 {
        let text = "an export is being written already; `dataExports` shows it";
        return Err(Refusal::whole(Code::WrongState, text).into());
    }
    let recent = theirs()
        .filter(export::Column::RequestedAt.gt(now - WINDOW))
        .count(&tx)
        .await?;
    if recent >= MOST {
        let text = "5 exports were asked for within a day; fetch the newest, or ask tomorrow";
        return Err(Refusal::whole(Code::QuotaExceeded, text).into());
    }
    export::Entity::insert(row.clone().into_active_model().reset_all())
        .exec_without_returning(&tx)
        .await?;
    app.enqueue_in_tx(&tx, job(&row), None).await?;
    tx.commit().await?;
    app.nudge(OPS);
    Ok(row)
}

fn job(row: &export::Model) -> Job {
    Job::ExportData {
        export_id: row.id,
        user_id: row.user_id,
    }
}

/// An export of `user`.
pub async fn get(app: &App, user: UserId, id: DataExportId) -> Result<export::Model> {
    export::Entity::find_by_id(id)
        .filter(export::Column::UserId.eq(user))
        .one(app.db.read())
        .await?
        .ok_or(Error::NotFound)
}

/// The newest exports of `user`, newest first.
pub async fn list(app: &App, user: UserId) -> Result<Vec<export::Model>> {
    Ok(export::Entity::find()
        .filter(export::Column::UserId.eq(user))
        .order_by_desc(export::Column::Id)
        .limit(SHOWN)
        .all(app.db.read())
        .await?)
}

/// Where the archive can be fetched, until when; nothing while there is none.
pub fn address(app: &App, row: &export::Model) -> Option<(Url, Timestamp)> {
    let expires_at = row.expires_at?;
    if row.state != ExportState::Ready || expires_at <= app.clock.now() {
        return None;
    }
    let ends_at = expires_at.min(app.clock.now() + link::LIFE);
    Some((link::address(app, row.id, ends_at), ends_at))
}

/// The archive that a link names, to be read; nothing, whatever may be wrong with the link.
pub async fn open(app: &App, token: &str) -> Result<Option<Reader>> {
    let now = app.clock.now();
    let Some(id) = link::read(&app.vault, token, now) else {
        return Ok(None);
    };
    let row = export::Entity::find_by_id(id).one(app.db.read()).await?;
    let Some(row) = row.filter(|row| row.state == ExportState::Ready) else {
        return Ok(None);
    };
    let (Some(object), Some(size), Some(expires_at)) = (row.object, row.size, row.expires_at)
    else {
        return Ok(None);
    };
    let reader = || app.media.parcel(object, size.unsigned_abs());
    Ok((now < expires_at).then(reader))
}

/// The row that a worker works on; an error of the kind `NotFound` when nobody wants it any more.
pub async fn wanted(app: &App, id: DataExportId) -> Result<export::Model> {
    let row = export::Entity::find_by_id(id).one(app.db.read()).await?;
    let open = [ExportState::Waiting, ExportState::Running];
    row.filter(|row| open.contains(&row.state))
        .ok_or(Error::NotFound)
}

/// Begins to write.
pub async fn started(app: &App, lease: &Lease, id: DataExportId) -> Result<()> {
    let tx = attempts::fenced(app, lease).await?;
    export::Entity::update_many()
        .set(export::ActiveModel {
            state: Set(ExportState::Running),
            ..Default::default()
        })
        .filter(export::Column::Id.eq(id))
        .filter(export::Column::State.eq(ExportState::Waiting))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Makes a written archive known and ends the older ones. False, when nobody wants it any more.
pub async fn finished(
    app: &App,
    lease: &Lease,
    id: DataExportId,
    written: &write::Written,
) -> Result<bool> {
    let now = app.clock.now();
    let tx = attempts::fenced(app, lease).await?;
    let changed = export::Entity::update_many()
        .set(export::ActiveModel {
            state: Set(ExportState::Ready),
            object: Set(Some(written.object.clone())),
            size: Set(Some(i64::try_from(written.size).unwrap_or(i64::MAX))),
            sha256: Set(Some(written.sha256.clone())),
            ready_at: Set(Some(now)),
            expires_at: Set(Some(now + app.config.retention.exports)),
            ..Default::default()
        })
        .filter(export::Column::Id.eq(id))
        .filter(export::Column::State.eq(ExportState::Running))
        .exec(&tx)
        .await?;
    if changed.rows_affected != 1 {
        tx.rollback().await?;
        return Ok(false);
    }
    // Their time is over; whoever deletes what is over finds them by that.
    let over = [ExportState::Ready];
    export::Entity::update_many()
        .set(export::ActiveModel {
            expires_at: Set(Some(now)),
            ..Default::default()
        })
        .filter(export::Column::UserId.in_subquery(owner_of(id)))
        .filter(export::Column::Id.ne(id))
        .filter(export::Column::State.is_in(over))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    if let Err(error) = expire(app).await {
        tracing::warn!(?error, "older archives are deleted later");
    }
    Ok(true)
}

fn owner_of(id: DataExportId) -> SelectStatement {
    export::Entity::find_by_id(id)
        .select_only()
        .column(export::Column::UserId)
        .into_query()
}

/// Gives an export up.
pub async fn failed(app: &App, id: DataExportId, why: &str) -> Result<()> {
    let open = [ExportState::Waiting, ExportState::Running];
    end(app, id, &open, ExportState::Failed, Some(why)).await?;
    remove(app, id).await
}

async fn end(
    app: &App,
    id: DataExportId,
    from: &[ExportState],
    to: ExportState,
    why: Option<&str>,
) -> Result<bool> {
    let changed = export::Entity::update_many()
        .set(export::ActiveModel {
            state: Set(to),
            object: Set(None),
            failure_message: Set(why.map(str::to_owned)),
            ended_at: Set(Some(app.clock.now())),
            ..Default::default()
        })
        .filter(export::Column::Id.eq(id))
        .filter(export::Column::State.is_in(from.iter().copied()))
        .exec(app.db.write())
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Removes whatever is stored of an export.
pub async fn remove(app: &App, id: DataExportId) -> Result<()> {
    let removed = app.media.storage().remove_parcels(&id.to_string()).await;
    removed.map_err(anyhow::Error::from)?;
    Ok(())
}

/// Removes what a worker wrote of an export that is not wanted any more. False, when the export is there to
/// be fetched: an earlier try died right after it had made it known.
pub async fn clear(app: &App, id: DataExportId) -> Result<bool> {
    let row = export::Entity::find_by_id(id).one(app.db.read()).await?;
    if row.is_some_and(|row| row.state == ExportState::Ready) {
        return Ok(false);
    }
    remove(app, id).await?;
    Ok(true)
}

/// Deletes the archives whose time is over, at most a batch. Gives how many.
pub async fn expire(app: &App) -> Result<u64> {
    let over = export::Entity::find()
        .filter(export::Column::State.eq(ExportState::Ready))
        .filter(export::Column::ExpiresAt.lte(app.clock.now()))
        .limit(BATCH)
        .all(app.db.read())
        .await?;
    let mut expired = 0;
    for row in over {
        // Bytes first: what a crash leaves is found again by the row.
        remove(app, row.id).await?;
        let from = [ExportState::Ready];
        if end(app, row.id, &from, ExportState::Expired, None).await? {
            expired += 1;
        }
    }
    Ok(expired)
}

/// Ends every export of a user at once, for an erasure, and gives their ids.
pub async fn wipe(app: &App, user: UserId) -> Result<Vec<DataExportId>> {
    let theirs = export::Entity::find()
        .filter(export::Column::UserId.eq(user))
        .all(app.db.read())
        .await?;
    let mut ids = Vec::new();
    for row in theirs {
        // The row first: whoever still writes finds that nobody wants it.
        let live = [
            ExportState::Waiting,
            ExportState::Running,
            ExportState::Ready,
        ];
        end(app, row.id, &live, ExportState::Expired, None).await?;
        remove(app, row.id).await?;
        ids.push(row.id);
    }
    Ok(ids)
}

/// Sees to it that every export that is not over has its job, and that none goes on for ever.
pub async fn resume(app: &App) -> Result<()> {
    let open = export::Entity::find()
        .filter(export::Column::State.is_in([ExportState::Waiting, ExportState::Running]))
        .limit(BATCH)
        .all(app.db.read())
        .await?;
    for row in open {
        if app.clock.now().since(row.requested_at) >= PATIENCE {
            failed(app, row.id, "it did not come to its end within three days").await?;
            continue;
        }
        // One that is live already is not enqueued again.
        let tx = app.db.begin().await?;
        app.enqueue_in_tx(&tx, job(&row), None).await?;
        tx.commit().await?;
    }
    Ok(())
}
