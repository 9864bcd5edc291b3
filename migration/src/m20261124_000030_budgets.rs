//! Budgets: what TikTok taught us about its caps, why a post waits, and whose attempts count.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEXES: &[&str] = &[
    // The line of a creator: only posts that wait are in it.
    "CREATE INDEX ix_posts_line ON posts (account_id, wait_due, id) WHERE wait_reason IS NOT NULL",
    // What a creator sent within a day.
    "CREATE INDEX ix_post_attempts_account ON post_attempts (account_id, created_at)",
    // Who sent anything within a day.
    "CREATE INDEX ix_post_attempts_created ON post_attempts (created_at)",
];

const BACKFILL: &str = "UPDATE post_attempts SET account_id = \
    (SELECT posts.account_id FROM posts WHERE posts.id = post_attempts.post_id)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("budget_marks")
                    .col(string_len("subject", 64))
                    .col(string_len("budget", 32))
                    .col(big_integer("spent_until"))
                    .col(string("code"))
                    .col(string_null("log_id"))
                    .col(big_integer("learned_at"))
                    .primary_key(Index::create().col("subject").col("budget"))
                    .to_owned(),
            )
            .await?;
        for (table, column) in [
            ("posts", string_null("wait_reason")),
            ("posts", big_integer_null("wait_until")),
            ("posts", big_integer_null("wait_due")),
            ("post_attempts", uuid_null("account_id")),
            ("account_tokens", big_integer_null("wanted_until")),
        ] {
            let mut alter = Table::alter().table(table).to_owned();
            schema
                .alter_table(alter.add_column(column).to_owned())
                .await?;
        }
        let connection = schema.get_connection();
        connection.execute_unprepared(BACKFILL).await?;
        for index in INDEXES {
            connection.execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let connection = schema.get_connection();
        for index in [
            "ix_post_attempts_created",
            "ix_post_attempts_account",
            "ix_posts_line",
        ] {
            connection
                .execute_unprepared(&format!("DROP INDEX {index}"))
                .await?;
        }
        for (table, column) in [
            ("account_tokens", "wanted_until"),
            ("post_attempts", "account_id"),
            ("posts", "wait_due"),
            ("posts", "wait_until"),
            ("posts", "wait_reason"),
        ] {
            let mut alter = Table::alter().table(table).to_owned();
            schema
                .alter_table(alter.drop_column(column).to_owned())
                .await?;
        }
        schema
            .drop_table(Table::drop().table("budget_marks").to_owned())
            .await
    }
}
