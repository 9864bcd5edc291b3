//! Posts, what was sent of them to TikTok, the proofs, and the log of events.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("posts")
                    .col(uuid("id").primary_key())
                    .col(uuid("user_id"))
                    .col(uuid("account_id"))
                    .col(uuid("media_id"))
                    .col(string_len("mode", 8))
                    .col(text("caption"))
                    .col(json_binary("settings"))
                    .col(string_null("experiment_label"))
                    .col(string_null("upload_reference"))
                    .col(big_integer_null("publish_at"))
                    .col(string_len("state", 16))
                    .col(big_integer("state_since"))
                    .col(big_integer_null("deadline_at"))
                    .col(string_null("hold_reason"))
                    .col(big_integer_null("hold_until"))
                    .col(string_null("failure_class"))
                    .col(string_null("failure_code"))
                    .col(text_null("failure_message"))
                    .col(boolean("failure_retryable"))
                    .col(boolean("cancel_requested"))
                    .col(json_binary("tiktok_post_ids"))
                    .col(text_null("share_url"))
                    .col(big_integer("bytes_sent"))
                    .col(big_integer("bytes_total"))
                    .col(big_integer_null("caption_copied_at"))
                    .col(string_null("consent_version"))
                    .col(big_integer_null("consent_at"))
                    .col(integer("version"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("posts", "user_id")
                            .to("users", "id"),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from("posts", "account_id")
                            .to("tiktok_accounts", "id"),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from("posts", "media_id")
                            .to("media", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("ix_posts_user", &["user_id", "id"][..]),
            ("ix_posts_user_state", &["user_id", "state", "id"]),
            ("ix_posts_account_state", &["account_id", "state", "id"]),
            ("ix_posts_media", &["media_id"]),
            ("ix_posts_deadline", &["deadline_at"]),
            (
                "ix_posts_user_label",
                &["user_id", "experiment_label", "id"],
            ),
        ] {
            let mut index = Index::create().name(name).table("posts").to_owned();
            for column in columns {
                index.col(*column);
            }
            schema.create_index(index).await?;
        }
        schema
            .create_table(
                Table::create()
                    .table("post_attempts")
                    .col(uuid("id").primary_key())
                    .col(uuid("post_id"))
                    .col(integer("number"))
                    .col(string_len("phase", 16))
                    .col(string_null("open_key").unique_key())
                    .col(string_null("publish_id"))
                    .col(blob_null("upload_url_sealed"))
                    .col(big_integer_null("upload_url_expires_at"))
                    .col(big_integer("video_size"))
                    .col(big_integer("chunk_size"))
                    .col(integer("chunk_count"))
                    .col(big_integer("bytes_acked"))
                    .col(big_integer_null("last_chunk_at"))
                    .col(string_null("outcome"))
                    .col(string_null("error_code"))
                    .col(string_null("log_id"))
                    .col(big_integer("created_at"))
                    .col(big_integer_null("closed_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("post_attempts", "post_id")
                            .to("posts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        for (name, columns, unique) in [
            ("ux_post_attempts_number", &["post_id", "number"][..], true),
            ("ix_post_attempts_publish", &["publish_id"], false),
        ] {
            let mut index = Index::create().name(name).table("post_attempts").to_owned();
            for column in columns {
                index.col(*column);
            }
            if unique {
                index.unique();
            }
            schema.create_index(index).await?;
        }
        schema
            .create_table(
                Table::create()
                    .table("evidence")
                    .col(uuid("id").primary_key())
                    .col(uuid("post_id"))
                    .col(uuid_null("attempt_id"))
                    .col(string_len("source", 16))
                    .col(string("subject"))
                    .col(integer_null("http_status"))
                    .col(string_null("code"))
                    .col(string_null("log_id"))
                    .col(json_binary("body"))
                    .col(big_integer("created_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("evidence", "post_id")
                            .to("posts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        schema
            .create_index(
                Index::create()
                    .name("ix_evidence_post")
                    .table("evidence")
                    .col("post_id")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("events")
                    // AUTOINCREMENT on SQLite: a cursor must never be handed out twice.
                    .col(big_integer("seq").auto_increment().primary_key())
                    .col(uuid("user_id"))
                    .col(uuid_null("account_id"))
                    .col(uuid_null("post_id"))
                    .col(string("kind"))
                    .col(json_binary("data"))
                    .col(uuid_null("evidence_id"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("ix_events_user", &["user_id", "seq"][..]),
            ("ix_events_post", &["post_id", "seq"]),
        ] {
            let mut index = Index::create().name(name).table("events").to_owned();
            for column in columns {
                index.col(*column);
            }
            schema.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["events", "evidence", "post_attempts", "posts"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
