//! TikTok's notices as they came in, and the videos that posts became.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DatabaseBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The ids that posts hold already become rows.
const BACKFILL_SQLITE: &str = "INSERT INTO post_videos \
    (post_id, video_id, joined_key, share_url, created_at, joined_at) \
    SELECT p.id, j.value, j.value, p.share_url, p.updated_at, p.updated_at \
    FROM posts p, json_each(p.tiktok_post_ids) j WHERE true ON CONFLICT DO NOTHING";
const BACKFILL_POSTGRES: &str = "INSERT INTO post_videos \
    (post_id, video_id, joined_key, share_url, created_at, joined_at) \
    SELECT p.id, j.value, j.value, p.share_url, p.updated_at, p.updated_at \
    FROM posts p, jsonb_array_elements_text(p.tiktok_post_ids::jsonb) AS j(value) \
    WHERE true ON CONFLICT DO NOTHING";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("tiktok_notices")
                    .col(uuid("id").primary_key())
                    .col(string("digest").unique_key())
                    .col(string_len("kind", 48))
                    .col(string_null("open_id"))
                    .col(uuid_null("account_id"))
                    .col(string_null("publish_id"))
                    .col(json_binary("facts"))
                    .col(big_integer_null("occurred_at"))
                    .col(big_integer("received_at"))
                    .col(uuid_null("post_id"))
                    .col(uuid_null("attempt_id"))
                    .col(big_integer_null("matched_at"))
                    .col(big_integer_null("answered_at"))
                    .col(big_integer_null("settled_at"))
                    .col(string_null("outcome"))
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("ix_tiktok_notices_post", &["post_id", "settled_at"][..]),
            ("ix_tiktok_notices_received", &["received_at"]),
        ] {
            let mut index = Index::create()
                .name(name)
                .table("tiktok_notices")
                .to_owned();
            for column in columns {
                index.col(*column);
            }
            schema.create_index(index).await?;
        }
        schema
            .create_table(
                Table::create()
                    .table("post_videos")
                    .col(uuid("post_id"))
                    .col(string("video_id"))
                    .col(string_null("joined_key").unique_key())
                    .col(text_null("share_url"))
                    .col(text_null("caption"))
                    .col(big_integer_null("posted_at"))
                    .col(big_integer_null("joined_at"))
                    .col(big_integer_null("hidden_at"))
                    .col(big_integer("created_at"))
                    .primary_key(Index::create().col("post_id").col("video_id"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("post_videos", "post_id")
                            .to("posts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        let backfill = match schema.get_database_backend() {
            DatabaseBackend::Postgres => BACKFILL_POSTGRES,
            _ => BACKFILL_SQLITE,
        };
        schema.get_connection().execute_unprepared(backfill).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["post_videos", "tiktok_notices"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
