//! Sliding windows in memory: the uses of each budget by the time at which they count.
//!
//! A budget whose uses are all over is dropped, though nobody asks for it again: many are named after
//! callers, who come once.

use std::{collections::HashMap, time::Duration};

use clipqueue_entities::Timestamp;

use crate::queue::transport::{Acquired, Budget, Standing, Use, Used};

/// With fewer budgets than this nothing is looked for that could be dropped.
const FEW: usize = 1024;

/// The uses of every budget.
#[derive(Debug, Default)]
pub(super) struct Windows {
    of: HashMap<String, Window>,
    /// How many budgets were left when those were dropped that are over.
    left: usize,
}

/// The uses of one budget, oldest first.
#[derive(Debug)]
struct Window {
    uses: Vec<(Timestamp, Use)>,
    length: Duration,
}

impl Window {
    /// Forgets the uses that no longer count.
    fn pass(&mut self, now: Timestamp) {
        let length = self.length;
        self.uses.retain(|(at, _)| *at > now - length);
    }

    /// Keeps the order by time: a mark may count from another time than now.
    fn add(&mut self, at: Timestamp, of: Use) {
        let place = self.uses.partition_point(|(other, _)| *other <= at);
        self.uses.insert(place, (at, of));
    }
}

impl Windows {
    /// The uses that still count.
    fn current(&mut self, budget: &Budget, now: Timestamp) -> &[(Timestamp, Use)] {
        let Some(window) = self.of.get_mut(&budget.key) else {
            return &[];
        };
        window.length = budget.window;
        window.pass(now);
        &window.uses
    }

    /// The budget's window, to add to.
    fn window(&mut self, budget: &Budget) -> &mut Window {
        self.of.entry(budget.key.clone()).or_insert_with(|| Window {
            uses: Vec::new(),
            length: budget.window,
        })
    }

    /// Drops the budgets that are over, once there are twice as many as the last time.
    fn tidy(&mut self, now: Timestamp) {
        if self.of.len() < FEW.max(2 * self.left) {
            return;
        }
        self.of.retain(|_, window| {
            window.pass(now);
            !window.uses.is_empty()
        });
        self.left = self.of.len();
    }

    /// Forgets the uses of some budgets.
    pub(super) fn forget(&mut self, keys: &[String]) {
        for key in keys {
            self.of.remove(key);
        }
    }

    /// The keys of the budgets with uses.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.of.keys()
    }

    pub(super) fn acquire(&mut self, budgets: &[Budget], now: Timestamp) -> Acquired {
        self.tidy(now);
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
            self.window(budget).add(now, of);
        }
        Acquired::Granted(of)
    }

    pub(super) fn settle(&mut self, keys: &[String], of: Use, used: Used, now: Timestamp) {
        for key in keys {
            let Some(window) = self.of.get_mut(key) else {
                continue;
            };
            let Some(place) = window.uses.iter().position(|(_, named)| *named == of) else {
                continue;
            };
            window.uses.remove(place);
            match used {
                Used::Made => window.add(now, of),
                Used::Unmade => {}
            }
            if window.uses.is_empty() {
                self.of.remove(key);
            }
        }
    }

    pub(super) fn spend(&mut self, budget: &Budget, wait: Duration, now: Timestamp) {
        let counts = now + wait - budget.window;
        let limit = budget.limit as usize;
        self.current(budget, now);
        let window = self.window(budget);
        for _ in 0..limit {
            window.add(counts, Use::new());
        }
        // Only the newest decide; without this each mark would make the list longer.
        let surplus = window.uses.len() - limit;
        window.uses.drain(..surplus);
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
