//! Uploaded files and the stored pieces that make them up.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("media")
                    .col(uuid("id").primary_key())
                    .col(uuid("user_id"))
                    .col(string_len("state", 16))
                    .col(string_null("filename"))
                    .col(string_null("declared_type"))
                    .col(string_null("declared_sha256"))
                    .col(text_null("metadata"))
                    .col(big_integer("size"))
                    .col(big_integer("received"))
                    .col(blob_null("hash_state"))
                    .col(string_null("sha256"))
                    .col(string_null("content_type"))
                    .col(json_binary_null("facts"))
                    .col(json_binary_null("verdicts"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .col(big_integer_null("expires_at"))
                    .col(big_integer_null("ready_at"))
                    .col(big_integer_null("purged_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("media", "user_id")
                            .to("users", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("ix_media_user", &["user_id", "id"][..]),
            ("ix_media_user_state", &["user_id", "state"]),
            ("ix_media_state_expiry", &["state", "expires_at"]),
            ("ix_media_purge", &["purged_at", "state"]),
        ] {
            let mut index = Index::create().name(name).table("media").to_owned();
            for column in columns {
                index.col(*column);
            }
            schema.create_index(index).await?;
        }
        schema
            .create_table(
                Table::create()
                    .table("media_segments")
                    .col(uuid("media_id"))
                    .col(big_integer("start"))
                    .col(big_integer("len"))
                    .col(string("key"))
                    .primary_key(Index::create().col("media_id").col("start"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("media_segments", "media_id")
                            .to("media", "id"),
                    )
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["media_segments", "media"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
