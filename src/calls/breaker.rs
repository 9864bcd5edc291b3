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
//! A creator whose calls fail one after the other is parked: the breaker is open for this creator alone,
//! with probes of its own, and its failures do not count against TikTok any more. Whatever the cause is,
//! others need not wait for it, however many creators are parked.
//!
//! It knows neither endpoints nor where its state is kept.

mod open;

use std::{collections::BTreeMap, time::Duration};

use clipqueue_entities::Timestamp;
use serde::{Deserialize, Serialize};

use open::Heard;
pub use open::Open;

/// What was heard longer ago says nothing about now.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Failures within [`WINDOW`] that open a breaker; so many of one creator, without a success between them,
/// park that creator.
pub const FAILURES: usize = 5;
/// Of one creator's failures no more than this count against TikTok, so that it takes two to close the
/// way for all.
pub const COUNTED_OF_ONE: usize = 3;
/// Outcomes that are remembered. Enough to tell whether most calls fail.
const REMEMBERED: usize = 32;
/// Creators that are watched, and parked, at the same time. Beyond them the longest known are let go.
const CREATORS: usize = 64;
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
    /// Creators whose calls fail, and since when they are left alone.
    #[serde(default)]
    parked: BTreeMap<u32, Open>,
    /// When the last calls of creators failed, without a success between them. However many others call
    /// meanwhile, they are not forgotten within [`WINDOW`].
    #[serde(default)]
    rows: BTreeMap<u32, Vec<Timestamp>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Outcome {
    at: Timestamp,
    bad: bool,
    /// Tells creators apart; not their id.
    who: u32,
}

impl Breaker {
    /// Where it stands, for everybody who is not parked.
    pub fn state(&self, now: Timestamp) -> State {
        match &self.open {
            None => State::Closed,
            Some(open) if open.is_probed(now) => State::HalfOpen,
            Some(_) => State::Open,
        }
    }

    /// Why and since when it is open for everybody.
    pub fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// The creators that are parked, each with its own opening.
    pub fn parked(&self) -> impl Iterator<Item = &Open> {
        self.parked.values()
    }

    /// What `who` waits for.
    pub fn gate(&self, who: u32) -> Option<&Open> {
        self.open.as_ref().or_else(|| self.parked.get(&who))
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
        let own = self.parked.get(&who).map(|parked| parked.look(now));
        let all = self.open.as_ref().map(|open| open.look(now));
        match (own, all) {
            (None, None) => Look::Go,
            (None, Some(look)) | (Some(look), None) => look,
            // TikTok is asked by somebody whose answer tells of it.
            (Some(_), Some(Look::Wait(until))) => Look::Wait(until),
            (Some(Look::Wait(until)), Some(_)) => Look::Wait(until),
            (Some(_), Some(_)) => Look::Wait(now + FIRST_GAP),
        }
    }

    /// Takes the probe, if it is free; gives its number.
    pub fn begin_probe(&mut self, now: Timestamp, who: u32) -> Option<u32> {
        if self.look(now, who) != Look::MayProbe {
            return None;
        }
        let gate = match self.parked.get_mut(&who) {
            Some(parked) => Some(parked),
            None => self.open.as_mut(),
        };
        Some(gate?.begin_probe(now))
    }

    /// The probe was never sent: somebody else may send one at once.
    pub fn give_up_probe(&mut self, now: Timestamp, number: u32) {
        let mut gates = self.open.iter_mut().chain(self.parked.values_mut());
        gates.any(|gate| gate.give_up_probe(now, number));
    }

    /// A call ended. `who` tells creators apart; `probe` is its number, if it was one.
    pub fn hear(&mut self, now: Timestamp, health: Health, who: u32, probe: Option<u32>) -> Turn {
        // A refusal of the app is beyond doubt whoever hears it.
        if health == Health::ClientRefused && self.open.is_none() {
            self.trip(now, Reason::ClientRefused);
            return Turn::Opened;
        }
        if let Some(parked) = self.parked.get_mut(&who) {
            return match parked.hear(now, health, probe) {
                Heard::Answered => {
                    self.parked.remove(&who);
                    Turn::Closed
                }
                Heard::Failed => Turn::Reopened,
                Heard::Stale | Heard::Nothing => Turn::None,
            };
        }
        let Some(open) = &mut self.open else {
            return self.hear_closed(now, health, who);
        };
        if health == Health::ClientRefused {
            open.reason = Reason::ClientRefused;
        }
        match open.hear(now, health, probe) {
            Heard::Answered => {
                self.open = None;
                self.recent.clear();
                self.rows.clear();
                Turn::Closed
            }
            Heard::Failed => Turn::Reopened,
            Heard::Stale | Heard::Nothing => Turn::None,
        }
    }

    fn hear_closed(&mut self, now: Timestamp, health: Health, who: u32) -> Turn {
        let after = now - WINDOW;
        self.recent.retain(|outcome| outcome.at > after);
        self.rows.retain(|_, row| {
            row.retain(|at| *at > after);
            !row.is_empty()
        });
        // Successes matter only beside failures: without any there is nothing to write down.
        let first_bad = self.recent.iter().position(|outcome| outcome.bad);
        self.recent.drain(..first_bad.unwrap_or(self.recent.len()));
        let bad = match health {
            Health::ClientRefused | Health::Nothing => return Turn::None,
            Health::Good => false,
            Health::Bad => true,
        };
        if !bad {
            self.rows.remove(&who);
        }
        if bad || !self.recent.is_empty() {
            self.recent.push(Outcome { at: now, bad, who });
            let surplus = self.recent.len().saturating_sub(REMEMBERED);
            self.recent.drain(..surplus);
        }
        if !bad {
            return Turn::None;
        }
        let row = self.rows.entry(who).or_default();
        row.push(now);
        let is_parked = row.len() >= FAILURES;
        if self.counted() >= FAILURES {
            self.trip(now, Reason::Failing);
            return Turn::Opened;
        }
        if is_parked {
            self.park(now, who);
            return Turn::Opened;
        }
        evict(&mut self.rows, |row| row[0]);
        Turn::None
    }

    /// Failures that speak against TikTok itself; none, when most calls are answered.
    fn counted(&self) -> usize {
        let mut of: BTreeMap<u32, usize> = BTreeMap::new();
        for outcome in self.recent.iter().filter(|outcome| outcome.bad) {
            *of.entry(outcome.who).or_default() += 1;
        }
        let counted = of.values().map(|failures| *failures.min(&COUNTED_OF_ONE));
        let counted: usize = counted.sum();
        let fine = self.recent.iter().filter(|one| !one.bad).count();
        if counted > fine { counted } else { 0 }
    }

    fn park(&mut self, now: Timestamp, who: u32) {
        self.rows.remove(&who);
        self.recent.retain(|outcome| outcome.who != who);
        self.parked.insert(who, Open::new(now, Reason::Failing));
        evict(&mut self.parked, Open::since);
    }

    fn trip(&mut self, now: Timestamp, reason: Reason) {
        self.recent.clear();
        self.rows.clear();
        self.open = Some(Open::new(now, reason));
    }
}

/// Lets the longest known go when there are too many.
fn evict<T>(creators: &mut BTreeMap<u32, T>, since: impl Fn(&T) -> Timestamp) {
    while creators.len() > CREATORS {
        let oldest = creators.iter().min_by_key(|(_, one)| since(one));
        let Some(who) = oldest.map(|(who, _)| *who) else {
            return;
        };
        creators.remove(&who);
    }
}

#[cfg(test)]
mod tests;
