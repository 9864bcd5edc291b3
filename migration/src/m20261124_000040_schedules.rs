//! Local times, rules for lateness, and the requests that made several posts at once.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [&str; 5] = [
    "local_time",
    "late_policy",
    "late_within_s",
    "batch_id",
    "batch_row",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for column in [
            json_binary_null("local_time"),
            string_len_null("late_policy", 8),
            big_integer_null("late_within_s"),
            uuid_null("batch_id"),
            integer_null("batch_row"),
        ] {
            schema
                .alter_table(Table::alter().table("posts").add_column(column).to_owned())
                .await?;
        }
        // A row of a request makes one post at most. Posts made alone are not in it.
        schema
            .get_connection()
            .execute_unprepared(
                "CREATE UNIQUE INDEX ux_posts_batch ON posts (batch_id, batch_row) \
                 WHERE batch_id IS NOT NULL",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .drop_index(
                Index::drop()
                    .name("ux_posts_batch")
                    .table("posts")
                    .to_owned(),
            )
            .await?;
        for column in COLUMNS {
            schema
                .alter_table(Table::alter().table("posts").drop_column(column).to_owned())
                .await?;
        }
        Ok(())
    }
}
