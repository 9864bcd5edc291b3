//! Each account's times, and the plan of an hour: whose job is enqueued, and what everybody is shown.

use std::{collections::BTreeMap, time::Duration};

use clipqueue_entities::{
    AccountId, Timestamp,
    account::{self, AccountStatus},
    metric_plan,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, OnConflict, Query},
};

use super::planner::{self, EARLY, Need, PERIOD, Rank, WHOLE_WITHIN};
use crate::{
    app::App,
    domain::error::Result,
    job::{Job, METRICS},
};

/// Rows of one statement.
const CHUNK: usize = 500;
/// Rows that are read at once.
const PAGE: u64 = 5000;
/// A look that follows another within this time is the same look.
const SAME_LOOK: Duration = Duration::from_secs(600);
/// Minutes of an hour.
const MINUTES: u32 = 60;

/// What a plan came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Accounts that were seen for the first time.
    pub adopted: u64,
    /// Accounts that are read within the hour, by why.
    pub read: BTreeMap<Rank, u32>,
    /// Accounts that are due and wait, by why.
    pub waiting: BTreeMap<Rank, u32>,
    /// Calls that the hour is expected to cost.
    pub calls: u32,
}

/// The account's times, if it has any yet.
pub async fn of(db: &impl ConnectionTrait, id: AccountId) -> Result<Option<metric_plan::Model>> {
    Ok(metric_plan::Entity::find_by_id(id).one(db).await?)
}

/// What the planner is told of an account.
pub fn need(plan: &metric_plan::Model) -> Need {
    Need {
        account: plan.account_id,
        videos: u32::try_from(plan.videos).unwrap_or_default(),
        read_at: plan.read_at,
        whole_at: plan.whole_at,
        looked_at: plan.looked_at,
        checkpoint_at: plan.checkpoint_at,
    }
}

/// Plans the hour that begins now, and enqueues its jobs. Safe to repeat: an account has one live job.
pub async fn plan_hour(app: &App) -> Result<Planned> {
    if app.config.metrics.calls_per_minute == 0 {
        return Ok(Planned::default());
    }
    let now = app.clock.now();
    let adopted = adopt(app, now).await?;
    let needs = candidates(app, now).await?;
    let budget = app.config.metrics.calls_per_minute * MINUTES;
    let plan = planner::plan(now, budget, &needs);
    let mut planned = Planned {
        adopted,
        calls: plan.calls,
        ..Planned::default()
    };
    for turns in plan.turns.chunks(CHUNK) {
        let tx = app.db.begin().await?;
        let jobs = turns.iter().map(|turn| {
            let account_id = turn.account;
            (Job::RefreshMetrics { account_id }, Some(turn.at))
        });
        app.enqueue_many_in_tx(&tx, jobs.collect()).await?;
        let times = turns.iter().map(|turn| (turn.account, turn.at));
        show(&tx, now, times).await?;
        tx.commit().await?;
        app.nudge(METRICS);
        for turn in turns {
            *planned.read.entry(turn.rank).or_default() += 1;
        }
    }
    for put_off in plan.put_off.chunks(CHUNK) {
        for (_, rank) in put_off {
            *planned.waiting.entry(*rank).or_default() += 1;
        }
        let late = put_off.iter().filter(|(_, rank)| *rank != Rank::Early);
        let times = late.map(|(account, _)| (*account, now + PERIOD));
        show(app.db.write(), now, times).await?;
    }
    Ok(planned)
}

/// Gives accounts their first row.
async fn adopt(app: &App, now: Timestamp) -> Result<u64> {
    let known = Query::select()
        .column(metric_plan::Column::AccountId)
        .from(metric_plan::Entity)
        .to_owned();
    let mut adopted = 0;
    loop {
        let new: Vec<AccountId> = account::Entity::find()
            .select_only()
            .column(account::Column::Id)
            .filter(account::Column::Status.eq(AccountStatus::Active))
            .filter(account::Column::Id.not_in_subquery(known.clone()))
            .limit(CHUNK as u64)
            .into_tuple()
            .all(app.db.read())
            .await?;
        if new.is_empty() {
            return Ok(adopted);
        }
        let rows: Vec<_> = new.into_iter().map(|id| row(id, now, Some(now))).collect();
        adopted += rows.len() as u64;
        metric_plan::Entity::insert_many(rows)
            .on_conflict(nothing())
            .exec_without_returning(app.db.write())
            .await?;
    }
}

/// Everybody who may be due within the hour, or worth a spare call.
async fn candidates(app: &App, now: Timestamp) -> Result<Vec<Need>> {
    let active = Query::select()
        .column(account::Column::Id)
        .from(account::Entity)
        .and_where(account::Column::Status.eq(AccountStatus::Active))
        .to_owned();
    // Whose whole look is worth a spare call is shown a time within this.
    let within = now + (WHOLE_WITHIN - EARLY);
    let mut needs = Vec::new();
    let mut cursor: Option<AccountId> = None;
    loop {
        let mut query = metric_plan::Entity::find()
            .filter(metric_plan::Column::NextDueAt.lte(within))
            .filter(metric_plan::Column::AccountId.in_subquery(active.clone()))
            .order_by_asc(metric_plan::Column::AccountId)
            .limit(PAGE);
        if let Some(cursor) = cursor {
            query = query.filter(metric_plan::Column::AccountId.gt(cursor));
        }
        let page = query.all(app.db.read()).await?;
        let Some(last) = page.last() else {
            return Ok(needs);
        };
        cursor = Some(last.account_id);
        needs.extend(page.iter().map(need));
    }
}

