//! The plan of a round: which posts are asked for and what goes wrong meanwhile, out of a seed.
//!
//! The same seed, faults and counts give the same plan. It knows neither processes nor addresses.

use std::fmt;

use clap::ValueEnum;
use tiktok_sim::{Endpoint, FaultKind};

use super::{
    choose::{fault, post},
    rng::Rng,
};
use crate::crash::CrashAt;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// `kill -9` and a new start, which may die again at a crash point.
    Kill,
    /// SIGSTOP for longer than a lease, then SIGCONT.
    Stop,
    /// Redis dies and comes back empty.
    RedisRestart,
    /// `FLUSHALL`.
    Flushall,
    /// Redis takes no writes for want of memory.
    Maxmemory,
    /// PostgreSQL dies and recovers.
    DbRestart,
    /// Every connection of a link is cut.
    Cut,
    /// A link is slow.
    Delay,
    /// A link takes everything and delivers nothing.
    HalfOpen,
    /// A process's clock is set forward or back by five minutes.
    Clock,
    /// The disk of the media is full.
    DiskFull,
    /// An operator pauses or drains a queue and resumes it.
    Pause,
    /// TikTok fails.
    Sim,
    /// TikTok is slow to know, to process or to tell.
    SimConfig,
}

/// A way of posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Direct,
    Inbox,
    /// A draft that is submitted.
    Draft,
    /// A direct post of a photo, which TikTok fetches.
    Photo,
    /// A direct post for so many simulated seconds later.
    Scheduled(u64),
}

/// A post to ask for.
#[derive(Clone, Debug)]
pub(super) struct PlannedPost {
    /// Real milliseconds after the round's start.
    pub(super) at: u64,
    pub(super) creator: usize,
    pub(super) way: Way,
    /// Whether its film is sent in several chunks.
    pub(super) large: bool,
    /// So many real milliseconds after it was accepted its owner stops it.
    pub(super) stop_after: Option<u64>,
}

/// A connection that can be disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Redis,
    Database,
    Tiktok,
}

/// A fault, with what it needs to be the same again.
#[derive(Clone, Debug)]
pub(super) enum What {
    Kill {
        process: usize,
        again: Option<CrashAt>,
    },
    Stop {
        process: usize,
    },
    RedisRestart,
    Flushall,
    Maxmemory,
    DbRestart,
    Cut(Link),
    Delay(Link, u64),
    HalfOpen(Link),
    Clock {
        process: usize,
        minutes: i64,
    },
    DiskFull,
    Pause {
        queue: &'static str,
        drain: bool,
    },
    Sim {
        endpoint: Endpoint,
        kind: FaultKind,
        after: u32,
    },
    SimConfig(Setting),
}

/// How TikTok behaves until everything is healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// It does not know a publish for so long.
    StatusLag(u64),
    /// It tells the post id so much later.
    LatePostId(u64),
    /// It processes for so long.
    SlowProcessing(u64),
    /// Its webhooks come late, in disorder and more than once.
    Webhooks { duplicates: u32, delay_ms: u64 },
}

/// A fault and when it is done.
#[derive(Clone, Debug)]
pub(super) struct PlannedFault {
    /// Real milliseconds after the round's start.
    pub(super) at: u64,
    /// How long it lasts.
    pub(super) lasts: u64,
    pub(super) what: What,
}

/// A round.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) creators: usize,
    pub(super) posts: Vec<PlannedPost>,
    pub(super) faults: Vec<PlannedFault>,
}

/// What a plan is made for.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) kinds: Vec<Kind>,
    pub(super) links: Vec<Link>,
    pub(super) processes: usize,
    pub(super) posts: usize,
    pub(super) faults: usize,
    /// How many simulated seconds pass in a real one.
    pub(super) rate: u64,
}

/// Posts of one creator: TikTok takes six inits a minute, and holds five drafts.
const POSTS_PER_CREATOR: usize = 3;
/// Over how much real time a round spreads what it does, for each post or fault.
const SPREAD_MS: u64 = 700;
/// A lease.
pub(super) const LEASE_S: u64 = 15;

