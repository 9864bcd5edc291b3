//! Sliding windows in memory: the uses of each budget by the time at which they count.

use std::{collections::HashMap, time::Duration};

use clipqueue_entities::Timestamp;

use crate::queue::transport::{Acquired, Budget, Standing, Use, Used};

/// The uses of every budget, oldest first.
#[derive(Debug, Default)]
pub(super) struct Windows(HashMap<String, Vec<(Timestamp, Use)>>);

impl Windows {
    /// The uses that still count.
    fn current(&mut self, budget: &Budget, now: Timestamp) -> &mut Vec<(Timestamp, Use)> {
        let uses = self.0.entry(budget.key.clone()).or_default();
        uses.retain(|(at, _)| *at > now - budget.window);
        uses
    }

    /// Forgets the uses of some budgets.
    pub(super) fn forget(&mut self, keys: &[String]) {
        for key in keys {
            self.0.remove(key);
        }
    }

    /// The keys of the budgets that were ever used.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    pub(super) fn acquire(&mut self, budgets: &[Budget], now: Timestamp) -> Acquired {
        let mut wait = Duration::ZERO;
        for budget in budgets {
            let uses = self.current(budget, now);
            let limit = budget.limit as usize;
            if limit == 0 {
                wait = wait.max(budget.window);
            } else if uses.len() >= limit {
                let free = uses[uses.len() - limit].0 + budget.window;
                wait = wait.max(free.since(now)).max(Duration::from_millis(1));
            }
        }
        if !wait.is_zero() {
            return Acquired::Wait(wait);
        }
        let of = Use::new();
        for budget in budgets {
            add(self.0.entry(budget.key.clone()).or_default(), now, of);
        }
        Acquired::Granted(of)
    }

    pub(super) fn settle(&mut self, keys: &[String], of: Use, used: Used, now: Timestamp) {
        for key in keys {
            let Some(uses) = self.0.get_mut(key) else {
                continue;
            };
            let Some(place) = uses.iter().position(|(_, named)| *named == of) else {
                continue;
            };
            uses.remove(place);
            match used {
                Used::Made => add(uses, now, of),
                Used::Unmade => {}
            }
            if uses.is_empty() {
                self.0.remove(key);
            }
        }
    }

    pub(super) fn spend(&mut self, budget: &Budget, wait: Duration, now: Timestamp) {
        let counts = now + wait - budget.window;
        let limit = budget.limit as usize;
        let uses = self.current(budget, now);
        for _ in 0..limit {
            add(uses, counts, Use::new());
        }
        // Only the newest decide; without this each mark would make the list longer.
        let surplus = uses.len() - limit;
        uses.drain(..surplus);
    }

    pub(super) fn standing(&mut self, budgets: &[Budget], now: Timestamp) -> Vec<Standing> {
        budgets
            .iter()
            .map(|budget| {
                let uses = self.current(budget, now);
                let limit = budget.limit as usize;
                // With more uses than the limit, one is left when as many as are too many are over.
                let next = uses.get(uses.len().saturating_sub(limit));
                Standing {
                    used: budget
                        .limit
                        .min(u32::try_from(uses.len()).unwrap_or(u32::MAX)),
                    next_in: next.map(|(at, _)| (*at + budget.window).since(now)),
                }
            })
            .collect()
    }
}

/// Keeps the order by time: a mark may count from another time than now.
fn add(uses: &mut Vec<(Timestamp, Use)>, at: Timestamp, of: Use) {
    let place = uses.partition_point(|(other, _)| *other <= at);
    uses.insert(place, (at, of));
}
