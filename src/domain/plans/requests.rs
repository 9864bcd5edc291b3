//! Operations of the API within a minute: one sliding window for each user, shared by all processes.
//!
//! All keys of a user draw on it: a second key is no second allowance. While the transport is away
//! everybody is let in: a limit is not worth an outage.

use std::time::Duration;

use clipqueue_entities::UserId;

use super::reached::{self, Limit};
use crate::{
    app::App,
    config::plans::word,
    domain::error::Result,
    queue::transport::{Acquired, Budget, TransportError},
};

/// The length of the window.
pub const WINDOW: Duration = Duration::from_secs(60);

/// How a user's window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Operations within any window.
    pub limit: u32,
    /// Operations that are left.
    pub left: u32,
    /// How long until one more is left than now.
    pub next_in: Duration,
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charged {
    /// The plan has no limit, or nobody can count.
    Free,
    /// It is one of those that the plan allows.
    Taken(Rate),
    /// The plan allows no more now.
    Refused {
        /// How the window stands.
        rate: Rate,
        /// How long to wait.
        wait: Duration,
        /// What to do.
        message: String,
    },
}

/// Counts one operation of `user`.
pub async fn charge(app: &App, user: UserId) -> Charged {
    match try_charge(app, user).await {
        Ok(charged) => {
            if matches!(charged, Charged::Refused { .. }) {
                reached::tell(app, user, Limit::Requests).await;
            }
            charged
        }
        Err(error) => {
            tracing::debug!(%error, "an operation could not be counted");
            Charged::Free
        }
    }
}

async fn try_charge(app: &App, user: UserId) -> anyhow::Result<Charged> {
    if !app.config.plans.limit_requests() {
        return Ok(Charged::Free);
    }
    let plan = super::of(app, app.db.read(), user).await?;
    let Some(limit) = plan.limits.requests_per_minute else {
        return Ok(Charged::Free);
    };
    let budgets = [budget(user, limit)];
    let transport = app.queue.transport();
    let acquired = transport.acquire(&budgets, app.clock.counted()).await?;
    let rate = rate(app, user, limit).await?;
    Ok(match acquired {
        Acquired::Granted(_) => Charged::Taken(rate),
        Acquired::Wait(wait) => {
            metrics::counter!("clipqueue_plan_refusals_total", "limit" => "requests_per_minute")
                .increment(1);
            Charged::Refused {
                rate,
                wait,
                message: format!(
                    "The plan {} allows {limit} operations a minute. Wait for the time that Retry-After \
                     names, then try again, or ask for a larger plan.",
                    word(plan.name)
                ),
            }
        }
    })
}

/// How the window of `user` stands against `limit`. Takes nothing.
pub async fn rate(app: &App, user: UserId, limit: u32) -> Result<Rate, TransportError> {
    let transport = app.queue.transport();
    let standing = transport
        .standing(&[budget(user, limit)], app.clock.counted())
        .await?;
    let standing = standing.first().copied().unwrap_or_default();
    Ok(Rate {
        limit,
        left: limit.saturating_sub(standing.used),
        next_in: standing.next_in.unwrap_or_default(),
    })
}

/// Forgets the window of a user who leaves.
pub async fn forget(app: &App, user: UserId) -> Result<(), TransportError> {
    let keys = [budget(user, 0).key];
    app.queue.transport().forget_budgets(&keys).await
}

fn budget(user: UserId, limit: u32) -> Budget {
    Budget {
        key: format!("api:{user}"),
        limit,
        window: WINDOW,
    }
}
