//! Counters of creators' own videos: the videos that are followed, what was read of them and when, and
//! for each account when it is read next. And which variant of its experiment a post is.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DatabaseBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEXES: &[&str] = &[
    "CREATE UNIQUE INDEX ux_tracked_videos_video ON tracked_videos (account_id, video_id)",
    // Whose video it is, when only TikTok's id is known.
    "CREATE INDEX ix_tracked_videos_id ON tracked_videos (video_id)",
    "CREATE INDEX ix_tracked_videos_roll ON tracked_videos (roll_due_at)",
    // At most seven rows a video, however long its series is.
    "CREATE INDEX ix_metric_samples_age ON metric_samples (tracked_video_id, checkpoint_h) WHERE checkpoint_h IS NOT NULL",
    // Only accounts that are read are in it.
    "CREATE INDEX ix_metric_plans_due ON metric_plans (next_due_at) WHERE next_due_at IS NOT NULL",
];

const COUNTERS: [&str; 4] = ["views", "likes", "comments", "shares"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let mut videos = Table::create()
            .table("tracked_videos")
            .col(uuid("id").primary_key())
            .col(uuid("account_id"))
            .col(string_len("video_id", 32))
            .col(big_integer("posted_at"))
            .col(text_null("share_url"))
            .col(text_null("caption"))
            .to_owned();
        let mut samples = Table::create()
            .table("metric_samples")
            .col(uuid("tracked_video_id"))
            .col(big_integer("taken_at"))
            .to_owned();
        for counter in COUNTERS {
            videos.col(big_integer_null(counter));
            samples.col(big_integer_null(counter));
        }
        videos
            .col(integer("checkpoints"))
            .col(big_integer("first_seen_at"))
            .col(big_integer_null("last_seen_at"))
            .col(big_integer_null("last_sample_at"))
            .col(big_integer_null("vanished_at"))
            .col(big_integer("roll_due_at"))
            .foreign_key(&mut to_account("tracked_videos"));
        samples
            .col(boolean("gap"))
            .col(integer("grain"))
            .col(integer_null("checkpoint_h"))
            .primary_key(Index::create().col("tracked_video_id").col("taken_at"))
            .foreign_key(
                ForeignKey::create()
                    .from("metric_samples", "tracked_video_id")
                    .to("tracked_videos", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            );
        if schema.get_database_backend() == DatabaseBackend::Sqlite {
            // A series lies together on the disk, and has no second key.
            samples.extra("WITHOUT ROWID");
        }
        schema.create_table(videos).await?;
        schema.create_table(samples).await?;
        schema
            .create_table(
                Table::create()
                    .table("metric_plans")
                    .col(uuid("account_id").primary_key())
                    .col(big_integer_null("next_due_at"))
                    .col(big_integer_null("checkpoint_at"))
                    .col(big_integer_null("looked_at"))
                    .col(big_integer_null("read_at"))
                    .col(big_integer_null("whole_at"))
                    .col(integer("videos"))
                    .col(big_integer_null("listing_since"))
                    .col(big_integer_null("listing_cursor"))
                    .col(string_len_null("paused_reason", 32))
                    .col(big_integer("created_at"))
                    .foreign_key(&mut to_account("metric_plans"))
                    .to_owned(),
            )
            .await?;
        let mut days = Table::create()
            .table("account_days")
            .col(uuid("account_id"))
            .col(big_integer("day"))
            .col(big_integer("taken_at"))
            .col(integer("videos"))
            .to_owned();
        for counter in COUNTERS {
            days.col(big_integer_null(counter));
        }
        days.primary_key(Index::create().col("account_id").col("day"))
            .foreign_key(&mut to_account("account_days"));
        schema.create_table(days).await?;
        schema
            .alter_table(
                Table::alter()
                    .table("posts")
                    .add_column(string_null("experiment_variant"))
                    .to_owned(),
            )
            .await?;
        for index in INDEXES {
            schema.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .alter_table(
                Table::alter()
                    .table("posts")
                    .drop_column("experiment_variant")
                    .to_owned(),
            )
            .await?;
        for table in [
            "account_days",
            "metric_plans",
            "metric_samples",
            "tracked_videos",
        ] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

/// Whatever erases an account takes these rows along.
fn to_account(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, "account_id")
        .to("tiktok_accounts", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}
