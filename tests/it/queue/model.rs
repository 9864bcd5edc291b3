//! The queue against a model, over random sequences of its moves.
//!
//! Two processes share the rows and the transport. After each sequence everything is made whole and
//! drained; all the while: a job is held by one attempt at a time, fences only grow, attempts stay
//! within their limit, a unique key has one live job, and a job that ended stays ended.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use anyhow::anyhow;
use clipqueue::queue::{
    DEFAULT_LEASE, NewJob, Outcome, Ran,
    ledger::RetryOutcome,
    steps::{HeldJob, Steps},
    transport::Pointer,
};
use clipqueue_entities::{JobId, job, job::JobState};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, prop_oneof},
    test_runner::{Config, TestRunner},
};
use sea_orm::EntityTrait;

use super::fixture::{Kind, LONG, Stack, Toys};
use crate::support::within;

const MAX_ATTEMPTS: i32 = 4;
const LANE_LIMIT: u32 = 2;

#[derive(Clone, Debug)]
enum Move {
    Enqueue {
        lane: u8,
        delay: u16,
        key: Option<u8>,
    },
    Relay {
        process: bool,
    },
    Fetch {
        process: bool,
        limit: u8,
    },
    StartFew {
        process: bool,
        limit: u8,
    },
    StartTold {
        process: bool,
        which: u8,
    },
    End {
        which: u8,
        how: u8,
    },
    Crash {
        which: u8,
    },
    Advance {
        secs: u16,
    },
    Rescue {
        process: bool,
    },
    LosePointers,
    Audit {
        process: bool,
    },
    Pause,
    Resume,
    Cancel {
        which: u8,
    },
    Retry {
        which: u8,
    },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let process = proptest::bool::ANY;
    let any = 0..u8::MAX;
    let one = prop_oneof![
        6 => (0..4u8, prop_oneof![Just(0u16), 1..60u16], proptest::option::of(0..3u8))
            .prop_map(|(lane, delay, key)| Move::Enqueue { lane, delay, key }),
        5 => process.prop_map(|process| Move::Relay { process }),
        6 => (process, 1..6u8).prop_map(|(process, limit)| Move::Fetch { process, limit }),
        4 => (process, 1..6u8).prop_map(|(process, limit)| Move::StartFew { process, limit }),
        4 => (process, any.clone())
            .prop_map(|(process, which)| Move::StartTold { process, which }),
        8 => (any.clone(), any.clone()).prop_map(|(which, how)| Move::End { which, how }),
        2 => any.clone().prop_map(|which| Move::Crash { which }),
        3 => (1..40u16).prop_map(|secs| Move::Advance { secs }),
        3 => process.prop_map(|process| Move::Rescue { process }),
        1 => Just(Move::LosePointers),
        2 => process.prop_map(|process| Move::Audit { process }),
        1 => Just(Move::Pause),
        1 => Just(Move::Resume),
        1 => any.clone().prop_map(|which| Move::Cancel { which }),
        1 => any.prop_map(|which| Move::Retry { which }),
    ];
    vec(one, 1..80)
}

fn toys() -> Toys {
    Toys::default()
        .limits(10, LANE_LIMIT)
        .with("work", |_| async { Ok(Outcome::Done) })
}

struct World {
    stack: Stack,
    processes: [Steps; 2],
    held: Vec<HeldJob>,
    jobs: Vec<JobId>,
    keys: HashMap<JobId, Option<String>>,
    fences: HashMap<JobId, i64>,
    ended: HashMap<JobId, JobState>,
}

fn answer(how: u8) -> Ran {
    match how % 6 {
        0..=2 => Ok(Outcome::Done),
        3 => Ok(Outcome::Snooze(Duration::from_secs(u64::from(how) % 20))),
        4 => Err(anyhow!("failed").into()),
        _ => Err(clipqueue::queue::Failure::Hold {
            reason: "model".into(),
            error: anyhow!("held"),
        }),
    }
}

