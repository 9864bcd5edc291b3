//! Both transports against a model that says where each pointer is.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use clipqueue::{
    clock::Clock,
    queue::transport::{
        Channel, Delivery, Pointer, Transport, memory::MemoryTransport, redis::RedisTransport,
    },
};
use clipqueue_entities::JobId;
use proptest::{
    collection::vec,
    prelude::{Strategy, prop_oneof},
    test_runner::{Config, TestRunner},
};
use uuid::Uuid;

use super::fixture::LONG;
use crate::support::servers;

const JOBS: u8 = 12;
const LEASE: Duration = Duration::from_secs(600);

#[derive(Clone, Debug)]
enum Move {
    Deliver { job: u8, nonce: i64, rank: i64 },
    Take { limit: usize },
    Admit { job: u8, nonce: i64 },
    Finish { which: usize },
    GiveBack { which: usize },
    Pause { paused: bool },
}

fn moves() -> impl Strategy<Value = (u32, Vec<Move>)> {
    let one = prop_oneof![
        5 => (0..JOBS, 1..6i64, 0..50i64)
            .prop_map(|(job, nonce, rank)| Move::Deliver { job, nonce, rank }),
        5 => (1..6usize).prop_map(|limit| Move::Take { limit }),
        3 => (0..JOBS, 1..6i64).prop_map(|(job, nonce)| Move::Admit { job, nonce }),
        3 => (0..100usize).prop_map(|which| Move::Finish { which }),
        2 => (0..100usize).prop_map(|which| Move::GiveBack { which }),
        1 => proptest::bool::ANY.prop_map(|paused| Move::Pause { paused }),
    ];
    (0..3u32, vec(one, 1..120))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Waiting,
    Flying,
}

struct World {
    transport: Arc<dyn Transport>,
    queue: String,
    lane_limit: u32,
    model: HashMap<JobId, (i64, String, Place)>,
    /// Everything that was ever taken, stale ones included.
    taken: Vec<Delivery>,
    paused: bool,
}

/// The job's number decides its lane, since a job never changes lanes.
fn job(number: u8) -> (JobId, String) {
    let id = JobId(Uuid::from_u128(u128::from(number) + 1));
    (id, format!("lane-{}", number % 4))
}

