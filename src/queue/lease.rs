//! The right to run an attempt: a fencing token, a time until which it is believed, and a signal
//! that it is over.
//!
//! A [`Lease`] is handed to the handler. Before it changes the product's tables it proves the lease
//! in the same transaction; before a call that can publish it proves it on its own. A process that
//! was stopped and wakes up late holds an old fence and can prove nothing.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering},
    },
    time::Duration,
};

use clipqueue_entities::{JobId, Timestamp};
use sea_orm::{ConnectionTrait, DbErr, Value};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use super::{batch, notices::Notices, transport::Delivery};
use crate::{clock::Clock, db::Db};

/// Why a proof failed.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else may run the job now. Stop at once and change nothing.
    #[error("the lease is lost: the job may already run elsewhere")]
    Lost,
    /// The database could not be asked. Nothing is proven.
    #[error("the lease could not be proven")]
    Database(#[from] DbErr),
}

/// Why the token of a lease fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StopReason {
    /// Another process may hold the job.
    Lost = 1,
    /// Somebody cancelled the job.
    Cancelled = 2,
    /// The attempt took longer than its policy allows.
    TimedOut = 3,
    /// The process is stopping; the job will run again without losing an attempt.
    Stopping = 4,
}

/// The right to run one attempt. Clones share it.
#[derive(Clone)]
pub struct Lease {
    inner: Arc<Inner>,
}

struct Inner {
    delivery: Delivery,
    queue: String,
    fence: i64,
    length: Duration,
    believed_until: AtomicI64,
    token: CancellationToken,
    reason: AtomicU8,
    ended: AtomicBool,
    db: Db,
    clock: Clock,
    notices: Notices,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("job", &self.inner.delivery.job)
            .field("fence", &self.inner.fence)
            .finish_non_exhaustive()
    }
}

/// The condition that a row still belongs to this attempt.
const STILL_OURS: &str = "id = $1 AND fence = $2 AND state = 'running'";

