//! What is deleted by age: one rule a line in [`RULES`], each in bounded batches that are safe to repeat.
//!
//! [`plan`] says what would go and changes nothing; [`prune`] deletes by the same conditions. What went is
//! counted by rule and day ([`tally`]). A rule that fails keeps no other from its turn. Technical logs are
//! here as far as they are files of `log.directory`; what becomes of the output is the operator's.

mod evidence;
mod logs;
mod lost;
mod media;
mod rows;
mod rules;
mod strays;
mod tally;

use std::time::Duration;

use clipqueue_entities::Timestamp;

pub use rules::{RULES, Rule};
pub use tally::{Day, FEW, days, forget_small};

use self::rules::Work;
use super::{audit::chain, erasure, error::Result, exports, mails};
use crate::app::App;

/// What one statement deletes at most.
const BATCH: u64 = 1000;
/// Unfinished uploads that are ended in one go.
const UPLOADS: u64 = 100;
/// How often a rule goes on in one run while it finds a whole batch.
const PAGES: u32 = 50;
/// How often the whole store is walked.
const WALK_EVERY: Duration = Duration::from_secs(20 * 3600);

/// How much was found or removed, and how old the oldest of it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How much.
    pub count: u64,
    /// Since when the oldest of it is there.
    pub oldest: Option<Timestamp>,
}

/// What a rule would remove now.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// The rule.
    pub rule: &'static Rule,
    /// How long it keeps things.
    pub keep: Duration,
    /// What would go.
    pub due: Count,
}

/// What a plan looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Rows alone.
    Rows,
    /// The store of media too, object by object.
    Objects,
}

/// What one run removed, by the names of the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned(pub Vec<(&'static str, u64)>);

impl Pruned {
    /// What the rule of that name removed.
    pub fn of(&self, name: &str) -> u64 {
        let found = self.0.iter().find(|(rule, _)| *rule == name);
        found.map_or(0, |(_, removed)| *removed)
    }
}

/// What would go by each rule if they ran now. Changes nothing.
pub async fn plan(app: &App, depth: Depth) -> Result<Vec<Due>> {
    let mut plan = Vec::new();
    for rule in RULES {
        let keep = rule.keep(&app.config);
        let before = app.clock.now() - keep;
        let due = match rule.work {
            Work::Rows(ref rows) => rows.count(app, before).await?,
            Work::Jobs => {
                let (count, oldest) = app.queue.prunable(before).await?;
                Count { count, oldest }
            }
            Work::Audit => rows::AUDIT.count(app, before).await?,
            Work::Receipts => rows::RECEIPTS.count(app, before).await?,
            Work::Uploads => rows::UPLOADS.count(app, app.clock.now()).await?,
            Work::Exports => rows::EXPORTS.count(app, app.clock.now()).await?,
            Work::Letters => Count {
                count: mails::files::count(app, before).await?,
                oldest: None,
            },
            Work::Logs => logs::count(app, before)?,
            Work::Evidence => evidence::count(app, before).await?,
            Work::Media => media::count(app).await?,
            Work::Strays | Work::Lost if depth == Depth::Rows => continue,
            Work::Strays => strays::walk(app, before, None).await?,
            Work::Lost => lost::count(app, before).await?,
        };
        plan.push(Due { rule, keep, due });
    }
    Ok(plan)
}

/// Removes what is due. Every rule has its turn; the first failure is given at the end.
pub async fn prune(app: &App) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    let mut failure = None;
    for rule in RULES {
        match apply(app, rule).await {
            Ok(removed) => pruned.0.push((rule.name, removed)),
            Err(error) => {
                tracing::error!(rule = rule.name, ?error, "a rule of retention failed");
                failure.get_or_insert(error);
            }
        }
    }
    match failure {
        None => Ok(pruned),
        Some(error) => Err(error),
    }
}

async fn apply(app: &App, rule: &Rule) -> Result<u64> {
    let before = app.clock.now() - rule.keep(&app.config);
    let mut removed = 0;
    for _ in 0..PAGES {
        let (page, full) = match rule.work {
            Work::Rows(ref rows) => (rows.delete(app, before, BATCH).await?, BATCH),
            Work::Jobs => (app.queue.prune(before, BATCH).await?, BATCH),
            Work::Audit => {
                chain::adopt(app).await?;
                (chain::forget(app, before, BATCH).await?, BATCH)
            }
            Work::Receipts => (erasure::prune(app).await?, 1),
            Work::Uploads => {
                let expired = app.media.expire_due(app.clock.now(), UPLOADS).await;
                (expired.map_err(anyhow::Error::from)?, u64::MAX)
            }
            Work::Exports => (exports::expire(app).await?, 1),
            Work::Letters => (mails::files::prune(app, before).await?, u64::MAX),
            Work::Logs => (logs::prune(app, before)?, u64::MAX),
            Work::Evidence => (evidence::empty(app, before, BATCH).await?, BATCH),
            Work::Media => (media::purge(app).await?, u64::MAX),
            Work::Strays => {
                if !tally::is_due(app, rule.name, WALK_EVERY).await? {
                    return Ok(0);
                }
                let found = strays::walk(app, before, Some(BATCH)).await?;
                tally::walked(app, rule.name, None).await?;
                (found.count, u64::MAX)
            }
            Work::Lost => (lost::settle(app, rule.name, before).await?, u64::MAX),
        };
        removed += page;
        if page > 0 {
            tally::add(app, rule.name, page).await?;
        }
        if page < full {
            break;
        }
    }
    Ok(removed)
}
