//! How crons stand: the slots that passed, the jobs that they made, and the next one.

use clipqueue_entities::{JobId, Timestamp, cron_slot};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::queue::{core::Core, schedule::Cron};

/// One slot that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The instant that it stands for.
    pub fire_at: Timestamp,
    /// The job that it made; none for a slot that was skipped, and for the mark since when the cron
    /// is known.
    pub job: Option<JobId>,
    /// When it was noted.
    pub noted_at: Timestamp,
}

/// One cron.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronStatus {
    /// Its name.
    pub name: String,
    /// When it fires: `sec min hour day month weekday`.
    pub expression: String,
    /// Its next slot.
    pub next: Option<Timestamp>,
    /// Its last slots, newest first.
    pub slots: Vec<Slot>,
}

pub(in crate::queue) async fn crons(
    core: &Core,
    crons: &[Cron],
    limit: u64,
) -> Result<Vec<CronStatus>, DbErr> {
    let mut all = Vec::with_capacity(crons.len());
    for cron in crons {
        let slots = cron_slot::Entity::find()
            .filter(cron_slot::Column::Name.eq(&cron.spec().name))
            .order_by_desc(cron_slot::Column::FireAt)
            .limit(limit)
            .all(core.db.read())
            .await?;
        all.push(CronStatus {
            name: cron.spec().name.clone(),
            expression: cron.spec().expression.clone(),
            next: cron.next(core.clock.now()),
            slots: slots
                .into_iter()
                .map(|row| Slot {
                    fire_at: row.fire_at,
                    job: row.job_id,
                    noted_at: row.created_at,
                })
                .collect(),
        });
    }
    Ok(all)
}
