//! Gauges that are sampled when somebody asks for the metrics, and not more often than is sensible.
//!
//! Labels are states, statuses and our own queues: their number never grows with the data. A state
//! without rows is a zero, not a gap.

use std::time::{Duration, Instant};

use clipqueue_entities::{account::AccountStatus, job::JobState, post::PostState};
use metrics::gauge;
use tokio::sync::Mutex;

use crate::{
    app::App,
    calls::breaker::{Reason, State},
    domain::{canaries, census, deletions, drift, overdue, post_change::state_word},
    job::Jobs,
};

/// Counting costs the database something, so scrapes within this time share one sample.
const EVERY: Duration = Duration::from_secs(1);

/// Samples on demand.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    last: Mutex<Option<Instant>>,
}

impl Gauges {
    /// Samples unless that was done just now. Callers at the same time wait for the same sample.
    pub(super) async fn sample(&self, app: &App) -> anyhow::Result<()> {
        let mut last = self.last.lock().await;
        if last.is_some_and(|last| last.elapsed() < EVERY) {
            return Ok(());
        }
        // Noted first: a database in trouble is not asked more often for it.
        *last = Some(Instant::now());
        census(app).await?;
        breakers(app).await;
        queues(app).await?;
        watches(app).await
    }
}

async fn census(app: &App) -> anyhow::Result<()> {
    let census = census::take(app).await?;
    for state in ALL_POST_STATES {
        let count = of(&census.posts, state);
        gauge!("clipqueue_posts", "state" => state_word(state)).set(count);
    }
    for (status, word) in [
        (AccountStatus::Active, "active"),
        (AccountStatus::ReauthRequired, "reauth_required"),
        (AccountStatus::Disconnected, "disconnected"),
    ] {
        gauge!("clipqueue_accounts", "status" => word).set(of(&census.accounts, status));
    }
    gauge!("clipqueue_posts_past_deadline").set(float(census.overdue));
    Ok(())
}

/// 0 is closed, 1 is half open, 2 is open. Parked are creators whose own calls fail. A refused client is an alert of its own.
async fn breakers(app: &App) {
    let mut refused = false;
    for breaker in app.calls.breakers().await {
        let state = match breaker.state {
            State::Closed => 0.0,
            State::HalfOpen => 1.0,
            State::Open => 2.0,
        };
        gauge!("clipqueue_breaker_parked", "endpoint" => breaker.endpoint.label())
            .set(f64::from(breaker.parked));
        refused |= breaker.reason == Some(Reason::ClientRefused);
        gauge!("clipqueue_breaker_state", "endpoint" => breaker.endpoint.label()).set(state);
    }
    gauge!("clipqueue_client_refused").set(f64::from(u8::from(refused)));
}

async fn queues(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let names = Jobs::QUEUES.map(str::to_owned);
    for stats in app.queue.stats(&names).await? {
        for state in ALL_JOB_STATES {
            gauge!("clipqueue_jobs", "queue" => stats.queue.clone(), "state" => state.as_str())
                .set(float(stats.count(state)));
        }
        let waits = stats
            .oldest_waiting
            .map_or(0.0, |at| now.since(at).as_secs_f64());
        gauge!("clipqueue_queue_oldest_waiting_seconds", "queue" => stats.queue.clone()).set(waits);
        gauge!("clipqueue_queue_draining", "queue" => stats.queue.clone())
            .set(f64::from(u8::from(stats.draining)));
        gauge!("clipqueue_queue_paused", "queue" => stats.queue)
            .set(f64::from(u8::from(stats.paused)));
    }
    Ok(())
}

async fn watches(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now();
    for (kind, count) in overdue::count(app).await?.by_kind() {
        gauge!("clipqueue_overdue", "kind" => kind).set(float(count));
    }
    for (state, count) in deletions::clock::pending(app).await? {
        gauge!("clipqueue_deletion_requests", "state" => state).set(float(count));
    }
    for reading in canaries::readings(app).await? {
        let stale = f64::from(u8::from(reading.is_stale()));
        let queue = reading.queue;
        gauge!("clipqueue_canary_age_seconds", "queue" => queue.clone())
            .set(reading.age.as_secs_f64());
        gauge!("clipqueue_canary_stale", "queue" => queue.clone()).set(stale);
        if let Some(latency) = reading.latency {
            gauge!("clipqueue_canary_last_seconds", "queue" => queue).set(latency.as_secs_f64());
        }
    }
    let report = drift::reports(app, 1).await?.pop();
    let counted = |count: i64| float(u64::try_from(count).unwrap_or(0));
    for kind in drift::KINDS {
        let found = report
            .as_ref()
            .and_then(|report| report.found.get(kind)?.as_i64());
        gauge!("clipqueue_drift", "kind" => kind).set(counted(found.unwrap_or(0)));
    }
    let (lost, duplicates) = report
        .as_ref()
        .map_or((0, 0), |report| (report.lost, report.duplicates));
    gauge!("clipqueue_lost").set(counted(lost));
    gauge!("clipqueue_duplicate").set(counted(duplicates));
    // One that never came to its end is no fresh one.
    let age = report.map_or(f64::INFINITY, |report| {
        now.since(report.created_at).as_secs_f64()
    });
    gauge!("clipqueue_drift_audit_age_seconds").set(age);
    Ok(())
}

fn of<K: PartialEq>(counts: &[(K, i64)], key: K) -> f64 {
    counts
        .iter()
        .find(|(of, _)| *of == key)
        .map_or(0.0, |(_, count)| float(u64::try_from(*count).unwrap_or(0)))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count beyond 2^53 is not counted one by one either"
)]
fn float(count: u64) -> f64 {
    count as f64
}

const ALL_JOB_STATES: [JobState; 8] = [
    JobState::Scheduled,
    JobState::Available,
    JobState::Running,
    JobState::Completed,
    JobState::Retryable,
    JobState::Discarded,
    JobState::Cancelled,
    JobState::Held,
];

const ALL_POST_STATES: [PostState; 14] = [
    PostState::Draft,
    PostState::Scheduled,
    PostState::Held,
    PostState::Preflight,
    PostState::InitSent,
    PostState::Uploading,
    PostState::Processing,
    PostState::InInbox,
    PostState::Published,
    PostState::Unconfirmed,
    PostState::Failed,
    PostState::Cancelled,
    PostState::Missed,
    PostState::Lapsed,
];
