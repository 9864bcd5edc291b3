//! A hundred thousand accounts for three days, planned by the planner alone: the budget holds, nobody goes
//! a day without, young posts are read at their ages, and creators who look are read often.
//!
//! The arithmetic is in `docs/METRICS.md`; its figures are what this test prints.

use std::time::Duration;

use clipqueue::domain::counters::{
    checkpoints,
    planner::{self, Depth, Need, PERIOD, Rank, WHOLE_WITHIN},
};
use clipqueue_entities::{AccountId, Timestamp};
use uuid::Uuid;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// Everybody.
const ALL: u32 = 100_000;
/// What TikTok gives an hour.
const TIKTOK: u32 = 600 * 60;
/// The same less the tenth that is left for posts in doubt.
const BUDGET: u32 = 540 * 60;

/// Numbers that are the same in each run (an xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A young post.
struct Young {
    posted: Timestamp,
    met: i32,
}

struct Account {
    need: Need,
    young: Vec<Young>,
}

/// How creators behave.
struct World {
    /// How many there are; with a tenth of the accounts goes a tenth of the budget.
    accounts: u32,
    /// Of a hundred creators, how many post once a day; the others once a week.
    daily: u64,
    /// Of a hundred creators, how many look at their counters once a day.
    looking: u64,
}

#[derive(Debug, Default)]
struct Outcome {
    busiest: u32,
    calls: u64,
    longest_without: Duration,
    /// Met and missed readings at 1, 3 and 6 hours.
    met: u64,
    missed: u64,
    /// Looks of creators who looked within the day: how many, and hours between them.
    hot_looks: u64,
    hot_gap: Duration,
}

/// Runs `hours` plans after those in which everybody becomes known.
fn run(world: &World, hours: u64) -> Outcome {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let budget = BUDGET / (ALL / world.accounts);
    let mut accounts: Vec<Account> = (0..world.accounts)
        .map(|number| Account {
            need: Need {
                account: AccountId(Uuid::from_u128(u128::from(number))),
                videos: 50,
                read_at: None,
                whole_at: None,
                looked_at: None,
                checkpoint_at: None,
            },
            young: Vec::new(),
        })
        .collect();
    let warm = 26;
    let mut outcome = Outcome::default();
    for hour in 0..warm + hours {
        let now = START + PERIOD * u32::try_from(hour).unwrap();
        let counts = hour >= warm;
        behave(world, &mut accounts, now, &mut dice);
        let needs: Vec<Need> = accounts
            .iter()
            .map(|account| account.need.clone())
            .collect();
        let plan = planner::plan(now, budget, &needs);
        assert!(plan.calls <= budget);
        let mut calls = plan.calls;
        for turn in plan.turns {
            let index = usize::try_from(turn.account.0.as_u128()).unwrap();
            let account = &mut accounts[index];
            look(account, turn.at, turn.rank, counts.then_some(&mut outcome));
            while let Some(at) = planner::again(&account.need, turn.at)
                && at < now + PERIOD
            {
                calls += 1;
                look(
                    account,
                    at.max(turn.at),
                    Rank::Young,
                    counts.then_some(&mut outcome),
                );
            }
        }
        if counts {
            outcome.busiest = outcome.busiest.max(calls);
            outcome.calls += u64::from(calls);
        }
        for account in &mut accounts {
            expire(account, now + PERIOD, counts.then_some(&mut outcome));
        }
    }
    outcome
}

/// Creators post and look.
fn behave(world: &World, accounts: &mut [Account], now: Timestamp, dice: &mut Dice) {
    for (index, account) in accounts.iter_mut().enumerate() {
        let kind = index as u64 % 100;
        let every = if kind < world.daily { 24 } else { 24 * 7 };
        if dice.below(every) == 0 {
            let posted = now + Duration::from_secs(dice.below(3600));
            account.young.push(Young { posted, met: 0 });
            // It becomes known as it is published by us.
            remember(account, now);
        }
        if (kind * 7 + 3) % 100 < world.looking && dice.below(24) == 0 {
            account.need.looked_at = Some(now);
        }
    }
}