impl World {
    async fn new(kind: Kind) -> Self {
        let stack = Stack::new(kind).await;
        let processes = [stack.steps(&toys()), stack.steps(&toys())];
        Self {
            stack,
            processes,
            held: Vec::new(),
            jobs: Vec::new(),
            keys: HashMap::new(),
            fences: HashMap::new(),
            ended: HashMap::new(),
        }
    }

    async fn play(&mut self, next: &Move) {
        match *next {
            Move::Enqueue { lane, delay, key } => {
                let job = NewJob {
                    lane: if lane == 0 {
                        String::new()
                    } else {
                        format!("l{lane}")
                    },
                    run_at: self.stack.time.now() + Duration::from_secs(delay.into()),
                    max_attempts: MAX_ATTEMPTS,
                    unique_key: key.map(|key| format!("key-{key}")),
                    ..self.stack.toy("work")
                };
                let key = job.unique_key.clone();
                let id = self.stack.insert(job).await.id();
                if !self.jobs.contains(&id) {
                    self.jobs.push(id);
                    self.keys.insert(id, key);
                }
            }
            Move::Relay { process } => {
                self.processes[usize::from(process)].relay().await.unwrap();
            }
            Move::Fetch { process, limit } => {
                let steps = &mut self.processes[usize::from(process)];
                self.held.extend(steps.fetch(limit.into()).await.unwrap());
            }
            Move::StartFew { process, limit } => {
                let steps = &mut self.processes[usize::from(process)];
                self.held
                    .extend(steps.start_few(limit.into()).await.unwrap());
            }
            Move::StartTold { process, which } => {
                if !self.jobs.is_empty() {
                    let id = self.jobs[usize::from(which) % self.jobs.len()];
                    let row = self.stack.row(id).await;
                    // What was told just after the row was committed, or became due again.
                    let told = Pointer {
                        job: id,
                        nonce: row.fence,
                        lane: row.lane,
                        rank: 0,
                    };
                    let steps = &mut self.processes[usize::from(process)];
                    self.held
                        .extend(steps.start_told("toys", &told).await.unwrap());
                }
            }
            Move::End { which, how } => {
                if !self.held.is_empty() {
                    let held = self.held.swap_remove(usize::from(which) % self.held.len());
                    let (id, fence) = (held.job().id, held.job().fence);
                    let before = self.stack.row(id).await;
                    let newest = before.state == JobState::Running && before.fence == fence;
                    let state = self.processes[0].end(held, answer(how)).await;
                    assert_eq!(state.is_some(), newest, "who may settle: {before:?}");
                    if !newest {
                        assert_eq!(self.stack.row(id).await, before, "a zombie wrote");
                    }
                }
            }
            Move::Crash { which } => {
                if !self.held.is_empty() {
                    self.held.swap_remove(usize::from(which) % self.held.len());
                }
            }
            Move::Advance { secs } => self.stack.time.advance(Duration::from_secs(secs.into())),
            Move::Rescue { process } => {
                self.processes[usize::from(process)].rescue().await.unwrap();
            }
            Move::LosePointers => self.stack.lose_pointers().await,
            Move::Audit { process } => {
                self.processes[usize::from(process)].audit().await.unwrap();
            }
            Move::Pause => self.stack.queue.pause("toys").await.unwrap(),
            Move::Resume => self.stack.queue.resume("toys").await.unwrap(),
            Move::Cancel { which } => {
                if !self.jobs.is_empty() {
                    let id = self.jobs[usize::from(which) % self.jobs.len()];
                    self.stack.queue.cancel(id).await.unwrap();
                }
            }
            Move::Retry { which } => {
                if !self.jobs.is_empty() {
                    let id = self.jobs[usize::from(which) % self.jobs.len()];
                    let key = self.keys[&id].as_deref();
                    let before = self.rows().await;
                    let taken = before.iter().any(|row| {
                        row.id != id && key.is_some() && row.unique_key.as_deref() == key
                    });
                    let before = before.into_iter().find(|row| row.id == id).unwrap();
                    let outcome = self.stack.queue.retry(id, key).await.unwrap();
                    let expected = match before.state {
                        JobState::Discarded | JobState::Cancelled if taken => {
                            RetryOutcome::AlreadyLive
                        }
                        JobState::Discarded
                        | JobState::Cancelled
                        | JobState::Held
                        | JobState::Retryable => RetryOutcome::Retried,
                        state => RetryOutcome::NotRetryable(state),
                    };
                    assert_eq!(outcome, expected, "{before:?}");
                    if outcome == RetryOutcome::Retried {
                        self.ended.remove(&id);
                    }
                }
            }
        }
    }

