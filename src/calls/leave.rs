//! What a caller is given: leave, or what it waits for. And what operators see.

use std::time::Duration;

use clipqueue_entities::{AccountId, Timestamp};
use tiktok::Endpoint;

use super::breaker::{Breaker, Open, Reason, State};
use crate::queue::transport::{Budget, Use};

/// Why a call has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The budget of this endpoint is used up.
    Budget(Endpoint),
    /// This endpoint rests: TikTok is in trouble.
    Resting(Endpoint),
    /// TikTok refuses the app's own key or secret.
    ClientRefused,
    /// Redis is away, so that nobody counts.
    Uncounted,
}

impl Cause {
    /// A stable word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Budget(_) => "rate_limit",
            Self::Resting(_) => "tiktok_trouble",
            Self::ClientRefused => "client_refused",
            Self::Uncounted => "transport_away",
        }
    }
}

/// A call has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a call to TikTok has to wait {wait:?}: {}", cause.word())]
pub struct Wait {
    /// Why.
    pub cause: Cause,
    /// How long at least.
    pub wait: Duration,
}

/// Leave for one call of each of some endpoints. Each call is to be reported by [`super::Calls::heard`];
/// [`super::Calls::unused`] gives back what was not called.
#[derive(Debug)]
#[must_use = "a call that is not reported counts as made"]
pub struct Permit {
    pub(super) account: Option<AccountId>,
    pub(super) calls: Vec<Granted>,
    pub(super) of: Option<Use>,
}

#[derive(Debug)]
pub(super) struct Granted {
    pub(super) endpoint: Endpoint,
    pub(super) budget: Option<Budget>,
    pub(super) probe: Option<u32>,
}

impl Wait {
    /// The wait that an open breaker imposes on `who`.
    pub(super) fn of(endpoint: Endpoint, breaker: &Breaker, who: u32, wait: Duration) -> Self {
        let cause = match breaker.gate(who).map(|open| open.reason) {
            Some(Reason::ClientRefused) => Cause::ClientRefused,
            Some(Reason::Failing) | None => Cause::Resting(endpoint),
        };
        Self { cause, wait }
    }
}

/// How the breaker of an endpoint stands, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerView {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Where it stands.
    pub state: State,
    /// Why it is open.
    pub reason: Option<Reason>,
    /// Creators that wait because their own calls fail, while others' go through.
    pub parked: u32,
    /// Since when.
    pub since: Option<Timestamp>,
    /// When a probe may go, or when the one under way counts as lost.
    pub next_probe: Option<Timestamp>,
    /// Probes since it opened.
    pub probes: u32,
    /// Failures within the last minute.
    pub failures: u32,
}

impl BreakerView {
    pub(super) fn of(endpoint: Endpoint, breaker: &Breaker, now: Timestamp) -> Self {
        // Of the parked, the one that was first stands for all.
        let parked = breaker.parked().min_by_key(|open| open.since());
        let open = breaker.open().or(parked);
        Self {
            endpoint,
            state: breaker.state(now),
            reason: open.map(|open| open.reason),
            parked: u32::try_from(breaker.parked().count()).unwrap_or(u32::MAX),
            since: open.map(Open::since),
            next_probe: open.map(Open::next_probe),
            probes: open.map_or(0, Open::probes),
            failures: u32::try_from(breaker.failures(now)).unwrap_or(u32::MAX),
        }
    }
}