/// Writes down when accounts are read next.
async fn show(
    db: &impl ConnectionTrait,
    now: Timestamp,
    times: impl Iterator<Item = (AccountId, Timestamp)>,
) -> Result<()> {
    let rows: Vec<_> = times.map(|(id, at)| row(id, now, Some(at))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    metric_plan::Entity::insert_many(rows)
        .on_conflict(
            OnConflict::column(metric_plan::Column::AccountId)
                .update_column(metric_plan::Column::NextDueAt)
                .to_owned(),
        )
        .exec_without_returning(db)
        .await?;
    Ok(())
}

fn nothing() -> OnConflict {
    OnConflict::column(metric_plan::Column::AccountId)
        .do_nothing()
        .to_owned()
}

fn row(id: AccountId, now: Timestamp, next: Option<Timestamp>) -> metric_plan::ActiveModel {
    metric_plan::ActiveModel {
        account_id: Set(id),
        next_due_at: Set(next),
        checkpoint_at: Set(None),
        looked_at: Set(None),
        read_at: Set(None),
        whole_at: Set(None),
        videos: Set(0),
        listing_since: Set(None),
        listing_cursor: Set(None),
        paused_reason: Set(None),
        created_at: Set(now),
    }
}

/// Makes an account's row, if it has none.
pub async fn ensure(db: &impl ConnectionTrait, id: AccountId, now: Timestamp) -> Result<()> {
    metric_plan::Entity::insert(row(id, now, Some(now)))
        .on_conflict(nothing())
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// Somebody looks at the counters of accounts: they are read more often for a while.
pub async fn looked(app: &App, accounts: &[AccountId]) -> Result<()> {
    let now = app.clock.now();
    let again = Condition::any()
        .add(metric_plan::Column::LookedAt.is_null())
        .add(metric_plan::Column::LookedAt.lt(now - SAME_LOOK));
    for some in accounts.chunks(CHUNK) {
        let fresh: Vec<metric_plan::Model> = metric_plan::Entity::find()
            .filter(metric_plan::Column::AccountId.is_in(some.iter().copied()))
            .filter(again.clone())
            .all(app.db.read())
            .await?;
        for plan in fresh {
            let looked = Need {
                looked_at: Some(now),
                ..need(&plan)
            };
            let due = planner::next_due(&looked, now).max(now);
            metric_plan::Entity::update_many()
                .col_expr(metric_plan::Column::LookedAt, Expr::value(now))
                .filter(metric_plan::Column::AccountId.eq(plan.account_id))
                .exec(app.db.write())
                .await?;
            hasten(app.db.write(), plan.account_id, due).await?;
        }
    }
    Ok(())
}

/// Shows an earlier time, if the account is read at all.
async fn hasten(db: &impl ConnectionTrait, id: AccountId, due: Timestamp) -> Result<()> {
    metric_plan::Entity::update_many()
        .col_expr(metric_plan::Column::NextDueAt, Expr::value(due))
        .filter(metric_plan::Column::AccountId.eq(id))
        .filter(metric_plan::Column::NextDueAt.gt(due))
        .exec(db)
        .await?;
    Ok(())
}

/// A young video became known otherwise than by a listing: it is read at its age.
pub(super) async fn expect_in_tx(
    tx: &impl ConnectionTrait,
    id: AccountId,
    now: Timestamp,
    at: Timestamp,
) -> Result<()> {
    ensure(tx, id, now).await?;
    let later = Condition::any()
        .add(metric_plan::Column::CheckpointAt.is_null())
        .add(metric_plan::Column::CheckpointAt.gt(at));
    metric_plan::Entity::update_many()
        .col_expr(metric_plan::Column::CheckpointAt, Expr::value(at))
        .filter(metric_plan::Column::AccountId.eq(id))
        .filter(later)
        .exec(tx)
        .await?;
    hasten(tx, id, at).await
}

/// The account cannot be read until something is put right; its job does not fail.
pub async fn pause(app: &App, id: AccountId, reason: &str) -> Result<()> {
    ensure(app.db.write(), id, app.clock.now()).await?;
    metric_plan::Entity::update_many()
        .col_expr(metric_plan::Column::PausedReason, Expr::value(reason))
        .col_expr(
            metric_plan::Column::NextDueAt,
            Expr::value(Option::<Timestamp>::None),
        )
        .filter(metric_plan::Column::AccountId.eq(id))
        .exec(app.db.write())
        .await?;
    Ok(())
}

/// The creator connected again: the account is read with the next plan.
pub async fn resume_in_tx(app: &App, tx: &impl ConnectionTrait, id: AccountId) -> Result<()> {
    let now = app.clock.now();
    metric_plan::Entity::update_many()
        .col_expr(
            metric_plan::Column::PausedReason,
            Expr::value(Option::<String>::None),
        )
        .col_expr(metric_plan::Column::NextDueAt, Expr::value(now))
        .filter(metric_plan::Column::AccountId.eq(id))
        .filter(metric_plan::Column::PausedReason.is_not_null())
        .exec(tx)
        .await?;
    Ok(())
}