impl Plan {
    pub(super) fn new(seed: u64, shape: &Shape) -> Self {
        let mut rng = Rng::new(seed);
        let creators = shape.posts.div_ceil(POSTS_PER_CREATOR);
        let spread = SPREAD_MS * shape.posts.max(shape.faults).max(1) as u64;
        let mut posts: Vec<_> = (0..shape.posts)
            .map(|number| post(&mut rng, number % creators.max(1), spread))
            .collect();
        posts.sort_by_key(|post| post.at);
        // The first fault of rounds that follow each other goes through the kinds in turn, so that
        // as many rounds as there are kinds have them all.
        let turn = usize::try_from(seed % shape.kinds.len() as u64).unwrap_or_default();
        let mut faults: Vec<_> = (0..shape.faults)
            .map(|number| {
                let any = *rng.one_of(&shape.kinds);
                let kind = if number == 0 { shape.kinds[turn] } else { any };
                fault(&mut rng, kind, shape, spread)
            })
            .collect();
        faults.sort_by_key(|fault| fault.at);
        Self {
            seed,
            creators,
            posts,
            faults,
        }
    }
}

impl What {
    /// The kind that it belongs to.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Kill { .. } => Kind::Kill,
            Self::Stop { .. } => Kind::Stop,
            Self::RedisRestart => Kind::RedisRestart,
            Self::Flushall => Kind::Flushall,
            Self::Maxmemory => Kind::Maxmemory,
            Self::DbRestart => Kind::DbRestart,
            Self::Cut(_) => Kind::Cut,
            Self::Delay(..) => Kind::Delay,
            Self::HalfOpen(_) => Kind::HalfOpen,
            Self::Clock { .. } => Kind::Clock,
            Self::DiskFull => Kind::DiskFull,
            Self::Pause { .. } => Kind::Pause,
            Self::Sim { .. } => Kind::Sim,
            Self::SimConfig(_) => Kind::SimConfig,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill {
                process,
                again: None,
            } => write!(f, "kill -9 process {process}"),
            Self::Kill {
                process,
                again: Some(at),
            } => write!(
                f,
                "kill -9 process {process}, which dies again at {}:{}",
                at.point, at.nth
            ),
            Self::Clock { process, minutes } => {
                write!(f, "the clock of process {process} is {minutes} min off")
            }
            Self::Sim {
                endpoint,
                kind,
                after,
            } => write!(f, "TikTok's {endpoint:?}, call {after} from now: {kind:?}"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} creators", self.seed, self.creators)?;
        for post in &self.posts {
            let size = if post.large { "large " } else { "" };
            write!(
                f,
                "  {:>6} ms  {size}post {:?} by creator {}",
                post.at, post.way, post.creator
            )?;
            match post.stop_after {
                Some(ms) => writeln!(f, ", stopped after {ms} ms")?,
                None => writeln!(f)?,
            }
        }
        for fault in &self.faults {
            writeln!(
                f,
                "  {:>6} ms  {} ({} ms)",
                fault.at, fault.what, fault.lasts
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan() {
        let shape = Shape {
            kinds: Kind::value_variants().to_vec(),
            links: vec![Link::Redis, Link::Database, Link::Tiktok],
            processes: 3,
            posts: 9,
            faults: 40,
            rate: 10,
        };
        let text = |seed| Plan::new(seed, &shape).to_string();
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
        let plan = Plan::new(7, &shape);
        assert_eq!(plan.creators, 3);
        assert!(plan.faults.iter().all(|fault| fault.lasts < 6_000));
    }

    #[test]
    fn rounds_in_a_row_have_every_kind() {
        let kinds = Kind::value_variants();
        let shape = Shape {
            kinds: kinds.to_vec(),
            links: vec![Link::Redis, Link::Database, Link::Tiktok],
            processes: 2,
            posts: 3,
            faults: 1,
            rate: 10,
        };
        let met: std::collections::BTreeSet<Kind> = (5..5 + kinds.len() as u64)
            .flat_map(|seed| Plan::new(seed, &shape).faults)
            .map(|fault| fault.what.kind())
            .collect();
        assert_eq!(met.len(), kinds.len());
    }
}
