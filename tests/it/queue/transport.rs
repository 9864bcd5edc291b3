//! What every transport promises.

use std::{sync::Arc, time::Duration};

use clipqueue::{
    clock::Clock,
    queue::transport::{
        Channel, Delivery, MAX_BATCH, Pointer, Signal, Transport, Unknown, memory::MemoryTransport,
        redis::RedisTransport,
    },
};
use clipqueue_entities::JobId;

use super::fixture::LONG;
use crate::support::{eventually, servers};

pub(super) const FREE: Channel<'static> = Channel {
    queue: "q",
    lane_limit: 0,
};
pub(super) const ONE_EACH: Channel<'static> = Channel {
    queue: "q",
    lane_limit: 1,
};
pub(super) const LEASE: Duration = Duration::from_secs(60);

pub async fn each<F: Future<Output = ()>>(test: impl Fn(Arc<dyn Transport>) -> F) {
    test(Arc::new(MemoryTransport::new(Clock::System))).await;
    let server = servers::redis().await;
    let transport = RedisTransport::open(&server.url(), &servers::redis_prefix(), LONG).unwrap();
    test(Arc::new(transport)).await;
}

pub(super) fn pointer(lane: &str, rank: i64) -> Pointer {
    Pointer {
        job: JobId::new(),
        nonce: 1,
        lane: lane.into(),
        rank,
    }
}

pub(super) async fn take(
    transport: &Arc<dyn Transport>,
    channel: Channel<'_>,
    limit: usize,
) -> Vec<Delivery> {
    transport
        .take(channel, limit, LEASE)
        .await
        .unwrap()
        .deliveries
}

