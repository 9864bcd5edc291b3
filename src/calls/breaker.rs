//! When to leave an endpoint of TikTok's alone, as pure functions of time and of what was heard.
//!
//! ```text
//! CLOSED ──failures within a window, most of what was heard──▶ OPEN ──its time has come──▶ HALF_OPEN
//!    ▲                                                          ▲                             │ │
//!    │                                                          └──the probe failed, longer ──┘ │
//!    └─────────────────────────────── the probe was answered ───────────────────────────────────┘
//! ```
//!
//! While it is open nobody calls. One call at a time is let through as a probe, after growing gaps.
//! Only a probe's end moves an open breaker: what was begun before it opened proves nothing any more.
//!
//! When the calls of one creator alone fail, it is open for this creator alone: whatever the cause is,
//! others need not wait for it. It knows neither endpoints nor where its state is kept.

use std::time::Duration;

use clipqueue_entities::Timestamp;
use serde::{Deserialize, Serialize};

/// What was heard longer ago says nothing about now.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Failures within [`WINDOW`] that open a breaker.
pub const FAILURES: usize = 5;
/// Of one creator's failures no more than this count against TikTok, so that it takes two to close the
/// way for all.
pub const COUNTED_OF_ONE: usize = 3;
/// Outcomes that are remembered. Enough to tell whether most calls fail.
const REMEMBERED: usize = 32;
/// The first probe comes after this long.
pub const FIRST_GAP: Duration = Duration::from_secs(15);
/// Each failed probe doubles the gap, up to this.
pub const LONGEST_GAP: Duration = Duration::from_secs(5 * 60);
/// A probe that says nothing for this long was lost with its process. Longer than a call may take.
pub const PROBE_PATIENCE: Duration = Duration::from_secs(120);

/// What a call's end says about TikTok.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// TikTok works: it answered, be it with a refusal.
    Good,
    /// TikTok is in trouble: 5xx, silence, no connection.
    Bad,
    /// TikTok refuses the app itself: its key or secret is wrong.
    ClientRefused,
    /// Nothing about TikTok.
    Nothing,
}

/// Why a breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// TikTok answers with 5xx, or not at all.
    Failing,
    /// TikTok refuses the app's key or secret.
    ClientRefused,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls go through.
    Closed,
    /// Nobody calls.
    Open,
    /// A probe is under way.
    HalfOpen,
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Call.
    Go,
    /// Call, as the probe: take it by [`Breaker::begin_probe`] first.
    MayProbe,
    /// Not before this instant.
    Wait(Timestamp),
}

/// How a report changed a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It did not open or close.
    None,
    /// It opened.
    Opened,
    /// A probe failed; the next one comes later.
    Reopened,
    /// It closed.
    Closed,
}

/// One breaker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// What was heard since the first failure that still counts, oldest first.
    recent: Vec<Outcome>,
    open: Option<Open>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Outcome {
    at: Timestamp,
    bad: bool,
    /// Tells creators apart; not their id.
    who: u32,
}

/// An open breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Why.
    pub reason: Reason,
    since: Timestamp,
    /// The creator for whom alone it is open.
    only: Option<u32>,
    gap_ms: u64,
    next_probe: Timestamp,
    probes: u32,
    probe_until: Option<Timestamp>,
}

impl Open {
    /// Since when.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// When the next probe may go.
    pub fn next_probe(&self) -> Timestamp {
        self.probe_until.unwrap_or(self.next_probe)
    }

    /// Whether it is open for one creator alone.
    pub fn for_one(&self) -> bool {
        self.only.is_some()
    }

    fn spares(&self, who: u32) -> bool {
        self.only.is_some_and(|only| only != who)
    }

    /// Probes that were sent.
    pub fn probes(&self) -> u32 {
        self.probes
    }

    fn wait(&mut self, now: Timestamp, gap: Duration) {
        self.gap_ms = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
        self.next_probe = now + gap;
        self.probe_until = None;
    }
}

impl Breaker {
    /// Where it stands.
    pub fn state(&self, now: Timestamp) -> State {
        match &self.open {
            None => State::Closed,
            Some(open) => match open.probe_until {
                Some(until) if until > now => State::HalfOpen,
                _ => State::Open,
            },
        }
    }

    /// Why and since when it is open.
    pub fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// Failures that still count.
    pub fn failures(&self, now: Timestamp) -> usize {
        let after = now - WINDOW;
        self.recent
            .iter()
            .filter(|outcome| outcome.bad && outcome.at > after)
            .count()
    }

    /// Whether there is anything to remember.
    pub fn is_pristine(&self) -> bool {
        *self == Self::default()
    }

