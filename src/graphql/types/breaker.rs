//! Breakers, for operators.

use async_graphql::{Enum, Object};

use crate::{
    calls::{
        BreakerView,
        breaker::{Reason, State},
    },
    graphql::scalars::DateTime,
};

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "State")]
pub(crate) enum BreakerState {
    /// Calls go through.
    Closed,
    /// The endpoint is left alone; jobs wait and spend no attempt.
    Open,
    /// One call is under way to see whether TikTok works again.
    HalfOpen,
}

/// Why a breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Reason")]
pub(crate) enum BreakerReason {
    /// TikTok answers with 5xx, or not at all.
    Failing,
    /// TikTok refuses the app's key or secret: look at `tiktok.client_key` and `tiktok.client_secret`.
    ClientRefused,
}

#[derive(Clone, Debug)]
pub(crate) struct Breaker(pub(crate) BreakerView);

/// What keeps calls from an endpoint of TikTok that fails.
#[Object]
impl Breaker {
    /// The endpoint; `chunk_upload` is the host that takes the bytes.
    async fn endpoint(&self) -> &str {
        self.0.endpoint.label()
    }

    /// Where it stands.
    async fn state(&self) -> BreakerState {
        self.0.state.into()
    }

    /// Why it is not closed.
    async fn reason(&self) -> Option<BreakerReason> {
        self.0.reason.map(Into::into)
    }

    /// Creators that wait because their own calls fail one after the other; all others go on.
    async fn parked_creators(&self) -> i32 {
        i32::try_from(self.0.parked).unwrap_or(i32::MAX)
    }

    /// Since when it is not closed.
    async fn since(&self) -> Option<DateTime> {
        self.0.since.map(DateTime)
    }

    /// When the next probe may go; while one is under way, when it counts as lost.
    async fn next_probe_at(&self) -> Option<DateTime> {
        self.0.next_probe.map(DateTime)
    }

    /// Probes since it opened.
    async fn probes(&self) -> i32 {
        i32::try_from(self.0.probes).unwrap_or(i32::MAX)
    }

    /// Failures of the last minute while it is closed.
    async fn failures(&self) -> i32 {
        i32::try_from(self.0.failures).unwrap_or(i32::MAX)
    }
}
