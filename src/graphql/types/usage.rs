//! Plans, and what was used of them.

use async_graphql::{Enum, Object};

use crate::{
    config::PlanName,
    domain::plans::{self, usage},
    graphql::scalars::{BigInt, DateTime},
};

/// A plan by name. What it allows is the operator's to configure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "PlanName")]
pub(crate) enum PlanKind {
    /// For nothing.
    Free,
    /// For nothing, for some time.
    Trial,
    /// For money, or for whoever runs the installation.
    Paid,
}

/// Something that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum UsageFlag {
    /// No more posts are accepted today.
    Posts,
    /// No more bytes can be stored.
    Storage,
    /// No more files can be stored.
    Files,
    /// No more operations are answered now.
    Requests,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan(pub(crate) plans::Standing);

/// What a user may use.
#[Object(name = "Plan")]
impl Plan {
    /// Its name.
    async fn name(&self) -> PlanKind {
        self.0.name.into()
    }

    /// When it ends and the user is on the FREE one; never, when null.
    async fn ends_at(&self) -> Option<DateTime> {
        self.0.ends_at.map(DateTime)
    }

    /// Whether a subscription has ended, so that no more posts are accepted until it is paid again.
    async fn access_ended(&self) -> bool {
        self.0.cut_off
    }

    /// Posts that are accepted on a day of UTC; no limit, when null.
    async fn posts_per_day(&self) -> Option<BigInt> {
        self.0.limits.posts_per_day.map(BigInt::from)
    }

    /// Seconds for which a file is kept after its last use; until it is deleted, when null.
    async fn media_retention_seconds(&self) -> Option<BigInt> {
        let kept = self.0.limits.media_retention;
        kept.map(|kept| kept.as_secs().into())
    }

    /// Operations of the API within any minute, of all keys together; no limit, when null.
    async fn requests_per_minute(&self) -> Option<u32> {
        self.0.limits.requests_per_minute
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct UsageCounter(pub(crate) usage::Counter);

/// How much is used of something.
#[Object]
impl UsageCounter {
    /// How much is used.
    async fn used(&self) -> BigInt {
        self.0.used.into()
    }

    /// How much there is; no limit, when null.
    async fn limit(&self) -> Option<BigInt> {
        self.0.limit.map(BigInt::from)
    }

    /// How much is left; null without a limit.
    async fn left(&self) -> Option<BigInt> {
        self.0.left().map(BigInt::from)
    }

    /// When more is left than now; null when time alone does not bring it.
    async fn more_at(&self) -> Option<DateTime> {
        self.0.more_at.map(DateTime)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Usage(pub(crate) usage::Usage);

/// What a user used of the plan.
#[Object]
impl Usage {
    /// The plan that is in force.
    async fn plan(&self) -> Plan {
        Plan(self.0.plan.clone())
    }

    /// Posts that were accepted today, by UTC.
    async fn posts_today(&self) -> UsageCounter {
        UsageCounter(self.0.posts)
    }

    /// Bytes that are stored or reserved.
    async fn storage(&self) -> UsageCounter {
        UsageCounter(self.0.bytes)
    }

    /// Files that are stored or announced.
    async fn files(&self) -> UsageCounter {
        UsageCounter(self.0.files)
    }

    /// Operations of the last minute; without a limit they are not counted.
    async fn requests(&self) -> UsageCounter {
        UsageCounter(self.0.requests)
    }

    /// What is used up, so that it is refused at present.
    async fn used_up(&self) -> Vec<UsageFlag> {
        let usage = &self.0;
        [
            (UsageFlag::Posts, usage.posts),
            (UsageFlag::Storage, usage.bytes),
            (UsageFlag::Files, usage.files),
            (UsageFlag::Requests, usage.requests),
        ]
        .into_iter()
        .filter(|(_, counter)| counter.is_used_up())
        .map(|(flag, _)| flag)
        .collect()
    }
}
