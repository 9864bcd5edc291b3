//! Claim, run, settle: the only way a job runs, in the daemon and in a drain alike.
//!
//! A ticket is a claimed job with its living lease. Running it asks the catalogue for the policy,
//! runs the handler under a timeout, a stop signal and a net for panics, and turns whatever
//! happened into a verdict. It never fails: every end of a handler is a verdict.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use clipqueue_entities::{Timestamp, job::JobState, job_attempt::AttemptOutcome};
use futures::FutureExt;

use super::{
    claim::{self, Claims},
    core::Core,
    lease::{Grant, LiveLease, StopReason},
    policy::{Catalogue, DEFAULT_LEASE, Policy, QueueSpec},
    settle::{self, Ended, Settlement, Verdict},
    transport::{Channel, Delivery, TransportError},
    work::{Claimed, Failure, Outcome, Ran, Run, Runner},
};

/// How long a handler that was told to stop may take to leave things in order.
pub(super) const CHECKPOINT: Duration = Duration::from_secs(5);

/// A pointer's lease in the transport. It is renewed while the job runs.
pub(super) const TRANSPORT_LEASE: Duration = DEFAULT_LEASE;

/// The reason of held jobs whose kind this version does not know.
pub const UNKNOWN_KIND: &str = "unknown_kind";

/// The reason of held jobs whose arguments cannot be read.
pub const UNREADABLE_ARGS: &str = "unreadable_args";

/// A claimed job on its way to the handler.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) job: Claimed,
    pub(super) live: LiveLease,
    pub(super) spec: Arc<QueueSpec>,
}

impl Ticket {
    /// Ends the ticket with `verdict`.
    pub(super) fn end(self, verdict: Verdict) -> Ended {
        self.live.lease.end();
        Ended {
            settlement: Settlement {
                delivery: self.live.lease.delivery().clone(),
                job: self.job,
                verdict,
            },
            live: self.live,
            spec: self.spec,
        }
    }
}

/// What one fetch brought.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    /// Jobs to run.
    pub(super) tickets: Vec<Ticket>,
    /// Pointers that the transport gave, stale ones included.
    pub(super) taken: usize,
}

/// A fetch that brought nothing because somebody did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("the claim failed")]
    Claim(#[from] sea_orm::DbErr),
}

/// Takes up to `limit` pointers and claims their rows.
pub(super) async fn fetch(
    core: &Core,
    catalogue: &dyn Catalogue,
    spec: &Arc<QueueSpec>,
    limit: usize,
) -> Result<Fetched, FetchError> {
    let channel = spec.channel();
    let taken = core.transport.take(channel, limit, TRANSPORT_LEASE).await?;
    let count = taken.deliveries.len();
    // Half empty, or full of lanes that are at their limit.
    if taken.waiting < super::relay::WINDOW / 2 || count < limit {
        core.wakes.feed(&spec.name);
    }
    if count == 0 {
        return Ok(Fetched::default());
    }
    let tickets = claim_all(core, catalogue, spec, taken.deliveries).await?;
    Ok(Fetched {
        tickets,
        taken: count,
    })
}

/// Claims the rows of pointers that the transport handed to us.
pub(super) async fn claim_all(
    core: &Core,
    catalogue: &dyn Catalogue,
    spec: &Arc<QueueSpec>,
    deliveries: Vec<Delivery>,
) -> Result<Vec<Ticket>, FetchError> {
    let channel = spec.channel();
    let claims = match claim::claim(core, &spec.name, deliveries.clone()).await {
        Ok(claims) => claims,
        Err(error) => {
            give_back(core, channel, &deliveries).await;
            return Err(error.into());
        }
    };
    if !claims.dropped.is_empty() {
        drop_all(core, channel, &claims.dropped).await;
    }
    Ok(tickets(core, catalogue, spec, claims))
}