impl Lease {
    /// Ends when the attempt should end: see [`Lease::stop_reason`].
    pub fn cancelled(&self) -> WaitForCancellationFuture<'_> {
        self.inner.token.cancelled()
    }

    /// Whether the attempt should end.
    pub fn is_cancelled(&self) -> bool {
        self.inner.token.is_cancelled()
    }

    /// Why the attempt should end; none while it may go on.
    pub fn stop_reason(&self) -> Option<StopReason> {
        match self.inner.reason.load(Ordering::Acquire) {
            1 => Some(StopReason::Lost),
            2 => Some(StopReason::Cancelled),
            3 => Some(StopReason::TimedOut),
            4 => Some(StopReason::Stopping),
            _ => None,
        }
    }

    /// Whether the time until which the lease was last renewed lies ahead. It asks the clock alone, so
    /// that a process that was stopped knows at once that another one may have the job.
    pub fn is_believed(&self) -> bool {
        self.inner.clock.now() < self.believed_until()
    }

    /// The fencing token: grows with every claim of the job.
    pub fn fence(&self) -> i64 {
        self.inner.fence
    }

    /// Proves within the caller's transaction that this attempt is still the newest, and keeps it so
    /// until the transaction ends. It renews the lease as well.
    pub async fn prove_in_tx(&self, tx: &impl ConnectionTrait) -> Result<(), LeaseError> {
        let until = self.inner.clock.now() + self.inner.length;
        let sql = format!("UPDATE jobs SET lease_until = $3 WHERE {STILL_OURS}");
        let mut values = self.ours();
        values.push(batch::millis(until));
        if batch::run(tx, sql, values).await? == 1 {
            Ok(())
        } else {
            self.stop(StopReason::Lost);
            Err(LeaseError::Lost)
        }
    }

    /// Proves that this attempt is still the newest, before a call whose effect cannot be undone.
    /// On success the lease is fresh.
    pub async fn prove(&self, db: &Db) -> Result<(), LeaseError> {
        self.prove_in_tx(db.write()).await?;
        self.believe_until(self.inner.clock.now() + self.inner.length);
        Ok(())
    }

    /// Notes progress for people to see. Each call is a small write: say it a few times a second
    /// at most.
    pub async fn progress(&self, progress: serde_json::Value) -> Result<(), LeaseError> {
        let now = self.inner.clock.now();
        let sql = format!("UPDATE jobs SET progress = $3, updated_at = $4 WHERE {STILL_OURS}");
        let mut values = self.ours();
        values.extend([Value::from(progress), batch::millis(now)]);
        if batch::run(self.inner.db.write(), sql, values).await? == 1 {
            self.inner
                .notices
                .progressed(self.inner.delivery.job, &self.inner.queue);
            Ok(())
        } else {
            self.stop(StopReason::Lost);
            Err(LeaseError::Lost)
        }
    }

    fn ours(&self) -> Vec<Value> {
        vec![
            Value::from(self.inner.delivery.job.0),
            Value::from(self.inner.fence),
        ]
    }

    /// Fires the token. The first reason stands.
    pub(super) fn stop(&self, reason: StopReason) {
        let _ = self.inner.reason.compare_exchange(
            0,
            reason as u8,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        self.inner.token.cancel();
    }

    /// The handler has ended. The lease is not renewed any more: a renewal and a settlement of the
    /// same rows would wait for each other's locks.
    pub(super) fn end(&self) {
        self.inner.ended.store(true, Ordering::Release);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.inner.ended.load(Ordering::Acquire)
    }

    pub(super) fn job(&self) -> JobId {
        self.inner.delivery.job
    }

    pub(super) fn queue(&self) -> &str {
        &self.inner.queue
    }

    pub(super) fn delivery(&self) -> &Delivery {
        &self.inner.delivery
    }

    pub(super) fn length(&self) -> Duration {
        self.inner.length
    }

    pub(super) fn believed_until(&self) -> Timestamp {
        Timestamp::from_millis(self.inner.believed_until.load(Ordering::Acquire))
    }

    pub(super) fn believe_until(&self, until: Timestamp) {
        let until = until.as_millis();
        let length = i64::try_from(self.inner.length.as_millis()).unwrap_or(i64::MAX);
        // The clock was set back since: what lies further ahead than any renewal could reach is not believed
        // any more. Otherwise a renewal that was sent earlier takes nothing back.
        let newer = |old: i64| {
            Some(if old - length > until {
                until
            } else {
                old.max(until)
            })
        };
        let _ = self
            .inner
            .believed_until
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, newer);
    }
}

/// The leases that live in this process. A lease is in it exactly as long as its [`LiveLease`], so
/// that renewal follows the handlers and not the process.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveLeases {
    leases: Arc<Mutex<HashMap<(JobId, i64), Lease>>>,
}

/// What a lease is made from.
pub(super) struct Grant {
    pub(super) delivery: Delivery,
    pub(super) queue: String,
    pub(super) fence: i64,
    pub(super) length: Duration,
    pub(super) believed_until: Timestamp,
}

impl LiveLeases {
    pub(super) fn add(&self, grant: Grant, db: &Db, clock: &Clock, notices: &Notices) -> LiveLease {
        let lease = Lease {
            inner: Arc::new(Inner {
                delivery: grant.delivery,
                queue: grant.queue,
                fence: grant.fence,
                length: grant.length,
                believed_until: AtomicI64::new(grant.believed_until.as_millis()),
                token: CancellationToken::new(),
                reason: AtomicU8::new(0),
                ended: AtomicBool::new(false),
                db: db.clone(),
                clock: clock.clone(),
                notices: notices.clone(),
            }),
        };
        self.lock()
            .insert((lease.job(), lease.fence()), lease.clone());
        LiveLease {
            lease,
            all: self.clone(),
        }
    }

    pub(super) fn all(&self) -> Vec<Lease> {
        self.lock().values().cloned().collect()
    }

    pub(super) fn of(&self, job: JobId) -> Vec<Lease> {
        self.lock()
            .values()
            .filter(|lease| lease.job() == job)
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(JobId, i64), Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a lease alive; dropping it ends the renewal.
#[derive(Debug)]
pub(super) struct LiveLease {
    pub(super) lease: Lease,
    all: LiveLeases,
}

impl Drop for LiveLease {
    fn drop(&mut self) {
        self.all
            .lock()
            .remove(&(self.lease.job(), self.lease.fence()));
    }
}
