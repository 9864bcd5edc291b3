//! The loops that need nothing but time: relay, audit, rescue, control, schedule.
//!
//! Each meets an error by waiting a little and going on.

use std::{sync::Arc, time::Duration};

use clipqueue_entities::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{LOOK, patience::Patience};
use crate::queue::{
    audit,
    control::Paused,
    core::Core,
    execute::TRANSPORT_LEASE,
    hint::Heard,
    ledger,
    policy::{Catalogue, QueueSpec},
    relay::Relay,
    rescue::{self, Rescuer},
    schedule::{Cron, fire},
    seats::Seats,
    transport::{Delivery, Unknown},
};

/// How often pointers are audited one by one.
const AUDIT: Duration = Duration::from_secs(5);

/// How often `queue_controls` is read again.
const CONTROL: Duration = Duration::from_secs(5);

/// How often jobs that an older version parked are let go.
const RELEASE: Duration = Duration::from_secs(5);

/// The longest sleep of the scheduler, so that a step of the clock is noticed.
const SCHEDULE: Duration = Duration::from_secs(30);

/// Works until stopped.
pub(super) async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// The relay of a queue. A pass is never broken off: its rows would say that they have a pointer.
pub(super) async fn relay(core: Core, seats: Seats, paused: Paused, stop: CancellationToken) {
    let wake = core.wakes.relay(&seats.spec.name);
    let mut relay = Relay::new(seats.spec.as_ref().clone());
    let mut patience = Patience::new();
    let mut next_due = None;
    let mut heard = Heard {
        look: true,
        ..Heard::default()
    };
    while !stop.is_cancelled() {
        if !paused.contains(&relay.spec.name) {
            let done = async {
                if !heard.look && relay.start(&core, &seats, &heard.due).await? {
                    return Ok(None);
                }
                relay.pass(&core, Some(&seats)).await.map(Some)
            };
            match done.await {
                Ok(pass) => {
                    patience.calm();
                    if let Some(pass) = pass {
                        heard = Heard::default();
                        if pass.delivered > 0 || pass.promoted > 0 {
                            heard.look = true;
                            continue;
                        }
                        next_due = pass.next_due;
                    }
                }
                Err(error) => {
                    heard.look = true;
                    until(stop.clone(), patience.wait("relay", &error)).await;
                    continue;
                }
            }
        } else {
            // Whatever falls due meanwhile is seen to when the queue is opened. An instant that has passed would
            // be waited for without ever giving way to anybody.
            next_due = None;
        }
        let far = Timestamp::from_millis(i64::MAX);
        heard.look = true;
        tokio::select! {
            () = stop.cancelled() => {}
            told = wake.heard() => heard = told,
            () = core.clock.sleep_until(next_due.unwrap_or(far)) => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// The audits of a queue.
pub(super) async fn audits(core: Core, spec: QueueSpec) {
    let wake = core.wakes.audit(&spec.name);
    let mut patience = Patience::new();
    let mut since = tokio::time::Instant::now();
    let mut seen = None;
    loop {
        let mut found = audit::epoch(&core, spec.channel(), &mut seen).await;
        if matches!(found, Ok(0)) && since.elapsed() >= AUDIT {
            found = audit::pointers(&core, &spec.name).await;
            since = tokio::time::Instant::now();
        }
        match found {
            Ok(rows) => {
                patience.calm();
                if rows > 0 {
                    core.wakes.relay(&spec.name).look();
                    core.wakes.control().notify_one();
                }
            }
            Err(error) => {
                patience.wait("audit", &error).await;
                continue;
            }
        }
        tokio::select! {
            // The connection is new: what was written last may be missing.
            () = wake.notified() => since -= AUDIT,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// The rescuer.
pub(super) async fn rescues(core: Core) {
    let mut rescuer = Rescuer::default();
    let mut patience = Patience::new();
    loop {
        match rescuer.look(&core).await {
            Ok(_) => {
                patience.calm();
                core.clock.sleep(rescue::INTERVAL).await;
            }
            Err(error) => patience.wait("rescue", &error).await,
        }
    }
}

/// Lets jobs go, again and again, that a process of an older version could not read: it may run
/// beside this one for long after this one's start.
pub(super) async fn releases(core: Core, catalogue: Arc<dyn Catalogue>) {
    let mut patience = Patience::new();
    let mut place = None;
    loop {
        let catalogue = catalogue.as_ref();
        let released = async {
            ledger::release_known_kinds(&core, catalogue).await?;
            ledger::release_readable(&core, catalogue, &mut place).await
        };
        match released.await {
            Ok(()) => {
                patience.calm();
                core.clock.sleep(RELEASE).await;
            }
            Err(error) => patience.wait("release", &error).await,
        }
    }
}

/// The loop that obeys `queue_controls`.
pub(super) async fn controls(core: Core, paused: Paused, queues: Vec<String>) {
    let mut patience = Patience::new();
    loop {
        tokio::select! {
            () = core.wakes.control().notified() => {}
            () = tokio::time::sleep(CONTROL) => {}
        }
        match paused.refresh(&core, &queues).await {
            Ok(()) => patience.calm(),
            Err(error) => patience.wait("control", &error).await,
        }
    }
}

/// The scheduler.
pub(super) async fn schedules(core: Core, crons: Vec<Cron>) {
    if crons.is_empty() {
        return std::future::pending().await;
    }
    let mut patience = Patience::new();
    loop {
        // Read before: a slot that passes while others are fired must not wait for the next look.
        let now = core.clock.now();
        if let Err(error) = fire(&core, &crons).await {
            patience.wait("scheduler", &error).await;
            continue;
        }
        patience.calm();
        let next = crons.iter().filter_map(|cron| cron.next(now)).min();
        let next = next.unwrap_or(now + SCHEDULE).min(now + SCHEDULE);
        core.clock.sleep_until(next).await;
    }
}

/// Finishes what could not be finished, and renews the transport's leases of running jobs. Should it fall behind, lanes may run more than
/// their limit for a while; the claims are not touched by it.
pub(super) async fn extends(core: Core, specs: Vec<QueueSpec>) {
    let mut last = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        core.unfinished.flush(core.transport.as_ref()).await;
        if last.elapsed() < TRANSPORT_LEASE / 3 {
            continue;
        }
        last = tokio::time::Instant::now();
        let live = core.live.all();
        for spec in &specs {
            let deliveries: Vec<Delivery> = live
                .iter()
                .filter(|lease| lease.queue() == spec.name)
                .map(|lease| lease.delivery().clone())
                .collect();
            if deliveries.is_empty() {
                continue;
            }
            let extended = core
                .transport
                .extend(spec.channel(), &deliveries, TRANSPORT_LEASE, Unknown::Stay)
                .await;
            if let Err(error) = extended {
                tracing::debug!(%error, "leases in the transport were not renewed");
            }
        }
    }
}
