//! What a user used of the plan, in one look.

use clipqueue_entities::{Timestamp, UserId};

use super::{Standing, posts, requests};
use crate::{app::App, domain::error::Result};

/// Something that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// How much is used.
    pub used: u64,
    /// How much there is; no limit, when absent.
    pub limit: Option<u64>,
    /// When more is left than now, if time alone brings it.
    pub more_at: Option<Timestamp>,
}

impl Counter {
    /// How much is left.
    pub fn left(&self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.used))
    }

    /// Whether nothing is left.
    pub fn is_used_up(&self) -> bool {
        self.left() == Some(0)
    }
}

/// What a user used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The plan.
    pub plan: Standing,
    /// Posts of today.
    pub posts: Counter,
    /// Stored bytes.
    pub bytes: Counter,
    /// Stored files.
    pub files: Counter,
    /// Operations of the last minute.
    pub requests: Counter,
}

/// What `user` used.
pub async fn of(app: &App, user: UserId) -> Result<Usage> {
    let now = app.clock.now();
    let plan = super::of(app, app.db.read(), user).await?;
    let store = &app.media;
    let (bytes, files) = store.usage(user).await.map_err(anyhow::Error::from)?;
    let quota = store.quota(user).await.map_err(anyhow::Error::from)?;
    let used = posts::used_on(app.db.read(), user, posts::today(now)).await?;
    let requests = match plan.limits.requests_per_minute {
        None => Counter {
            used: 0,
            limit: None,
            more_at: None,
        },
        Some(limit) => {
            let rate = requests::rate(app, user, limit).await;
            let rate = rate.map_err(anyhow::Error::from)?;
            Counter {
                used: u64::from(limit - rate.left),
                limit: Some(u64::from(limit)),
                more_at: (rate.left < limit).then(|| now + rate.next_in),
            }
        }
    };
    Ok(Usage {
        posts: Counter {
            used,
            limit: plan.limits.posts_per_day,
            more_at: (used > 0).then(|| posts::tomorrow(now)),
        },
        bytes: Counter {
            used: bytes,
            limit: Some(quota),
            more_at: None,
        },
        files: Counter {
            used: files,
            limit: Some(store.settings().quota_count),
            more_at: None,
        },
        requests,
        plan,
    })
}
