//! Photo posts: their pictures in order, and what TikTok fetched of each attempt's.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        // SQLite takes one column at a time.
        for column in [
            string_len("kind", 8).default("video").to_owned(),
            text_null("title"),
            integer_null("cover_index"),
            boolean_null("auto_add_music"),
        ] {
            schema
                .alter_table(Table::alter().table("posts").add_column(column).to_owned())
                .await?;
        }
        schema
            .create_table(
                Table::create()
                    .table("post_photos")
                    .col(uuid("post_id"))
                    .col(integer("position"))
                    .col(uuid("media_id"))
                    .primary_key(Index::create().col("post_id").col("position"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("post_photos", "post_id")
                            .to("posts", "id"),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from("post_photos", "media_id")
                            .to("media", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        schema
            .create_index(
                Index::create()
                    .name("ix_post_photos_media")
                    .table("post_photos")
                    .col("media_id")
                    .to_owned(),
            )
            .await?;
        schema
            .alter_table(
                Table::alter()
                    .table("post_attempts")
                    .add_column(big_integer_null("pull_ends_at"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("attempt_photos")
                    .col(uuid("attempt_id"))
                    .col(integer("position"))
                    .col(uuid("media_id"))
                    .col(string_len("content_type", 32))
                    .col(big_integer("size"))
                    .col(integer("heads"))
                    .col(integer("fetches"))
                    .col(big_integer("bytes_served"))
                    .col(big_integer("served_to"))
                    .col(big_integer_null("first_asked_at"))
                    .col(big_integer_null("last_asked_at"))
                    .col(big_integer_null("completed_at"))
                    .primary_key(Index::create().col("attempt_id").col("position"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("attempt_photos", "attempt_id")
                            .to("post_attempts", "id"),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from("attempt_photos", "media_id")
                            .to("media", "id"),
                    )
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["attempt_photos", "post_photos"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        for (table, column) in [
            ("post_attempts", "pull_ends_at"),
            ("posts", "auto_add_music"),
            ("posts", "cover_index"),
            ("posts", "title"),
            ("posts", "kind"),
        ] {
            schema
                .alter_table(Table::alter().table(table).drop_column(column).to_owned())
                .await?;
        }
        Ok(())
    }
}
