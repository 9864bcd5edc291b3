//! Crons: each slot makes one job, in any number of processes, without a leader.
//!
//! The slot's row `(name, fire_at)` and its job are inserted in one transaction; whoever comes
//! second changes nothing. When a cron is first seen a mark without a job says since when it is
//! known, so that a slot missed right after the first start is noticed too.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use clipqueue_entities::Timestamp;
use cron::Schedule;
use sea_orm::{ConnectionTrait, DbErr, Value};

use super::{
    batch,
    core::Core,
    enqueue::{Enqueued, enqueue},
    policy::{CatchUp, CronSpec},
};

/// A cron whose expression cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the cron {name} has an expression that cannot be read: {expression:?}; \
     write `sec min hour day month weekday`"
)]
pub struct CronError {
    name: String,
    expression: String,
    #[source]
    source: cron::error::Error,
}

/// A cron that is ready to fire.
#[derive(Clone, Debug)]
pub(super) struct Cron {
    spec: CronSpec,
    schedule: Schedule,
}

impl Cron {
    pub(super) fn new(spec: &CronSpec) -> Result<Self, CronError> {
        let schedule = Schedule::from_str(&spec.expression).map_err(|source| CronError {
            name: spec.name.clone(),
            expression: spec.expression.clone(),
            source,
        })?;
        Ok(Self {
            spec: spec.clone(),
            schedule,
        })
    }

    /// What the catalogue says of it.
    pub(super) const fn spec(&self) -> &CronSpec {
        &self.spec
    }

    /// The first slot after `instant`.
    pub(super) fn next(&self, instant: Timestamp) -> Option<Timestamp> {
        self.slots(instant).next()
    }

    fn slots(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        DateTime::<Utc>::from_timestamp_millis(after.as_millis())
            .into_iter()
            .flat_map(|after| self.schedule.after_owned(after))
            .map(|slot| Timestamp::from_millis(slot.timestamp_millis()))
    }

    /// The latest slot that is after `after` and not after `now`.
    fn latest(&self, after: Timestamp, now: Timestamp) -> Option<Timestamp> {
        // Going back from now keeps this short however long nothing ran.
        let upper = DateTime::<Utc>::from_timestamp_millis(now.as_millis() + 1)?;
        let slot = self.schedule.after(&upper).next_back()?;
        let slot = Timestamp::from_millis(slot.timestamp_millis());
        (slot > after && slot <= now).then_some(slot)
    }
}

/// A slot that has just passed is fired even by a cron that skips missed slots: this late is not
/// missed yet.
const ON_TIME: std::time::Duration = std::time::Duration::from_secs(30);

/// Fires what is due. Gives the jobs that were made here.
pub(super) async fn fire(core: &Core, crons: &[Cron]) -> Result<Vec<Enqueued>, DbErr> {
    let mut made = Vec::new();
    for cron in crons {
        let now = core.clock.now();
        let Some(last) = last_slot(core, &cron.spec.name, now).await? else {
            insert_slot(core.db.write(), &cron.spec.name, now, now).await?;
            continue;
        };
        let Some(slot) = cron.latest(last, now) else {
            continue;
        };
        if cron.spec.catch_up == CatchUp::Skip && now.since(slot) > ON_TIME {
            // The mark moves on, so that the next slot is compared with this one.
            insert_slot(core.db.write(), &cron.spec.name, slot, now).await?;
            continue;
        }
        if let Some(enqueued) = fire_slot(core, cron, slot, now).await? {
            made.push(enqueued);
        }
    }
    Ok(made)
}

async fn fire_slot(
    core: &Core,
    cron: &Cron,
    slot: Timestamp,
    now: Timestamp,
) -> Result<Option<Enqueued>, DbErr> {
    let job = (cron.spec.job)(slot);
    let queue = job.queue.clone();
    let tx = core.db.begin().await?;
    if !insert_slot(&tx, &cron.spec.name, slot, now).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    let enqueued = enqueue(&tx, now, job).await?;
    let sql = "UPDATE cron_slots SET job_id = $1 WHERE name = $2 AND fire_at = $3";
    let values = vec![
        Value::from(enqueued.id().0),
        Value::from(cron.spec.name.as_str()),
        batch::millis(slot),
    ];
    batch::run(&tx, sql.to_owned(), values).await?;
    tx.commit().await?;
    core.wakes.relay(&queue).look();
    Ok(Some(enqueued))
}

/// The latest slot that is not after `now`. A process whose clock was ahead may have fired others,
/// which must not keep everybody waiting until then.
async fn last_slot(core: &Core, name: &str, now: Timestamp) -> Result<Option<Timestamp>, DbErr> {
    let sql = "SELECT max(fire_at) AS fire_at FROM cron_slots WHERE name = $1 AND fire_at <= $2";
    let values = vec![Value::from(name), batch::millis(now)];
    let rows = batch::all(core.db.read(), sql.to_owned(), values).await?;
    rows.first()
        .map_or(Ok(None), |row| row.try_get("", "fire_at"))
}

async fn insert_slot(
    connection: &impl ConnectionTrait,
    name: &str,
    slot: Timestamp,
    now: Timestamp,
) -> Result<bool, DbErr> {
    let sql = "INSERT INTO cron_slots (name, fire_at, created_at) \
               VALUES ($1, $2, $3) ON CONFLICT (name, fire_at) DO NOTHING";
    let values = vec![Value::from(name), batch::millis(slot), batch::millis(now)];
    Ok(batch::run(connection, sql.to_owned(), values).await? == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cron(expression: &str) -> Cron {
        Cron::new(&CronSpec {
            name: "test".into(),
            expression: expression.into(),
            job: |_| unreachable!("never fired here"),
            catch_up: CatchUp::Latest,
        })
        .unwrap()
    }

    #[test]
    fn the_latest_slot_is_found_from_now_backwards() {
        let hourly = cron("0 0 * * * *");
        let hour = |n: i64| Timestamp::from_secs(1_800_000_000 / 3600 * 3600 + n * 3600);
        assert_eq!(hourly.latest(hour(0), hour(5)), Some(hour(5)));
        assert_eq!(hourly.latest(hour(4), hour(5)), Some(hour(5)));
        assert_eq!(hourly.latest(hour(5), hour(5)), None);
        let late = Timestamp::from_millis(hour(6).as_millis() - 1);
        assert_eq!(hourly.latest(hour(5), late), None);
        assert_eq!(hourly.latest(hour(0), late), Some(hour(5)));
        assert_eq!(hourly.next(hour(5)), Some(hour(6)));
    }

    #[test]
    fn a_bad_expression_names_its_cron() {
        let error = Cron::new(&CronSpec {
            name: "nightly".into(),
            expression: "every night".into(),
            job: |_| unreachable!("never fired here"),
            catch_up: CatchUp::Skip,
        })
        .unwrap_err();
        assert!(error.to_string().contains("nightly"));
    }
}
