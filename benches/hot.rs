//! `cargo bench`: the parts that run once per job, per byte range or per request.
//!
//! What they cost together, with rows and servers, is for `clipqueue bench` to say.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{hint::black_box, sync::Arc, time::Duration};

use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};
use axum::{Router, body::Body};
use clipqueue::{
    clock::Clock,
    domain::post_state::{self, Delivery, PostEvent},
    http::graphql::{
        AuthFailure, Authenticate, Credentials, Endpoint, Engine, Session, Settings, router,
    },
    queue::transport::{Channel, MAX_BATCH, Pointer, Transport, memory::MemoryTransport},
};
use clipqueue_entities::{JobId, Timestamp, post::PostState};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::BoxFuture;
use http::Request;
use sea_orm::Iterable as _;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const CHANNEL: Channel<'static> = Channel {
    queue: "bench",
    lane_limit: 4,
};
const LEASE: Duration = Duration::from_secs(15);

fn pointers(lanes: usize) -> Vec<Pointer> {
    (0..MAX_BATCH)
        .map(|number| Pointer {
            job: JobId::new(),
            nonce: 1,
            lane: format!("lane-{}", number % lanes),
            rank: Pointer::rank(0, Timestamp::from_millis(1_800_000_000_000 + number as i64)),
        })
        .collect()
}

/// A batch through the memory transport: delivered, taken as far as lanes allow, finished.
fn memory_transport(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut group = c.benchmark_group("memory transport");
    group.throughput(Throughput::Elements(MAX_BATCH as u64));
    for lanes in [1, 50, 500] {
        let transport = MemoryTransport::new(Clock::System);
        let batch = pointers(lanes);
        group.bench_function(format!("deliver, take, finish: {lanes} lanes"), |b| {
            b.iter(|| {
                runtime.block_on(async {
                    transport.deliver(CHANNEL, &batch).await.unwrap();
                    loop {
                        let taken = transport.take(CHANNEL, MAX_BATCH, LEASE).await.unwrap();
                        if taken.deliveries.is_empty() {
                            break;
                        }
                        transport.finish(CHANNEL, &taken.deliveries).await.unwrap();
                    }
                });
            });
        });
    }
    group.finish();
}

/// A batch of pointers as the bytes that go to Redis.
fn pointer_encode(c: &mut Criterion) {
    let batch = pointers(50);
    let mut group = c.benchmark_group("pointers");
    group.throughput(Throughput::Elements(MAX_BATCH as u64));
    group.bench_function("encode", |b| {
        b.iter(|| {
            let mut command = redis::cmd("EVALSHA");
            for pointer in black_box(&batch) {
                command
                    .arg(pointer.job.0.as_bytes().as_slice())
                    .arg(pointer.nonce)
                    .arg(pointer.rank)
                    .arg(&pointer.lane);
            }
            command.get_packed_command()
        });
    });
    group.finish();
}

fn chunk_plan(c: &mut Criterion) {
    const SIZE: u64 = 3_900_000_123;
    c.bench_function("chunk plan of 4 GB", |b| {
        b.iter(|| {
            let plan = tiktok::chunks::plan(black_box(SIZE)).unwrap();
            plan.ranges()
                .map(black_box)
                .fold(0, |bytes, chunk| bytes + chunk.len())
        });
    });
}

fn state_machine(c: &mut Criterion) {
    const EVENTS: [PostEvent; 6] = [
        PostEvent::Started,
        PostEvent::InitStarted,
        PostEvent::InitAccepted,
        PostEvent::AnswerLost,
        PostEvent::TiktokPublished,
        PostEvent::Cancelled,
    ];
    let states: Vec<PostState> = PostState::iter().collect();
    c.bench_function("states of a post: every state, six events", |b| {
        b.iter(|| {
            states
                .iter()
                .flat_map(|state| {
                    EVENTS.map(|event| post_state::next(Delivery::Push, *state, event))
                })
                .filter(Result::is_ok)
                .count()
        });
    });
}

struct Query;

#[Object]
impl Query {
    async fn node(&self, id: i32) -> Node {
        Node(id)
    }
}

struct Node(i32);

#[Object]
impl Node {
    async fn id(&self) -> i32 {
        self.0
    }

    async fn next(&self) -> Self {
        Self(self.0 + 1)
    }
}

struct Anyone;

impl Authenticate for Anyone {
    fn authenticate<'a>(
        &'a self,
        _: Credentials<'a>,
    ) -> BoxFuture<'a, Result<Session, AuthFailure>> {
        Box::pin(async { Ok(Session::anonymous()) })
    }
}

fn endpoint() -> Router {
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription);
    router(Endpoint {
        engine: Engine::new(schema),
        auth: Arc::new(Anyone),
        settings: Settings {
            anonymous: true,
            ..Settings::default()
        },
        clock: Clock::System,
        shutdown: CancellationToken::new(),
    })
}

/// A request from its bytes to the answer's head: negotiated, parsed, held to the limits, executed by
/// resolvers that do nothing.
fn graphql(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let app = endpoint();
    let fields: String = (0..10)
        .map(|n| format!("a{n}: node(id: {n}) {{ ...N next {{ ...N next {{ id }} }} }} "))
        .collect();
    let query = format!("query Q {{ {fields} }} fragment N on Node {{ id again: id }}");
    let body = serde_json::json!({ "query": query }).to_string();
    c.bench_function("graphql: parse, guard and execute", |b| {
        b.iter_batched(
            || {
                Request::post("/graphql")
                    .header("content-type", "application/json")
                    .body(Body::from(body.clone()))
                    .unwrap()
            },
            |request| {
                let answer = runtime.block_on(app.clone().oneshot(request)).unwrap();
                assert!(answer.status().is_success(), "{answer:?}");
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(
    hot,
    memory_transport,
    pointer_encode,
    chunk_plan,
    state_machine,
    graphql
);
criterion_main!(hot);
