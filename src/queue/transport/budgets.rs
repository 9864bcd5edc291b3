//! What processes count and note together: sliding-window budgets, and small texts.
//!
//! Both may be lost like everything that a transport has; whoever relies on them learns them again.

use std::time::Duration;

use async_trait::async_trait;
use clipqueue_entities::Timestamp;
use uuid::Uuid;

use super::TransportError;

/// A limit on how often something may happen within a sliding window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What is limited.
    pub key: String,
    /// How often it may happen within any window.
    pub limit: u32,
    /// The length of the window.
    pub window: Duration,
}

/// The answer to a request for budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// One use of every budget was taken.
    Granted(Use),
    /// Nothing was taken; it may be granted after this time.
    Wait(Duration),
}

/// A name for one use of budgets, to say later what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Use(pub Uuid);

impl Use {
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

/// What became of a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Used {
    /// It happened, at the latest now: it counts from now on.
    Made,
    /// It never happened: it does not count.
    Unmade,
}

/// How a budget stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Uses within the window; never more than the limit.
    pub used: u32,
    /// How long until one use more is left than now; nothing when none is used.
    pub next_in: Option<Duration>,
}

/// Budgets and notes that everybody on the transport shares.
#[async_trait]
pub trait Budgets {
    /// Takes one use of every budget, or of none. Time is the transport's own, unless `now` is
    /// given.
    async fn acquire(
        &self,
        budgets: &[Budget],
        now: Option<Timestamp>,
    ) -> Result<Acquired, TransportError>;

    /// Says what became of a use of the budgets with these keys. A use that is forgotten stays so.
    async fn settle_use(
        &self,
        keys: &[String],
        of: Use,
        used: Used,
        now: Option<Timestamp>,
    ) -> Result<(), TransportError>;

    /// Marks a budget as used up for `wait`: somebody who counts better said so.
    async fn spend(
        &self,
        budget: &Budget,
        wait: Duration,
        now: Option<Timestamp>,
    ) -> Result<(), TransportError>;

    /// How budgets stand, in their order. Takes nothing.
    async fn standing(
        &self,
        budgets: &[Budget],
        now: Option<Timestamp>,
    ) -> Result<Vec<Standing>, TransportError>;

    /// What is written under each of these names, in their order: small texts that processes share.
    /// They may be lost like everything here.
    async fn notes(&self, names: &[String]) -> Result<Vec<Option<String>>, TransportError>;

    /// Writes `new` under `name` if `old` is what stands there; nothing means no note. False when
    /// something else stands there. A note that nobody writes again is gone after `life`.
    async fn swap_note(
        &self,
        name: &str,
        old: Option<&str>,
        new: Option<&str>,
        life: Duration,
    ) -> Result<bool, TransportError>;

    /// Forgets the uses of the budgets with these keys.
    async fn forget_budgets(&self, keys: &[String]) -> Result<(), TransportError>;
}