#[tokio::test]
async fn pointers_come_in_rank_order_and_only_once() {
    each(async |transport| {
        let pointers = [pointer("", 5), pointer("", -3), pointer("", 4)];
        assert_eq!(transport.deliver(FREE, &pointers).await.unwrap(), 3);
        let taken = transport.take(FREE, 2, LEASE).await.unwrap();
        let jobs: Vec<JobId> = taken.deliveries.iter().map(|d| d.job).collect();
        assert_eq!(jobs, [pointers[1].job, pointers[2].job]);
        assert_eq!(taken.waiting, 1);
        assert_eq!(take(&transport, FREE, 10).await.len(), 1);
        assert!(take(&transport, FREE, 10).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_job_has_one_pointer_and_the_newest_nonce_wins() {
    each(async |transport| {
        let old = pointer("a", 0);
        let new = Pointer {
            nonce: 2,
            ..old.clone()
        };
        assert_eq!(
            transport
                .deliver(FREE, std::slice::from_ref(&old))
                .await
                .unwrap(),
            1
        );
        assert_eq!(
            transport
                .deliver(FREE, std::slice::from_ref(&old))
                .await
                .unwrap(),
            0
        );
        assert_eq!(
            transport
                .deliver(FREE, std::slice::from_ref(&new))
                .await
                .unwrap(),
            1
        );
        assert_eq!(
            transport
                .deliver(FREE, std::slice::from_ref(&old))
                .await
                .unwrap(),
            0
        );
        let first = take(&transport, FREE, 10).await;
        assert_eq!((first.len(), first[0].nonce), (1, 2));

        // A newer nonce replaces a pointer in flight, and the old holder cannot finish it.
        let newest = Pointer { nonce: 3, ..new };
        assert_eq!(transport.deliver(FREE, &[newest]).await.unwrap(), 1);
        transport.finish(FREE, &first).await.unwrap();
        transport.give_back(FREE, &first).await.unwrap();
        let depth = transport.depth("q", &["a".into()]).await.unwrap();
        assert_eq!((depth.waiting, depth.in_flight), (1, 0));
        assert_eq!(depth.lanes, [1]);
        let second = take(&transport, FREE, 10).await;
        assert_eq!((second.len(), second[0].nonce), (1, 3));
    })
    .await;
}

#[tokio::test]
async fn a_finished_pointer_leaves_nothing() {
    each(async |transport| {
        let pointers: Vec<Pointer> = (0..10).map(|n| pointer(&format!("l{n}"), 0)).collect();
        transport.deliver(ONE_EACH, &pointers).await.unwrap();
        let taken = take(&transport, ONE_EACH, 100).await;
        assert_eq!(taken.len(), 10);
        transport.finish(ONE_EACH, &taken).await.unwrap();
        transport.finish(ONE_EACH, &taken).await.unwrap();
        let depth = transport.depth("q", &["l1".into()]).await.unwrap();
        assert_eq!(
            (depth.waiting, depth.in_flight, depth.open_lanes),
            (0, 0, 0)
        );
        let jobs: Vec<JobId> = pointers.iter().map(|p| p.job).collect();
        assert_eq!(transport.missing("q", &jobs).await.unwrap(), jobs);
    })
    .await;
}

#[tokio::test]
async fn finished_jobs_cost_redis_nothing_and_pending_ones_little() {
    let server = servers::RedisServer::start().await;
    let transport = RedisTransport::open(&server.url(), "cq", LONG).unwrap();
    let used = async || {
        let info = server.command(&["INFO", "memory"]).await.unwrap();
        let info: String = redis::from_redis_value(info).unwrap();
        let line = info.lines().find(|line| line.starts_with("used_memory:"));
        line.unwrap()["used_memory:".len()..]
            .parse::<i64>()
            .unwrap()
    };
    // Loads the scripts and makes the fixed keys.
    let warm = pointer("", 0);
    transport.deliver(FREE, &[warm]).await.unwrap();
    let taken = transport.take(FREE, 10, LEASE).await.unwrap().deliveries;
    transport.finish(FREE, &taken).await.unwrap();
    let before = used().await;
    const JOBS: i64 = 20_000;
    for batch in 0..JOBS / 500 {
        let pointers: Vec<Pointer> = (0..500)
            .map(|n| pointer("", 1_800_000_000_000 + batch * 500 + n))
            .collect();
        transport.deliver(FREE, &pointers).await.unwrap();
    }
    let pending = (used().await - before) / JOBS;
    assert!(pending <= 250, "{pending} bytes per pending job");
    loop {
        let taken = transport.take(FREE, 500, LEASE).await.unwrap().deliveries;
        if taken.is_empty() {
            break;
        }
        transport.finish(FREE, &taken).await.unwrap();
    }
    let keys = server.command(&["DBSIZE"]).await.unwrap();
    assert_eq!(keys, redis::Value::Int(1), "only the turn stays");
}

#[tokio::test]
async fn what_is_given_back_comes_first() {
    each(async |transport| {
        let pointers: Vec<Pointer> = (0..3).map(|n| pointer("", n)).collect();
        transport.deliver(ONE_EACH, &pointers).await.unwrap();
        let first = take(&transport, ONE_EACH, 1).await;
        transport.give_back(ONE_EACH, &first).await.unwrap();
        transport.give_back(ONE_EACH, &first).await.unwrap();
        assert_eq!(take(&transport, ONE_EACH, 1).await, first);
        assert_eq!(transport.depth("q", &[]).await.unwrap().waiting, 2);
    })
    .await;
}

#[tokio::test]
async fn a_paused_queue_hands_nothing_out() {
    each(async |transport| {
        transport.deliver(FREE, &[pointer("", 0)]).await.unwrap();
        transport.set_paused("q", true).await.unwrap();
        assert!(take(&transport, FREE, 10).await.is_empty());
        let other = Channel {
            queue: "other",
            lane_limit: 0,
        };
        transport.deliver(other, &[pointer("", 0)]).await.unwrap();
        assert_eq!(take(&transport, other, 10).await.len(), 1);
        transport.set_paused("q", false).await.unwrap();
        assert_eq!(take(&transport, FREE, 10).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn batches_beyond_the_bound_are_cut_by_the_transport() {
    each(async |transport| {
        let pointers: Vec<Pointer> = (0..2500).map(|n| pointer("", n)).collect();
        assert_eq!(transport.deliver(FREE, &pointers).await.unwrap(), 2500);
        let mut all = Vec::new();
        loop {
            let batch = take(&transport, FREE, 100_000).await;
            if batch.is_empty() {
                break;
            }
            assert!(batch.len() <= MAX_BATCH);
            all.extend(batch);
        }
        assert_eq!(all.len(), 2500);
        transport
            .extend(FREE, &all, LEASE, Unknown::Stay)
            .await
            .unwrap();
        let jobs: Vec<JobId> = all.iter().map(|d| d.job).collect();
        assert!(transport.missing("q", &jobs).await.unwrap().is_empty());
        transport.give_back(FREE, &all[..1200]).await.unwrap();
        transport.finish(FREE, &all[1200..]).await.unwrap();
        let depth = transport.depth("q", &[]).await.unwrap();
        assert_eq!((depth.waiting, depth.in_flight), (1200, 0));
    })
    .await;
}

#[tokio::test]
async fn an_epoch_lasts_as_long_as_the_pointers() {
    each(async |transport| {
        let epoch = transport.epoch("q").await.unwrap();
        assert!(!epoch.is_empty());
        assert_eq!(transport.epoch("q").await.unwrap(), epoch);
        assert_ne!(transport.epoch("other").await.unwrap(), epoch);
    })
    .await;
}

#[tokio::test]
async fn messages_and_work_reach_listeners() {
    each(async |transport| {
        let mut signals = transport.signals();
        let message = Signal::Message {
            topic: "posts".into(),
            payload: "line one\nline two".into(),
        };
        // The listener connects in its own time; a message sent before that is lost by design.
        let heard = eventually(Duration::from_secs(5), "a message arrives", async || {
            transport
                .publish("posts", "line one\nline two")
                .await
                .unwrap();
            let next = tokio::time::timeout(Duration::from_millis(100), async {
                loop {
                    let signal = signals.recv().await.unwrap();
                    if signal != Signal::Reconnected {
                        return signal;
                    }
                }
            });
            next.await.ok()
        })
        .await;
        assert_eq!(heard, message);
        transport.deliver(FREE, &[pointer("", 0)]).await.unwrap();
        let work = async {
            loop {
                if signals.recv().await.unwrap() == Signal::Work("q".into()) {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(5), work)
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn redis_is_inspected_and_an_evicting_one_refused() {
    let server = servers::RedisServer::start().await;
    let transport = RedisTransport::open(&server.url(), "cq", LONG).unwrap();
    let now = Clock::System.now();
    let report = transport.inspect(now).await.unwrap().unwrap();
    assert_eq!(report.refusal(), None, "{report:?}");
    assert!(report.skew_millis.abs() < 5_000, "{report:?}");
    server
        .command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
        .await
        .unwrap();
    let report = transport.inspect(now).await.unwrap().unwrap();
    assert!(report.refusal().unwrap().contains("allkeys-lru"));
    let memory = MemoryTransport::new(Clock::System);
    assert_eq!(memory.inspect(now).await.unwrap(), None);
}
