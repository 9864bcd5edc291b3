//! What operators did and may do to many jobs at once, and how the installation watches itself.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEXES: &[&str] = &[
    "CREATE INDEX ix_audit_log_subject ON audit_log (subject, id)",
    "CREATE INDEX ix_audit_log_action ON audit_log (action, id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        // No foreign keys: what an operator did stays on record when the key or the user is gone.
        schema
            .create_table(
                Table::create()
                    .table("audit_log")
                    .col(uuid("id").primary_key())
                    .col(uuid_null("user_id"))
                    .col(uuid_null("key_id"))
                    .col(string("action"))
                    .col(string("subject"))
                    .col(json_binary("details"))
                    .col(string("outcome"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("bulk_acts")
                    .col(uuid("id").primary_key())
                    .col(uuid("user_id"))
                    .col(uuid("key_id"))
                    .col(uuid("job_id"))
                    .col(string_len("action", 16))
                    .col(json_binary("filter"))
                    .col(string_len("state", 12))
                    .col(big_integer("as_of"))
                    .col(big_integer("matched"))
                    .col(big_integer("done"))
                    .col(big_integer("failed"))
                    .col(uuid_null("cursor"))
                    .col(text_null("last_error"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .col(big_integer_null("finished_at"))
                    .to_owned(),
            )
            .await?;
        for index in INDEXES {
            schema.get_connection().execute_unprepared(index).await?;
        }
        schema
            .create_table(
                Table::create()
                    .table("canaries")
                    .col(string("queue").primary_key())
                    .col(big_integer("enqueued_at"))
                    .col(big_integer("succeeded_at"))
                    .col(big_integer("latency_ms"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("drift_reports")
                    .col(uuid("id").primary_key())
                    .col(json_binary("found"))
                    .col(json_binary("mended"))
                    .col(big_integer("lost"))
                    .col(big_integer("duplicates"))
                    .col(big_integer("sampled"))
                    .col(json_binary("remarks"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["drift_reports", "canaries", "bulk_acts", "audit_log"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
