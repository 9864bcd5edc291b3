//! Everything the simulator remembers, and the one lock around it.
//!
//! Handlers are plain functions over [`State`]; nothing here waits. [`Core::with`] brings the state up to the
//! present before it lets anyone look.

use std::sync::{Mutex, PoisonError};

use crate::account::Accounts;
use crate::clock::Clock;
use crate::config::SimConfig;
use crate::fault::Faults;
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::pipeline::{Published, Timeline};
use crate::publish::Publishes;
use crate::pull::PullJob;
use crate::tokens::Tokens;
use crate::video::Videos;
use crate::webhook::Outbox;

/// The whole memory of one simulator.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: SimConfig,
    pub(crate) base_url: String,
    pub(crate) accounts: Accounts,
    pub(crate) tokens: Tokens,
    pub(crate) ledger: Ledger,
    pub(crate) faults: Faults,
    pub(crate) limits: Limits,
    pub(crate) publishes: Publishes,
    pub(crate) videos: Videos,
    pub(crate) timeline: Timeline,
    pub(crate) published: Vec<Published>,
    pub(crate) outbox: Outbox,
    /// Pulls that an init asked for and the server has not started yet.
    pub(crate) pulls: Vec<PullJob>,
    sequence: u64,
}

impl State {
    pub(crate) fn new(config: SimConfig, base_url: String) -> Self {
        Self {
            config,
            base_url,
            accounts: Accounts::default(),
            tokens: Tokens::default(),
            ledger: Ledger::default(),
            faults: Faults::default(),
            limits: Limits::default(),
            publishes: Publishes::default(),
            videos: Videos::default(),
            timeline: Timeline::default(),
            published: Vec::new(),
            outbox: Outbox::default(),
            pulls: Vec::new(),
            sequence: 0,
        }
    }

    /// A number that no publish or post had before.
    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

/// State, clock and the simulator's own HTTP client.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) clock: Clock,
    pub(crate) http: reqwest::Client,
    state: Mutex<State>,
}

impl Core {
    pub(crate) fn new(state: State, http: reqwest::Client) -> Self {
        Self {
            clock: Clock::default(),
            http,
            state: Mutex::new(state),
        }
    }

    /// Runs `act` on the state as it is at this moment, then wakes whoever waits for what is due.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State, i64) -> T) -> T {
        let result = self.look(act);
        self.clock.wake();
        result
    }

    /// Like [`Core::with`], for readers and for those who wait themselves.
    pub(crate) fn look<T>(&self, act: impl FnOnce(&mut State, i64) -> T) -> T {
        // A panic under the lock leaves state that is still good to inspect in a test.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now_ms();
        state.settle(now);
        act(&mut state, now)
    }
}
