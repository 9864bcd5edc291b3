//! Whose counters are read within the next hour. Pure: times and numbers in, turns out.
//!
//! A look at an account is either *newest* (the 20 newest videos, one call) or *whole* (all of them, 20 a
//! call). The calls of an hour are given in this order:
//!
//! 1. `Day`: whoever would otherwise go without a whole look for longer than a day;
//! 2. `Young`: accounts that were never read, and posts that reach an age at which they are read;
//! 3. `Looked`: creators who looked at their counters: hourly for a day, then every six hours for a week;
//! 4. `Early`: whole looks that are due within some hours, so that the hours come to be equally full.
//!
//! Within a rank the longest due comes first, so nobody is passed over for ever.

use std::time::Duration;

use clipqueue_entities::{AccountId, Timestamp};

/// How often a plan is made, and how far it reaches.
pub const PERIOD: Duration = Duration::from_secs(3600);
/// Nobody goes without a whole look for longer.
pub const WHOLE_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// From then on a look is a whole one, and spare calls are used for it.
pub const EARLY: Duration = Duration::from_secs(16 * 3600);
/// Videos of one call.
pub const PER_CALL: u32 = 20;
/// Who looked within this time is read every [`HOT_GAP`].
pub const HOT: Duration = Duration::from_secs(24 * 3600);
/// The gap between looks for somebody who looked today.
pub const HOT_GAP: Duration = Duration::from_secs(3600);
/// Who looked within this time is read every [`WARM_GAP`].
pub const WARM: Duration = Duration::from_secs(7 * 24 * 3600);
/// The gap between looks for somebody who looked this week.
pub const WARM_GAP: Duration = Duration::from_secs(6 * 3600);

/// What is known of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The account.
    pub account: AccountId,
    /// Its videos.
    pub videos: u32,
    /// When it was last read.
    pub read_at: Option<Timestamp>,
    /// When it was last read as a whole.
    pub whole_at: Option<Timestamp>,
    /// When its owner last looked.
    pub looked_at: Option<Timestamp>,
    /// When a young post of it is to be read.
    pub checkpoint_at: Option<Timestamp>,
}

/// How much of an account is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The newest videos.
    Newest,
    /// All of them.
    Whole,
}

/// Why an account has its turn; the order is that of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// It would be a day without a whole look.
    Day,
    /// It is new, or a post of it reaches an age.
    Young,
    /// Its owner looks.
    Looked,
    /// There are calls to spare.
    Early,
}

/// That an account is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Why.
    pub rank: Rank,
    /// Since when, or from when on: its place among others of the rank.
    pub since: Timestamp,
    /// The moment that it is to be read at, if that matters: a post's age.
    pub exactly: Option<Timestamp>,
}

/// An account's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The account.
    pub account: AccountId,
    /// When.
    pub at: Timestamp,
    /// What it is expected to cost.
    pub calls: u32,
    /// Why.
    pub rank: Rank,
}

/// The plan of an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Who is read.
    pub turns: Vec<Turn>,
    /// Who is due and has to wait for the next plan, with why it was due.
    pub put_off: Vec<(AccountId, Rank)>,
    /// Calls that the turns are expected to cost.
    pub calls: u32,
}

/// How much of `need` is read at `at`.
pub fn depth(need: &Need, at: Timestamp) -> Depth {
    match need.whole_at {
        Some(whole) if whole + EARLY > at => Depth::Newest,
        Some(_) | None => Depth::Whole,
    }
}

/// The calls of a look at `at`.
pub fn calls(need: &Need, at: Timestamp) -> u32 {
    match depth(need, at) {
        Depth::Newest => 1,
        Depth::Whole => need.videos.div_ceil(PER_CALL).max(1),
    }
}

/// When the owner's looking asks for the next look.
fn looked_due(need: &Need, now: Timestamp) -> Option<Timestamp> {
    let looked = need.looked_at?;
    let gap = match now.since(looked) {
        since if since < HOT => HOT_GAP,
        since if since < WARM => WARM_GAP,
        _ => return None,
    };
    Some(need.read_at.map_or(looked, |read| read + gap))
}

/// When an account is read next, if the budget allows for everybody's wishes.
pub fn next_due(need: &Need, now: Timestamp) -> Timestamp {
    let Some(whole) = need.whole_at else {
        return now;
    };
    let wishes = [need.checkpoint_at, looked_due(need, now)];
    let due = whole + WHOLE_WITHIN;
    wishes.into_iter().flatten().fold(due, Timestamp::min)
}

/// Why an account is due within the hour after `now`, if it is.
pub fn due(need: &Need, now: Timestamp) -> Option<Due> {
    let end = now + PERIOD;
    let exactly = need.checkpoint_at.filter(|at| *at < end);
    let due = |rank, since| {
        Some(Due {
            rank,
            since,
            exactly,
        })
    };
    let Some(whole) = need.whole_at else {
        return due(Rank::Young, exactly.unwrap_or(now).min(now));
    };
    // The next plan's looks may be an hour later than that plan.
    if whole + WHOLE_WITHIN <= end + PERIOD {
        return due(Rank::Day, whole + WHOLE_WITHIN);
    }
    if let Some(at) = exactly {
        return due(Rank::Young, at);
    }
    if let Some(at) = looked_due(need, now)
        && at < end
    {
        return due(Rank::Looked, at);
    }
    match whole + EARLY {
        since if since <= now => due(Rank::Early, since),
        _ => None,
    }
}

/// Gives the `budget` of calls of the hour after `now`.
pub fn plan(now: Timestamp, budget: u32, needs: &[Need]) -> Plan {
    let mut waiting: Vec<(Due, &Need)> = needs
        .iter()
        .filter_map(|need| due(need, now).map(|due| (due, need)))
        .collect();
    waiting.sort_unstable_by_key(|(due, need)| (due.rank, due.since, need.account));
    let mut plan = Plan::default();
    let mut chosen = Vec::new();
    for (due, need) in waiting {
        // An account larger than an hour is read over several.
        let calls = calls(need, earliest(&due, now)).min(budget);
        if calls == 0 || plan.calls + calls > budget {
            plan.put_off.push((need.account, due.rank));
            continue;
        }
        plan.calls += calls;
        chosen.push((due, calls, need.account));
    }
    // A young post is to be read at its age; what only must happen within the hour stands behind.
    chosen.sort_unstable_by_key(|(due, _, account)| {
        let at = earliest(due, now);
        (due.exactly.is_none(), due.rank == Rank::Day, at, *account)
    });
    let mut before = 0;
    for (due, calls, account) in chosen {
        let slot = now + PERIOD.mul_f64(f64::from(before) / f64::from(budget.max(1)));
        before += calls;
        plan.turns.push(Turn {
            account,
            at: earliest(&due, now).max(slot),
            calls,
            rank: due.rank,
        });
    }
    plan
}

/// From when on within the hour an account is to be read.
fn earliest(due: &Due, now: Timestamp) -> Timestamp {
    let at = match due.rank {
        Rank::Day => due.exactly.unwrap_or(now),
        Rank::Young | Rank::Looked | Rank::Early => due.exactly.unwrap_or(due.since),
    };
    at.max(now)
}

/// When an account that was just read is read once more before the next plan, because another post of
/// it reaches an age: it has the first place then anyway.
pub fn again(need: &Need, now: Timestamp) -> Option<Timestamp> {
    need.checkpoint_at.filter(|at| *at < now + PERIOD)
}

#[cfg(test)]
mod tests;