/// The tickets of claimed rows. Listeners hear that they run.
pub(super) fn tickets(
    core: &Core,
    catalogue: &dyn Catalogue,
    spec: &Arc<QueueSpec>,
    claims: Claims,
) -> Vec<Ticket> {
    let started = claims
        .claimed
        .iter()
        .map(|(_, job)| (job.id, JobState::Running))
        .collect();
    core.notices.changed(&spec.name, started);
    claims
        .claimed
        .into_iter()
        .map(|(delivery, job)| {
            let length = catalogue
                .policy(&job.kind)
                .map_or(DEFAULT_LEASE, |policy| policy.lease);
            let grant = Grant {
                delivery,
                queue: spec.name.clone(),
                fence: job.fence,
                length,
                believed_until: claims.until,
            };
            Ticket {
                live: core.live.add(grant, &core.db, &core.clock, &core.notices),
                job,
                spec: Arc::clone(spec),
            }
        })
        .collect()
}

/// Finishes pointers for which no row was claimed. Rows that nobody else will point to are looked at anew.
pub(super) async fn drop_all(core: &Core, channel: Channel<'_>, dropped: &[Delivery]) {
    if let Err(error) = core.transport.finish(channel, dropped).await {
        tracing::debug!(%error, "stale pointers were not finished");
    }
    match claim::put_back(core, dropped).await {
        Ok(rows) if rows.is_empty() => {}
        Ok(mut rows) => {
            core.wakes.relay(channel.queue).look();
            let before = rows.len();
            rows.retain(|(_, state)| *state != JobState::Available);
            if rows.len() < before {
                // A pause that was not heard of yet.
                core.wakes.control().notify_one();
            }
            core.notices.changed(channel.queue, rows);
        }
        // The audit finds them.
        Err(error) => tracing::debug!(%error, "rows without a pointer stay for now"),
    }
}

pub(super) async fn give_back(core: &Core, channel: Channel<'_>, deliveries: &[Delivery]) {
    if let Err(error) = core.transport.give_back(channel, deliveries).await {
        // Their lease in the transport runs out and they are handed out again.
        tracing::debug!(%error, "pointers were not given back");
    }
}

/// Runs a ticket to its end.
pub(super) async fn run(
    core: &Core,
    catalogue: &dyn Catalogue,
    runner: &Runner,
    ticket: Ticket,
) -> Ended {
    let Some(policy) = catalogue.policy(&ticket.job.kind) else {
        let error = format!(
            "this version knows no job of the kind {:?}; release it once a version runs that does",
            ticket.job.kind
        );
        return ticket.end(Verdict::Held {
            reason: UNKNOWN_KIND.to_owned(),
            error,
        });
    };
    let end = attempt(core, runner, &policy, &ticket).await;
    let verdict = judge(end, &policy, &ticket, core.clock.now());
    if let Some(error) = describe(&verdict) {
        tracing::info!(
            job = %ticket.job.id, kind = %ticket.job.kind, attempt = ticket.job.attempt,
            state = verdict.state().as_str(), error, "an attempt did not succeed"
        );
    }
    ticket.end(verdict)
}

fn describe(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Completed | Verdict::Snoozed(_) | Verdict::GivenBack => None,
        Verdict::Retry { error, .. }
        | Verdict::Discarded { error, .. }
        | Verdict::Cancelled { error }
        | Verdict::Held { error, .. } => Some(error),
    }
}

/// How a handler came to its end.
enum End {
    /// It answered.
    Answered(Ran),
    /// It panicked.
    Panicked(String),
    /// It was told to stop and did not; its future was dropped.
    Dropped,
}

