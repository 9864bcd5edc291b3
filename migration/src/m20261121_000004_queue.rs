//! Jobs, their failed attempts, the slots of crons and the controls of queues.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Secondary indexes. The partial ones hold only rows that a loop of the queue looks for, so that
/// a scan costs what is due and not what is stored.
const INDEXES: &[&str] = &[
    // The relay: due rows without a pointer, lane by lane.
    "CREATE INDEX ix_jobs_ready ON jobs (queue, lane, priority, run_at, id) \
     WHERE state = 'available' AND dispatched_at IS NULL",
    // The relay: rows whose time comes next.
    "CREATE INDEX ix_jobs_waiting ON jobs (queue, run_at) \
     WHERE state IN ('scheduled', 'retryable')",
    // The audit of pointers, and the oldest waiting job.
    "CREATE INDEX ix_jobs_dispatched ON jobs (queue, run_at, id) \
     WHERE state = 'available' AND dispatched_at IS NOT NULL",
    // One live job per key. Most jobs have none and cost this index nothing.
    "CREATE UNIQUE INDEX ux_jobs_unique_key ON jobs (unique_key) WHERE unique_key IS NOT NULL",
    // Releasing what is held.
    "CREATE INDEX ix_jobs_held ON jobs (hold_reason, lane) WHERE state = 'held'",
    // Lists, counts, pruning, and the rescuer, which looks at the few rows that run.
    "CREATE INDEX ix_jobs_queue_state ON jobs (queue, state, id)",
    "CREATE INDEX ix_jobs_kind ON jobs (kind, id)",
    "CREATE INDEX ix_jobs_lane ON jobs (lane, id) WHERE lane <> ''",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("jobs")
                    .col(uuid("id").primary_key())
                    .col(string("queue"))
                    .col(string("kind"))
                    .col(json_binary("args"))
                    .col(string("lane"))
                    .col(integer("priority"))
                    .col(string_len("state", 12))
                    .col(string_null("hold_reason"))
                    .col(big_integer("run_at"))
                    .col(integer("attempt"))
                    .col(integer("max_attempts"))
                    .col(integer("crashes"))
                    .col(integer("snoozes"))
                    .col(big_integer("fence"))
                    .col(big_integer_null("dispatched_at"))
                    .col(string_null("lease_owner"))
                    .col(big_integer_null("lease_until"))
                    .col(string_null("unique_key"))
                    .col(boolean("cancel_requested"))
                    .col(json_binary_null("progress"))
                    .col(text_null("last_error"))
                    .col(big_integer("created_at"))
                    .col(big_integer_null("started_at"))
                    .col(big_integer_null("finished_at"))
                    .col(big_integer("updated_at"))
                    .to_owned(),
            )
            .await?;
        for index in INDEXES {
            schema.get_connection().execute_unprepared(index).await?;
        }
        schema
            .create_table(
                Table::create()
                    .table("job_attempts")
                    .col(uuid("job_id"))
                    .col(big_integer("fence"))
                    .col(integer("attempt"))
                    .col(string_len("outcome", 12))
                    .col(text("error"))
                    .col(string_null("worker"))
                    .col(big_integer_null("started_at"))
                    .col(big_integer("finished_at"))
                    .primary_key(Index::create().col("job_id").col("fence"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("job_attempts", "job_id")
                            .to("jobs", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("cron_slots")
                    .col(string("name"))
                    .col(big_integer("fire_at"))
                    .col(uuid_null("job_id"))
                    .col(big_integer("created_at"))
                    .primary_key(Index::create().col("name").col("fire_at"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("queue_controls")
                    .col(string("queue").primary_key())
                    .col(boolean("paused"))
                    .col(big_integer_null("paused_at"))
                    .col(string_null("epoch"))
                    .col(big_integer("updated_at"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["queue_controls", "cron_slots", "job_attempts", "jobs"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
