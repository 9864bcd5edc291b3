//! Posts far ahead cost Redis nothing, and the relay no more than a look, however many there are.

use std::time::{Duration, Instant};

use clipqueue_entities::post::PostState;
use sea_orm::{ConnectionTrait as _, DatabaseBackend, Statement};

use crate::support::{
    app::{Stack, TestApp},
    eventually,
    flows::{DAY, HOUR},
    servers::RedisServer,
};

/// Jobs that wait.
const ROWS: u64 = 200_000;
const PIECE: usize = 20_000;
/// Passes of the relay over every queue.
const PASSES: u64 = 50;
/// Rows that one pass may read: of each queue the next that is due, with room for vacuumed versions.
const READ_A_PASS: i64 = 40;
const PATIENCE: Duration = Duration::from_secs(60);

/// What Redis holds: its keys, and the bytes of all of them.
async fn held(redis: &RedisServer) -> (Vec<String>, i64) {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut keys: Vec<String> = redis::cmd("KEYS")
        .arg("*")
        .query_async(&mut connection)
        .await
        .unwrap();
    keys.sort();
    let size: i64 = redis::cmd("DBSIZE")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(usize::try_from(size), Ok(keys.len()));
    let mut bytes = 0;
    for key in &keys {
        let used: Option<i64> = redis::cmd("MEMORY")
            .arg("USAGE")
            .arg(key)
            .query_async(&mut connection)
            .await
            .unwrap();
        bytes += used.unwrap_or_default();
    }
    (keys, bytes)
}

/// How often the table of jobs was looked at, and how many of its rows were read.
async fn read(t: &TestApp) -> (i64, i64) {
    let sql = "SELECT (seq_scan + idx_scan)::bigint AS scans, \
               (seq_tup_read + idx_tup_fetch)::bigint AS rows \
               FROM pg_stat_user_tables WHERE relname = 'jobs'";
    let statement = Statement::from_string(DatabaseBackend::Postgres, sql);
    let row = t
        .app
        .db
        .write()
        .query_one_raw(statement)
        .await
        .unwrap()
        .unwrap();
    (
        row.try_get("", "scans").unwrap(),
        row.try_get("", "rows").unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_far_ahead_cost_redis_nothing_and_the_relay_a_look() {
    // A server of our own: what it holds is counted.
    let redis = RedisServer::start().await;
    let mut t = TestApp::start_with(Stack::Servers, &[("transport.url", &redis.url())]).await;
    let (account, media) = t.ready().await;
    let near = t
        .post(clipqueue::domain::posts::NewPost {
            publish_at: Some(t.clock.now() + HOUR),
            ..TestApp::direct(account, media)
        })
        .await;
    t.drain().await;
    let before = held(&redis).await;

    let far = (t.clock.now() + DAY * 30).as_millis();
    let now = t.clock.now().as_millis();
    let began = Instant::now();
    // A thousand creators, a post each second.
    // In pieces, each of which ends before the database gives it up.
    for first in (1..=ROWS).step_by(PIECE) {
        let last = first + PIECE as u64 - 1;
        t.app
        .db
        .write()
        .execute_unprepared(&format!(
            "INSERT INTO jobs (id, queue, kind, args, lane, priority, state, run_at, attempt, \
             max_attempts, crashes, snoozes, fence, unique_key, cancel_requested, created_at, updated_at) \
             SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, 'uploads', 'upload_post', \
             jsonb_build_object('post_id', i, 'account_id', i % 1000), 'creator-' || i % 1000, 0, 'scheduled', \
             {far} + i * 1000, 0, 10, 0, 0, 0, 'far-ahead:' || i, false, {now}, {now} \
             FROM generate_series({first}, {last}) AS i"
        ))
        .await
        .unwrap();
    }
    t.app
        .db
        .write()
        .execute_unprepared("ANALYZE jobs")
        .await
        .unwrap();
    println!("{ROWS} rows in {:?}", began.elapsed());

    t.drain().await;
    assert_eq!(held(&redis).await, before, "what waits is in Redis");

    let (scans, rows_read) = read(&t).await;
    let mut steps = t.steps();
    for _ in 0..PASSES {
        steps.relay().await.unwrap();
    }
    // PostgreSQL tells its counts with a delay, at the end of some later statement.
    let (mut passes, mut seen) = (PASSES, 0);
    eventually(PATIENCE, "PostgreSQL counts the passes", async || {
        steps.relay().await.unwrap();
        passes += 1;
        let (now_scans, now_rows) = read(&t).await;
        seen = now_rows - rows_read;
        (now_scans - scans >= i64::try_from(PASSES).unwrap()).then_some(())
    })
    .await;
    let allowed = READ_A_PASS * i64::try_from(passes).unwrap();
    println!("{seen} rows read in {passes} passes");
    assert!(
        seen <= allowed,
        "{seen} rows read in {passes} passes over {ROWS} waiting rows"
    );

    // The one that is near goes at its time, past all the others.
    t.advance(HOUR);
    t.run_until(near.id, PostState::Published).await;
    let (_, bytes) = held(&redis).await;
    assert!(
        bytes < before.1 + 2_000,
        "{bytes} bytes, {} before",
        before.1
    );
}