async fn attempt(core: &Core, runner: &Runner, policy: &Policy, ticket: &Ticket) -> End {
    let lease = &ticket.live.lease;
    let runner = Arc::clone(runner);
    let run = Run {
        job: ticket.job.clone(),
        lease: lease.clone(),
    };
    // The runner is called inside the net too: it may panic before it returns its future.
    let handler = AssertUnwindSafe(async move { runner(run).await }).catch_unwind();
    tokio::pin!(handler);
    let answer = tokio::select! {
        biased;
        answer = &mut handler => answer,
        () = lease.cancelled() => match tokio::time::timeout(CHECKPOINT, &mut handler).await {
            Ok(answer) => answer,
            Err(_) => return End::Dropped,
        },
        () = core.clock.sleep(policy.timeout) => {
            lease.stop(StopReason::TimedOut);
            match tokio::time::timeout(CHECKPOINT, &mut handler).await {
                Ok(answer) => answer,
                Err(_) => return End::Dropped,
            }
        }
    };
    match answer {
        Ok(ran) => End::Answered(ran),
        Err(panic) => End::Panicked(panic_text(panic.as_ref())),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    settle::text(&anyhow::anyhow!("panicked: {text}"))
}

/// What an end means. A handler that finished in spite of a signal has finished; one that did not
/// is judged by the signal.
fn judge(end: End, policy: &Policy, ticket: &Ticket, now: Timestamp) -> Verdict {
    let stopped = ticket.live.lease.stop_reason();
    let failure = match end {
        End::Answered(Ok(Outcome::Done)) => return Verdict::Completed,
        End::Answered(Ok(Outcome::Snooze(wait))) => {
            return match stopped {
                Some(StopReason::Cancelled) => cancelled(),
                _ => Verdict::Snoozed(now + wait),
            };
        }
        End::Panicked(error) => return failed(policy, ticket, now, error, None, FAILED),
        End::Answered(Err(failure)) => Some(failure),
        End::Dropped => None,
    };
    match stopped {
        // Whatever the verdict on a lost lease, the fence drops it.
        Some(StopReason::Stopping | StopReason::Lost) => match failure {
            None | Some(Failure::Retry { .. }) => Verdict::GivenBack,
            Some(failure) => judge_failure(failure, policy, ticket, now),
        },
        Some(StopReason::Cancelled) => cancelled(),
        Some(StopReason::TimedOut) => {
            let error = format!("timed out after {} s", policy.timeout.as_secs_f64());
            failed(policy, ticket, now, error, None, AttemptOutcome::TimedOut)
        }
        None => match failure {
            Some(failure) => judge_failure(failure, policy, ticket, now),
            None => Verdict::GivenBack,
        },
    }
}

const FAILED: AttemptOutcome = AttemptOutcome::Failed;

fn judge_failure(failure: Failure, policy: &Policy, ticket: &Ticket, now: Timestamp) -> Verdict {
    match failure {
        Failure::Retry { error, after } => {
            failed(policy, ticket, now, settle::text(&error), after, FAILED)
        }
        Failure::Hold { reason, error } => Verdict::Held {
            reason,
            error: settle::text(&error),
        },
        Failure::Cancel { error } => Verdict::Cancelled {
            error: settle::text(&error),
        },
        Failure::Discard { error } => Verdict::Discarded {
            error: settle::text(&error),
            outcome: FAILED,
        },
        Failure::Unreadable { error } => Verdict::Held {
            reason: UNREADABLE_ARGS.to_owned(),
            error: settle::text(&error),
        },
    }
}

fn cancelled() -> Verdict {
    Verdict::Cancelled {
        error: "cancelled while it ran".to_owned(),
    }
}

fn failed(
    policy: &Policy,
    ticket: &Ticket,
    now: Timestamp,
    error: String,
    after: Option<Duration>,
    outcome: AttemptOutcome,
) -> Verdict {
    let job = &ticket.job;
    if job.attempt >= job.max_attempts {
        return Verdict::Discarded { error, outcome };
    }
    let wait = after.unwrap_or_else(|| policy.backoff.after(job.id, job.attempt));
    Verdict::Retry {
        at: now + wait,
        error,
        outcome,
    }
}
