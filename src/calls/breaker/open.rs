//! One opening of a breaker: probes one at a time, after growing gaps.

use std::time::Duration;

use clipqueue_entities::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FIRST_GAP, Health, LONGEST_GAP, Look, PROBE_PATIENCE, Reason};

/// How long TikTok, or what one creator needs of it, has been left alone, and how it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Why.
    pub reason: Reason,
    since: Timestamp,
    gap_ms: u64,
    next_probe: Timestamp,
    probes: u32,
    probe_until: Option<Timestamp>,
}

/// What the end of a call means for an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It was not the probe under way.
    Stale,
    /// It is over.
    Answered,
    /// It goes on, for longer.
    Failed,
    /// The probe said nothing.
    Nothing,
}

impl Open {
    pub(super) fn new(now: Timestamp, reason: Reason) -> Self {
        let mut open = Self {
            reason,
            since: now,
            gap_ms: 0,
            next_probe: now,
            probes: 0,
            probe_until: None,
        };
        open.wait(now, FIRST_GAP);
        open
    }

    /// Since when.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// When the next probe may go.
    pub fn next_probe(&self) -> Timestamp {
        self.probe_until.unwrap_or(self.next_probe)
    }

    /// Probes that were sent.
    pub fn probes(&self) -> u32 {
        self.probes
    }

    pub(super) fn is_probed(&self, now: Timestamp) -> bool {
        self.probe_until.is_some_and(|until| until > now)
    }

    pub(super) fn look(&self, now: Timestamp) -> Look {
        // A clock that was set back must not leave TikTok alone for longer than a gap can be.
        let due = |at: Timestamp, most: Duration| at <= now || at > now + most;
        match self.probe_until {
            Some(until) if !due(until, PROBE_PATIENCE) => {
                // The probe is answered within moments; whoever waits looks again after a short gap.
                Look::Wait(until.min(now + FIRST_GAP))
            }
            Some(_) => Look::MayProbe,
            None if due(self.next_probe, LONGEST_GAP) => Look::MayProbe,
            None => Look::Wait(self.next_probe),
        }
    }

    /// Takes the probe; gives its number.
    pub(super) fn begin_probe(&mut self, now: Timestamp) -> u32 {
        self.probes = self.probes.wrapping_add(1);
        self.probe_until = Some(now + PROBE_PATIENCE);
        self.number()
    }

    /// The number of the newest probe. No other opening has it: the late end of a probe of an earlier
    /// one says nothing about this one.
    fn number(&self) -> u32 {
        let bytes = self.since.as_millis().to_le_bytes();
        let low = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        low.wrapping_add(self.probes)
    }

    fn is_under_way(&self, number: u32) -> bool {
        self.probe_until.is_some() && self.number() == number
    }

    /// The probe was never sent: somebody else may send one at once. False when it is not this one's.
    pub(super) fn give_up_probe(&mut self, now: Timestamp, number: u32) -> bool {
        let own = self.is_under_way(number);
        if own {
            self.free(now);
        }
        own
    }

    pub(super) fn hear(&mut self, now: Timestamp, health: Health, probe: Option<u32>) -> Heard {
        if !probe.is_some_and(|number| self.is_under_way(number)) {
            return Heard::Stale;
        }
        match health {
            Health::Good => Heard::Answered,
            Health::Bad | Health::ClientRefused => {
                let gap = Duration::from_millis(self.gap_ms);
                self.wait(now, (gap * 2).min(LONGEST_GAP));
                Heard::Failed
            }
            Health::Nothing => {
                self.free(now);
                Heard::Nothing
            }
        }
    }

    fn free(&mut self, now: Timestamp) {
        self.next_probe = now;
        self.probe_until = None;
    }

    fn wait(&mut self, now: Timestamp, gap: Duration) {
        self.gap_ms = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
        self.next_probe = now + gap;
        self.probe_until = None;
    }
}
