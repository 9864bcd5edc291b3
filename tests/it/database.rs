//! The database handle when its callers vanish: a browser that hangs up, a worker that is dropped.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use sea_orm::{ConnectionTrait as _, DatabaseBackend, Statement};

use crate::support::{
    app::{Stack, TestApp},
    eventually,
};

/// How long a rollback may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often BEGIN is dropped; the moment moves with the machine's mood.
const ROUNDS: u32 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_begin_that_is_dropped_leaves_no_transaction_behind() {
    let t = TestApp::start(Stack::Servers).await;
    for round in 0..ROUNDS {
        let mut begin = pin!(t.app.db.begin());
        for _ in 0..round % 8 {
            let polled = begin.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if matches!(polled, Poll::Ready(_)) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    let open = "SELECT count(*) AS open FROM pg_stat_activity \
                WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    eventually(PATIENCE, "no transaction is open", async || {
        let statement = Statement::from_string(DatabaseBackend::Postgres, open);
        let row = t.app.db.read().query_one_raw(statement).await.unwrap()?;
        let open: i64 = row.try_get("", "open").unwrap();
        (open == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_need_not_wait_for_the_disk_leaves_the_connection_as_it_was() {
    let t = TestApp::start(Stack::Servers).await;
    let db = &t.app.db;
    let answer = |row: sea_orm::QueryResult| row.try_get_by_index::<String>(0).unwrap();
    let setting = "current_setting('synchronous_commit')";
    let made = "CREATE TABLE unsynced_rows (n text)";
    db.write().execute_unprepared(made).await.unwrap();
    let insert = format!(
        "WITH {} INSERT INTO unsynced_rows SELECT $1 FROM unsynced RETURNING {setting}",
        db.unsynced()
    );
    let ask = Statement::from_string(DatabaseBackend::Postgres, format!("SELECT {setting}"));
    // More often than the pool has connections.
    for _ in 0..30 {
        let rows = db.write_unsynced(insert.clone(), vec!["x".into()]).await;
        assert_eq!(answer(rows.unwrap().remove(0)), "off");
        let row = db.write().query_one_raw(ask.clone()).await.unwrap();
        assert_eq!(answer(row.unwrap()), "on");
    }
}