    /// What a caller may do now. `who` tells creators apart.
    pub fn look(&self, now: Timestamp, who: u32) -> Look {
        let Some(open) = self.open.as_ref().filter(|open| !open.spares(who)) else {
            return Look::Go;
        };
        // A clock that was set back must not leave TikTok alone for longer than a gap can be.
        let due = |at: Timestamp, most: Duration| at <= now || at > now + most;
        match open.probe_until {
            Some(until) if !due(until, PROBE_PATIENCE) => {
                // The probe is answered within moments; whoever waits looks again after a short gap.
                Look::Wait(until.min(now + FIRST_GAP))
            }
            Some(_) => Look::MayProbe,
            None if due(open.next_probe, LONGEST_GAP) => Look::MayProbe,
            None => Look::Wait(open.next_probe),
        }
    }

    /// Takes the probe, if it is free; gives its number.
    pub fn begin_probe(&mut self, now: Timestamp, who: u32) -> Option<u32> {
        if self.look(now, who) != Look::MayProbe {
            return None;
        }
        let open = self.open.as_mut()?;
        open.probes = open.probes.wrapping_add(1);
        open.probe_until = Some(now + PROBE_PATIENCE);
        Some(open.probes)
    }

    /// The probe was never sent: somebody else may send one at once.
    pub fn give_up_probe(&mut self, now: Timestamp, number: u32) {
        if let Some(open) = &mut self.open
            && open.probes == number
            && open.probe_until.is_some()
        {
            open.next_probe = now;
            open.probe_until = None;
        }
    }

    /// A call ended. `who` tells creators apart; `probe` is its number, if it was one.
    pub fn hear(&mut self, now: Timestamp, health: Health, who: u32, probe: Option<u32>) -> Turn {
        match &mut self.open {
            None => self.hear_closed(now, health, who),
            Some(open) if open.spares(who) => self.hear_closed(now, health, who),
            Some(open) => {
                if probe != Some(open.probes) || open.probe_until.is_none() {
                    // A refusal of the app is beyond doubt whoever hears it.
                    if health == Health::ClientRefused {
                        open.reason = Reason::ClientRefused;
                    }
                    return Turn::None;
                }
                let gap = Duration::from_millis(open.gap_ms);
                match health {
                    Health::Good => {
                        *self = Self::default();
                        Turn::Closed
                    }
                    Health::Bad | Health::ClientRefused => {
                        if health == Health::ClientRefused {
                            open.reason = Reason::ClientRefused;
                        }
                        open.wait(now, (gap * 2).min(LONGEST_GAP));
                        Turn::Reopened
                    }
                    Health::Nothing => {
                        open.next_probe = now;
                        open.probe_until = None;
                        Turn::None
                    }
                }
            }
        }
    }

    fn hear_closed(&mut self, now: Timestamp, health: Health, who: u32) -> Turn {
        let after = now - WINDOW;
        self.recent.retain(|outcome| outcome.at > after);
        // Successes matter only beside failures: without any there is nothing to write down.
        let first_bad = self.recent.iter().position(|outcome| outcome.bad);
        self.recent.drain(..first_bad.unwrap_or(self.recent.len()));
        let bad = match health {
            Health::ClientRefused => {
                self.trip(now, Reason::ClientRefused, None);
                return Turn::Opened;
            }
            Health::Nothing => return Turn::None,
            Health::Good if self.recent.is_empty() => return Turn::None,
            Health::Good => false,
            Health::Bad => true,
        };
        self.recent.push(Outcome { at: now, bad, who });
        let surplus = self.recent.len().saturating_sub(REMEMBERED);
        self.recent.drain(..surplus);
        if !bad {
            return Turn::None;
        }
        let failures = |of: u32| {
            self.recent
                .iter()
                .filter(|one| one.bad && one.who == of)
                .count()
        };
        let mut failing: Vec<u32> = self
            .recent
            .iter()
            .filter(|one| one.bad)
            .map(|one| one.who)
            .collect();
        failing.sort_unstable();
        failing.dedup();
        let counted: usize = failing
            .iter()
            .map(|of| failures(*of).min(COUNTED_OF_ONE))
            .sum();
        let fine = self.recent.iter().filter(|one| !one.bad).count();
        if counted >= FAILURES && counted > fine {
            self.trip(now, Reason::Failing, None);
            return Turn::Opened;
        }
        let fine_for_it = self.recent.iter().any(|one| !one.bad && one.who == who);
        if self.open.is_none() && failures(who) >= FAILURES && !fine_for_it {
            self.trip(now, Reason::Failing, Some(who));
            return Turn::Opened;
        }
        Turn::None
    }

    fn trip(&mut self, now: Timestamp, reason: Reason, only: Option<u32>) {
        let mut open = Open {
            reason,
            since: now,
            only,
            gap_ms: 0,
            next_probe: now,
            probes: 0,
            probe_until: None,
        };
        open.wait(now, FIRST_GAP);
        if only.is_none() {
            self.recent.clear();
        }
        self.open = Some(open);
    }
}

#[cfg(test)]
mod tests;