fn remember(account: &mut Account, now: Timestamp) {
    let next = |young: &Young| checkpoints::next(young.posted, now, young.met);
    account.need.checkpoint_at = account.young.iter().filter_map(next).min();
}

/// A look as the worker takes it.
fn look(account: &mut Account, at: Timestamp, rank: Rank, outcome: Option<&mut Outcome>) {
    let depth = planner::depth(&account.need, at);
    let mut met = 0;
    for young in &mut account.young {
        let (hours, mask) = checkpoints::meet(young.posted, at, young.met);
        young.met = mask;
        met += u64::from(hours.is_some_and(|hours| hours <= 6));
    }
    if let Some(outcome) = outcome {
        outcome.met += met;
        if let Some(whole) = account.need.whole_at {
            outcome.longest_without = outcome.longest_without.max(at.since(whole));
        }
        if let (Rank::Looked, Some(read)) = (rank, account.need.read_at)
            && account
                .need
                .looked_at
                .is_some_and(|looked| at.since(looked) < planner::HOT)
        {
            outcome.hot_looks += 1;
            outcome.hot_gap += at.since(read);
        }
    }
    account.need.read_at = Some(at);
    if depth == Depth::Whole {
        account.need.whole_at = Some(at);
    }
    remember(account, at);
}

/// Counts readings that nobody took in time, and forgets posts that are old.
fn expire(account: &mut Account, now: Timestamp, outcome: Option<&mut Outcome>) {
    let mut missed = 0;
    for young in &mut account.young {
        for (index, checkpoint) in checkpoints::ALL[..3].iter().enumerate() {
            if checkpoint.ends(young.posted) <= now && young.met & (1 << index) == 0 {
                young.met |= 1 << index;
                missed += 1;
            }
        }
    }
    account
        .young
        .retain(|young| young.posted + Duration::from_secs(72 * 3600) > now);
    if let Some(outcome) = outcome {
        outcome.missed += missed;
    }
}

fn judge(world: &World, name: &str) -> Outcome {
    let hours = 24;
    let outcome = run(world, hours);
    let met = outcome.met as f64 / (outcome.met + outcome.missed).max(1) as f64;
    println!(
        "{name}: {} calls an hour on average, {} in the busiest; longest without a whole look {:.1} h; \
         {:.2} % of the readings at 1, 3 and 6 h; whoever looked is read every {:.2} h",
        outcome.calls / hours,
        outcome.busiest,
        outcome.longest_without.as_secs_f64() / 3600.0,
        met * 100.0,
        outcome.hot_gap.as_secs_f64() / 3600.0 / outcome.hot_looks.max(1) as f64,
    );
    // Posts of one creator that reach ages within one hour cost more than was planned, and far less than
    // what was left.
    assert!(
        outcome.busiest <= TIKTOK / (ALL / world.accounts),
        "{outcome:?}"
    );
    assert!(outcome.longest_without <= WHOLE_WITHIN, "{outcome:?}");
    outcome
}

#[test]
fn a_hundred_thousand_accounts_fit_into_the_budget() {
    let usual = World {
        accounts: ALL,
        daily: 30,
        looking: 20,
    };
    let outcome = judge(&usual, "usual");
    assert!(outcome.missed * 1000 <= outcome.met, "{outcome:?}");
    assert!(
        outcome.hot_gap
            <= Duration::from_secs(3600 * 3 / 2) * u32::try_from(outcome.hot_looks).unwrap()
    );
}

#[test]
fn when_everybody_posts_daily_young_posts_come_first_and_nobody_starves() {
    let crowded = World {
        accounts: ALL / 10,
        daily: 100,
        looking: 50,
    };
    let outcome = judge(&crowded, "crowded");
    assert!(outcome.missed * 100 <= outcome.met, "{outcome:?}");
}
