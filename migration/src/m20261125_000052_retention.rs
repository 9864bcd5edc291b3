//! What is kept no longer: how much of it went on each day, where a walk over many rows stands, and the
//! indexes by which it is found.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEXES: &[(&str, &str)] = &[
    (
        "ix_evidence_bodies",
        "CREATE INDEX ix_evidence_bodies ON evidence (created_at) WHERE body_removed_at IS NULL",
    ),
    (
        "ix_media_ready",
        "CREATE INDEX ix_media_ready ON media (ready_at) WHERE state = 'ready'",
    ),
    (
        "ix_attempt_photos_media",
        "CREATE INDEX ix_attempt_photos_media ON attempt_photos (media_id)",
    ),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .alter_table(
                Table::alter()
                    .table("evidence")
                    .add_column(big_integer_null("body_removed_at"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("retention_days")
                    .col(big_integer("day"))
                    .col(string_len("rule", 32))
                    .col(big_integer("removed"))
                    .primary_key(Index::create().col("day").col("rule"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("retention_walks")
                    .col(string_len("rule", 32).primary_key())
                    .col(uuid_null("cursor"))
                    .col(big_integer("ran_at"))
                    .to_owned(),
            )
            .await?;
        for (_, index) in INDEXES {
            schema.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in INDEXES {
            let sql = format!("DROP INDEX {name}");
            schema.get_connection().execute_unprepared(&sql).await?;
        }
        for table in ["retention_walks", "retention_days"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        schema
            .alter_table(
                Table::alter()
                    .table("evidence")
                    .drop_column("body_removed_at")
                    .to_owned(),
            )
            .await
    }
}
