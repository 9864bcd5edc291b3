//! What a torture comes to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;

use super::soak::Change;

/// Counts over all rounds.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Tally {
    /// Rounds.
    pub(super) rounds: u64,
    /// Seeds of the rounds that failed.
    pub(super) failed_seeds: Vec<u64>,
    /// Posts that were asked for.
    pub(super) posts: u64,
    /// Posts that were accepted.
    pub(super) accepted: u64,
    /// Accepted posts by the state that they ended in.
    pub(super) ended: BTreeMap<String, u64>,
    /// Faults by kind.
    pub(super) faults: BTreeMap<String, u64>,
    /// Kinds of faults that were wanted and that this stack or this system does not have.
    pub(super) left_out: BTreeSet<String>,
    /// Processes that died at a crash point.
    pub(super) crash_points: u64,
    /// Processes that ended otherwise without being told to, and were started again.
    pub(super) restarts: u64,
    /// Posts that did not end, or not as TikTok saw it.
    pub(super) lost: u64,
    /// Posts that appeared more than once.
    pub(super) twice: u64,
    /// Scheduled posts that went before their time.
    pub(super) early: u64,
    /// Posts that ended FAILED, MISSED, CANCELLED or LAPSED without a reason.
    pub(super) unexplained: u64,
    /// Posts that were given up because their process was lost too often while it worked on them.
    pub(super) poison: u64,
    /// How often a post was UNCONFIRMED.
    pub(super) doubts: u64,
    /// Among them without a lost answer.
    pub(super) needless: u64,
    /// Among them for more than a quarter of an hour although TikTok knew.
    pub(super) unsettled: u64,
    /// How long one lasted at most after everything was well, in simulated seconds.
    pub(super) longest_doubt_s: i64,
    /// Photos in doubt of which nobody can be asked.
    pub(super) unknowable: u64,
    /// Posts that were read again at the end.
    pub(super) reread: u64,
    /// Rules of TikTok's that were broken.
    pub(super) rules: u64,
    /// Calls that TikTok refused and that no fault explains.
    pub(super) refused: u64,
    /// Rules that were broken for want of what died with a process, and refusals of tokens that a
    /// fault let die.
    pub(super) excused: u64,
    /// What memory changed, of a run of many minutes.
    pub(super) soak: Vec<Change>,
    /// Calls to TikTok.
    pub(super) calls: u64,
    /// Simulated seconds.
    pub(super) simulated_s: u64,
    /// Real seconds.
    pub(super) real_s: u64,
}

impl Tally {
    /// All faults, deaths at crash points included.
    pub(super) fn fault_count(&self) -> u64 {
        self.faults.values().sum::<u64>() + self.crash_points
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} rounds, {} posts accepted, {} faults, {} calls to TikTok, {} s ({} s simulated)",
            self.rounds,
            self.accepted,
            self.fault_count(),
            self.calls,
            self.real_s,
            self.simulated_s
        )?;
        writeln!(f, "faults: {:?}", self.faults)?;
        if !self.left_out.is_empty() {
            writeln!(
                f,
                "left out, for there is no such thing here: {:?}",
                self.left_out
            )?;
        }
        writeln!(
            f,
            "deaths at crash points {}, other restarts {}",
            self.crash_points, self.restarts
        )?;
        writeln!(f, "ended: {:?}", self.ended)?;
        for change in &self.soak {
            writeln!(f, "{change}")?;
        }
        writeln!(
            f,
            "doubts {} (needless {}, unsettled {}, unknowable {}), the longest {} s after everything was well",
            self.doubts, self.needless, self.unsettled, self.unknowable, self.longest_doubt_s
        )?;
        write!(
            f,
            "lost {}, twice {}, early {}, given up as poison {}, ended badly without a reason {}, rules broken {}, calls refused {} (excused {}); {} posts read again at the end",
            self.lost,
            self.twice,
            self.early,
            self.poison,
            self.unexplained,
            self.rules,
            self.refused,
            self.excused,
            self.reread
        )
    }
}