    async fn rows(&self) -> Vec<job::Model> {
        job::Entity::find().all(self.stack.db.read()).await.unwrap()
    }

    /// What must hold after every move.
    async fn check(&mut self) {
        let rows = self.rows().await;
        assert_eq!(rows.len(), self.jobs.len(), "no row vanishes or appears");
        let mut keys = HashSet::new();
        for row in &rows {
            assert!(
                row.attempt <= row.max_attempts,
                "attempts over the limit: {row:?}"
            );
            let fence = self.fences.entry(row.id).or_default();
            assert!(row.fence >= *fence, "a fence went back: {row:?}");
            *fence = row.fence;
            assert_eq!(
                row.state == JobState::Held,
                row.hold_reason.is_some(),
                "{row:?}"
            );
            assert_eq!(
                row.state == JobState::Running,
                row.lease_until.is_some(),
                "{row:?}"
            );
            assert_eq!(row.state.is_final(), row.finished_at.is_some(), "{row:?}");
            if !row.state.is_final() {
                assert_eq!(
                    row.unique_key, self.keys[&row.id],
                    "a live job keeps its key"
                );
            }
            if let Some(key) = &row.unique_key {
                assert!(!row.state.is_final(), "a key outlives its job: {row:?}");
                assert!(keys.insert(key.clone()), "a key twice: {row:?}");
            }
            if let Some(state) = self.ended.get(&row.id) {
                assert_eq!(row.state, *state, "what ended came back: {row:?}");
            }
            if row.state.is_final() {
                self.ended.insert(row.id, row.state);
            }
        }
        // Of all the attempts in anybody's hands, at most one per job can still write.
        let mut current = HashSet::new();
        for held in &self.held {
            let row = rows.iter().find(|row| row.id == held.job().id).unwrap();
            assert!(held.job().fence <= row.fence);
            if row.state == JobState::Running && row.fence == held.job().fence {
                assert!(current.insert(row.id), "two attempts hold one job");
            }
        }
    }

    /// Makes everything whole; then every job must come to an end.
    async fn finish(mut self) {
        self.held.clear();
        self.stack.queue.resume("toys").await.unwrap();
        let toys = toys();
        // The server times its leases by a clock of its own: a lane that is counted as full opens late.
        let ended = within(LONG, async || {
            self.stack.time.advance(DEFAULT_LEASE * 4);
            self.processes[0].rescue().await.unwrap();
            self.processes[0].rescue().await.unwrap();
            self.processes[0].audit().await.unwrap();
            self.stack.queue.release_held(None, None).await.unwrap();
            self.stack.drain(&toys).await;
            self.check().await;
            // Pointers whose lease the server times may linger; they stand for nothing.
            let rows = self.rows().await;
            rows.iter().all(|row| row.state.is_final()).then_some(())
        })
        .await;
        if ended.is_none() {
            panic!("jobs did not come to an end: {:#?}", self.rows().await);
        }
    }
}

fn hold_on(kind: Kind, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&moves(), |moves| {
            runtime.block_on(async {
                let mut world = World::new(kind).await;
                for next in &moves {
                    world.play(next).await;
                    world.check().await;
                }
                world.finish().await;
            });
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_model_holds_on_sqlite_and_memory() {
    hold_on(Kind::Embedded, 64);
}

#[test]
fn the_model_holds_on_postgres_and_redis() {
    hold_on(Kind::Servers, 16);
}
