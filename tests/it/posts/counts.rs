//! Counting posts, of which there may be millions.

use clipqueue::domain::census;
use clipqueue_entities::post::{self, PostState};
use sea_orm::{ConnectionTrait as _, DatabaseBackend, Iden as _, Iterable as _, Statement};

use crate::support::app::TestApp;

crate::on_both_stacks!(a_count_stops_at_its_cap_however_many_posts_there_are);

async fn a_count_stops_at_its_cap_however_many_posts_there_are(mut t: TestApp) {
    let first = t.direct_post().await;
    t.run_until(first.id, PostState::Published).await;
    // As many again as are counted, all like the first.
    let (id, numbers) = match t.app.db.backend() {
        DatabaseBackend::Postgres => ("gen_random_uuid()", "SELECT generate_series(1, $1)"),
        _ => (
            "randomblob(16)",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT i FROM n",
        ),
    };
    let columns: Vec<String> = post::Column::iter().map(|it| it.to_string()).collect();
    let values: Vec<&str> = columns
        .iter()
        .map(|column| if column == "id" { id } else { column })
        .collect();
    let sql = format!(
        "INSERT INTO posts ({}) SELECT {} FROM posts, ({numbers}) AS numbers",
        columns.join(", "),
        values.join(", ")
    );
    let more = i64::try_from(census::COUNT_CAP).unwrap();
    let copy = Statement::from_sql_and_values(t.app.db.backend(), sql, [more.into()]);
    t.app.db.write().execute_raw(copy).await.unwrap();
    let census = census::take(&t.app).await.unwrap();
    let of = |state| census.posts.iter().find(|(of, _)| *of == state).unwrap().1;
    assert_eq!(of(PostState::Published), more);
    assert_eq!(of(PostState::Scheduled), 0);
}