impl World {
    fn channel(&self) -> Channel<'_> {
        Channel {
            queue: &self.queue,
            lane_limit: self.lane_limit,
        }
    }

    fn flying(&self) -> BTreeMap<&str, u32> {
        let mut lanes = BTreeMap::new();
        for (_, lane, place) in self.model.values() {
            if *place == Place::Flying {
                *lanes.entry(lane.as_str()).or_default() += 1;
            }
        }
        lanes
    }

    async fn play(&mut self, next: &Move) {
        match *next {
            Move::Deliver {
                job: number,
                nonce,
                rank,
            } => {
                let (id, lane) = job(number);
                let pointer = Pointer {
                    job: id,
                    nonce,
                    lane: lane.clone(),
                    rank,
                };
                let added = self.transport.deliver(self.channel(), &[pointer]).await;
                let newer = self.model.get(&id).is_none_or(|(known, ..)| *known < nonce);
                assert_eq!(added.unwrap(), u64::from(newer));
                if newer {
                    self.model.insert(id, (nonce, lane, Place::Waiting));
                }
            }
            Move::Take { limit } => {
                let taken = self.transport.take(self.channel(), limit, LEASE).await;
                let taken = taken.unwrap().deliveries;
                assert!(taken.len() <= limit);
                assert!(!self.paused || taken.is_empty());
                for delivery in &taken {
                    let (nonce, lane, place) = self.model.get_mut(&delivery.job).unwrap();
                    assert_eq!(*place, Place::Waiting, "taken twice");
                    assert_eq!((&*nonce, &*lane), (&delivery.nonce, &delivery.lane));
                    *place = Place::Flying;
                }
                if taken.len() < limit && !self.paused {
                    // It stopped because nothing more may be taken.
                    let flying = self.flying();
                    for (_, lane, place) in self.model.values() {
                        let busy = flying.get(lane.as_str()).copied().unwrap_or(0);
                        let open = self.lane_limit == 0 || busy < self.lane_limit;
                        assert!(*place == Place::Flying || !open, "{lane} was passed over");
                    }
                }
                self.taken.extend(taken);
            }
            Move::Admit { job, nonce } => self.admit(job, nonce).await,
            Move::Finish { which } => {
                if let Some(delivery) = self.pick(which) {
                    let one = std::slice::from_ref(&delivery);
                    self.transport.finish(self.channel(), one).await.unwrap();
                    if self.is_current(&delivery) {
                        self.model.remove(&delivery.job);
                    }
                }
            }
            Move::GiveBack { which } => {
                if let Some(delivery) = self.pick(which) {
                    let one = std::slice::from_ref(&delivery);
                    self.transport.give_back(self.channel(), one).await.unwrap();
                    if self.is_current(&delivery) {
                        self.model.get_mut(&delivery.job).unwrap().2 = Place::Waiting;
                    }
                }
            }
            Move::Pause { paused } => {
                self.transport
                    .set_paused(&self.queue, paused)
                    .await
                    .unwrap();
                self.paused = paused;
            }
        }
    }

    fn may_be_served(&self, lane: &str) -> bool {
        let busy = self.flying().get(lane).copied().unwrap_or(0);
        self.lane_limit == 0 || busy < self.lane_limit
    }

    async fn admit(&mut self, number: u8, nonce: i64) {
        let (id, lane) = job(number);
        let pointer = Pointer {
            job: id,
            nonce,
            lane: lane.clone(),
            rank: 0,
        };
        let mut waiting = self.model.values().filter(|(.., p)| *p == Place::Waiting);
        let free = !self.paused && !waiting.any(|(_, lane, _)| self.may_be_served(lane));
        let expected = free && !self.model.contains_key(&id) && self.may_be_served(&lane);
        let one = std::slice::from_ref(&pointer);
        let mut admitted = self
            .transport
            .admit(self.channel(), one, LEASE)
            .await
            .unwrap();
        if expected && admitted.is_empty() {
            // A lane whose pointers have gone may keep its turn until the next look.
            let taken = self.transport.take(self.channel(), 1, LEASE).await.unwrap();
            assert_eq!(taken.deliveries, []);
            admitted = self
                .transport
                .admit(self.channel(), one, LEASE)
                .await
                .unwrap();
        }
        assert_eq!(admitted.len(), usize::from(expected));
        if expected {
            assert_eq!(admitted, [Delivery::from(&pointer)]);
            self.model.insert(id, (nonce, lane, Place::Flying));
            self.taken.extend(admitted);
        }
    }

    fn pick(&self, which: usize) -> Option<Delivery> {
        let place = which.checked_rem(self.taken.len())?;
        Some(self.taken[place].clone())
    }

    fn is_current(&self, delivery: &Delivery) -> bool {
        self.model
            .get(&delivery.job)
            .is_some_and(|(nonce, ..)| *nonce == delivery.nonce)
    }

    async fn check(&self) {
        let lanes: Vec<String> = (0..4).map(|n| format!("lane-{n}")).collect();
        let depth = self.transport.depth(&self.queue, &lanes).await.unwrap();
        let count = |place| self.model.values().filter(|(.., p)| *p == place).count() as u64;
        assert_eq!(depth.waiting, count(Place::Waiting));
        assert_eq!(depth.in_flight, count(Place::Flying));
        assert_eq!(depth.lanes.iter().sum::<u64>(), depth.waiting);
        let jobs: Vec<JobId> = (0..JOBS).map(|number| job(number).0).collect();
        let missing = self.transport.missing(&self.queue, &jobs).await.unwrap();
        for id in jobs {
            assert_eq!(missing.contains(&id), !self.model.contains_key(&id));
        }
        if self.lane_limit > 0 {
            assert!(self.flying().values().all(|busy| *busy <= self.lane_limit));
        }
    }
}

fn hold(runtime: &tokio::runtime::Runtime, transport: &Arc<dyn Transport>, cases: u32) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&moves(), |(lane_limit, moves)| {
            runtime.block_on(async {
                let mut world = World {
                    transport: Arc::clone(transport),
                    queue: format!("q{}", Uuid::new_v4().simple()),
                    lane_limit,
                    model: HashMap::new(),
                    taken: Vec::new(),
                    paused: false,
                };
                for next in &moves {
                    world.play(next).await;
                    world.check().await;
                }
            });
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_model_holds_in_memory() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let transport: Arc<dyn Transport> = Arc::new(MemoryTransport::new(Clock::System));
    hold(&runtime, &transport, 256);
}

#[test]
fn the_model_holds_in_redis() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let transport = runtime.block_on(async {
        let server = servers::redis().await;
        RedisTransport::open(&server.url(), &servers::redis_prefix(), LONG).unwrap()
    });
    let transport: Arc<dyn Transport> = Arc::new(transport);
    hold(&runtime, &transport, 64);
}
