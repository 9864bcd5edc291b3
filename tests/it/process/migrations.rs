//! `clipqueue migrate`.

use clipqueue::db::Db;
use sea_orm::{ConnectionTrait as _, Statement};

use super::Installation;
use crate::support::servers;

/// How often each migration was noted as applied.
async fn applied(url: &str) -> i64 {
    let db = Db::connect(url, 2).await.unwrap();
    let sql = "SELECT count(*) AS n FROM seaql_migrations";
    let statement = Statement::from_string(db.backend(), sql);
    let row = db.read().query_one_raw(statement).await.unwrap().unwrap();
    let n = row.try_get("", "n").unwrap();
    db.close().await.unwrap();
    n
}

async fn up_and_down(home: &Installation, url: &str) {
    let all = i64::try_from(clipqueue_migration_count()).unwrap();
    home.run(&["migrate", "status"])
        .await
        .refused(&["pending", "clipqueue migrate up"]);
    // Processes that start at the same time: one applies, the others wait and find nothing to do.
    let (a, b, c) = tokio::join!(
        home.run(&["migrate", "up"]),
        home.run(&["migrate", "up"]),
        home.run(&["migrate", "up"]),
    );
    for run in [a, b, c] {
        run.good();
    }
    assert_eq!(applied(url).await, all);
    home.run(&["migrate", "status"]).await.good();

    home.run(&["migrate", "down"]).await.good();
    assert_eq!(applied(url).await, all - 1);
    home.run(&["migrate", "down", "--steps", "100"])
        .await
        .good();
    assert_eq!(applied(url).await, 0);
    home.run(&["migrate", "up"]).await.good();
    assert_eq!(applied(url).await, all);
}

fn clipqueue_migration_count() -> usize {
    use clipqueue_migration::MigratorTrait as _;
    clipqueue_migration::Migrator::migrations().len()
}

#[tokio::test]
async fn the_schema_goes_up_and_down_once_on_sqlite() {
    let home = Installation::new();
    let url = format!("sqlite:{}", home.path("data/clipqueue.sqlite").display());
    up_and_down(&home, &url).await;
}

#[tokio::test]
async fn the_schema_goes_up_and_down_once_on_postgresql() {
    let url = servers::postgres().await.new_database().await;
    let home = Installation::new().with("database.url", &url);
    up_and_down(&home, &url).await;
}
