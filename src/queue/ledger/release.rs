//! Letting jobs go that an older version could not read and that this one can.

use clipqueue_entities::{
    JobId,
    job::{self, JobState},
};
use sea_orm::{
    ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    Value, sea_query::Expr,
};

use crate::queue::{
    batch,
    core::Core,
    execute::{UNKNOWN_KIND, UNREADABLE_ARGS},
    policy::Catalogue,
};

/// Jobs whose arguments are looked at in one page.
const PAGE: u64 = 100;

/// Lets jobs go that an older version parked as unknown and that this catalogue knows.
pub(in crate::queue) async fn release_known_kinds(
    core: &Core,
    catalogue: &dyn Catalogue,
) -> Result<(), DbErr> {
    let sql = "SELECT DISTINCT kind FROM jobs WHERE state = 'held' AND hold_reason = $1";
    let kinds = batch::all(
        core.db.read(),
        sql.to_owned(),
        vec![Value::from(UNKNOWN_KIND)],
    )
    .await?;
    for row in kinds {
        let kind: String = row.try_get("", "kind")?;
        if catalogue.policy(&kind).is_none() {
            continue;
        }
        let sql = "UPDATE jobs SET state = 'available', hold_reason = NULL, dispatched_at = NULL, \
                   updated_at = $1 WHERE state = 'held' AND hold_reason = $2 AND kind = $3";
        let values = vec![
            batch::millis(core.clock.now()),
            Value::from(UNKNOWN_KIND),
            Value::from(kind.as_str()),
        ];
        let released = batch::run(core.db.write(), sql.to_owned(), values).await?;
        tracing::info!(
            kind,
            jobs = released,
            "released jobs whose kind is known now"
        );
    }
    Ok(())
}

/// Lets jobs go whose arguments an older version could not read and this catalogue can.
///
/// `place` is how far the last look came. A look goes on while it finds something to let go, so that
/// jobs which nobody can read cost one page each time, however many they are.
pub(in crate::queue) async fn release_readable(
    core: &Core,
    catalogue: &dyn Catalogue,
    place: &mut Option<JobId>,
) -> Result<(), DbErr> {
    let mut begun_anew = place.is_none();
    loop {
        let mut query = job::Entity::find()
            .select_only()
            .columns([job::Column::Id, job::Column::Kind, job::Column::Args])
            .filter(job::Column::State.eq(JobState::Held))
            .filter(job::Column::HoldReason.eq(UNREADABLE_ARGS));
        if let Some(place) = *place {
            query = query.filter(job::Column::Id.gt(place));
        }
        let page: Vec<(JobId, String, serde_json::Value)> = query
            .order_by_asc(job::Column::Id)
            .limit(PAGE)
            .into_tuple()
            .all(core.db.read())
            .await?;
        let more = page.len() as u64 == PAGE;
        *place = page.last().filter(|_| more).map(|(id, ..)| *id);
        let readable: Vec<JobId> = page
            .into_iter()
            .filter(|(_, kind, args)| {
                catalogue.policy(kind).is_some() && catalogue.reads(kind, args)
            })
            .map(|(id, ..)| id)
            .collect();
        let released = release(core, &readable).await?;
        if more && released > 0 {
            continue;
        }
        if more || begun_anew {
            return Ok(());
        }
        // The end: what came before this look's place is looked at too.
        begun_anew = true;
    }
}

async fn release(core: &Core, jobs: &[JobId]) -> Result<u64, DbErr> {
    if jobs.is_empty() {
        return Ok(0);
    }
    let now = core.clock.now();
    let released = job::Entity::update_many()
        .col_expr(job::Column::State, Expr::value(JobState::Available))
        .col_expr(job::Column::HoldReason, Expr::value(None::<String>))
        .col_expr(job::Column::DispatchedAt, Expr::value(None::<i64>))
        .col_expr(job::Column::UpdatedAt, Expr::value(now))
        .filter(job::Column::Id.is_in(jobs.iter().copied()))
        .filter(job::Column::State.eq(JobState::Held))
        .filter(job::Column::HoldReason.eq(UNREADABLE_ARGS))
        .exec(core.db.write())
        .await?
        .rows_affected;
    tracing::info!(
        jobs = released,
        "released jobs whose arguments can be read now"
    );
    Ok(released)
}
