//! Sessions of the operators' console, and the index of posts that somebody should look at.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Few posts are in these states, so the index costs the others nothing.
const ATTENTION: &str = "CREATE INDEX ix_posts_attention ON posts (state, id) \
     WHERE state IN ('held', 'unconfirmed', 'failed')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("console_sessions")
                    .col(uuid("id").primary_key())
                    .col(uuid("key_id"))
                    .col(blob("hash"))
                    .col(big_integer("created_at"))
                    .col(big_integer("seen_at"))
                    .col(big_integer("expires_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("console_sessions", "key_id")
                            .to("api_keys", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        for (name, column) in [
            ("ix_console_sessions_key", "key_id"),
            ("ix_console_sessions_expiry", "expires_at"),
        ] {
            schema
                .create_index(
                    Index::create()
                        .name(name)
                        .table("console_sessions")
                        .col(column)
                        .to_owned(),
                )
                .await?;
        }
        schema
            .get_connection()
            .execute_unprepared(ATTENTION)
            .await
            .map(drop)
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .get_connection()
            .execute_unprepared("DROP INDEX ix_posts_attention")
            .await?;
        schema
            .drop_table(Table::drop().table("console_sessions").to_owned())
            .await
    }
}
