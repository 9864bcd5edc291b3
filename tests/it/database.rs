//! The database handle when its callers vanish - a browser that hangs up, a worker that is dropped - and what the
//! disk has when it answers.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use clipqueue::db::{Db, Writer};
use sea_orm::{ConnectionTrait as _, DatabaseBackend, Statement};

use crate::support::{
    app::{Stack, TestApp},
    eventually,
    servers::PostgresServer,
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

/// Whether the server has written everything to the disk.
async fn is_written(db: &Db) -> bool {
    let sql = "SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()";
    let asked = Statement::from_string(DatabaseBackend::Postgres, sql);
    let row = db.read().query_one_raw(asked).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

#[tokio::test]
async fn a_row_that_others_see_early_is_on_the_disk_when_its_writer_is_answered() {
    // Nobody else writes to this log, nor to the disk before it has to.
    let server = PostgresServer::start(&["wal_writer_delay=10s", "autovacuum=off"]).await;
    let url = server.new_database().await;
    let db = Db::connect(&url, 2).await.unwrap();
    let made = "CREATE TABLE t (n bigint)";
    db.write().execute_unprepared(made).await.unwrap();
    let insert = format!(
        "WITH {} INSERT INTO t SELECT $1 FROM unsynced RETURNING n",
        db.unsynced()
    );
    eventually(PATIENCE, "a row is not written", async || {
        let write = db.write_unsynced(insert.clone(), vec![1_i64.into()]);
        write.await.unwrap();
        (!is_written(&db).await).then_some(())
    })
    .await;
    let mut writer = Writer::new(&db);
    let (mut seen, mut written, mut synced) = (0, 0, 0);
    // Three times, since the server itself may write a word now and then.
    for _ in 0..3 {
        let write = writer.early(insert.clone(), vec![2_i64.into()], |rows| {
            seen += rows.len()
        });
        assert_eq!(write.await.unwrap().len(), 1);
        written += i32::from(is_written(&db).await);
        let write = db.write_unsynced(insert.clone(), vec![3_i64.into()]);
        write.await.unwrap();
        writer.sync().await.unwrap();
        synced += i32::from(is_written(&db).await);
    }
    assert_eq!(seen, 3);
    assert!(written > 0 && synced > 0, "{written} and {synced} of 3");
}
