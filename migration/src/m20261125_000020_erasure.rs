//! Erasures: what was asked for, which steps are done, what keeps the erased from coming back, and
//! the keys that receipts were signed with.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .alter_table(
                Table::alter()
                    .table("users")
                    .add_column(big_integer_null("leaving_at"))
                    .to_owned(),
            )
            .await?;
        // No foreign keys: an erasure outlives whom it erases.
        schema
            .create_table(
                Table::create()
                    .table("erasures")
                    .col(uuid("id").primary_key())
                    .col(string_len("scope", 8))
                    .col(string_len("cause", 16))
                    .col(uuid_null("user_id"))
                    .col(uuid_null("account_id"))
                    .col(string_len("code_hash", 64).unique_key())
                    .col(string_len("state", 12))
                    .col(json_binary_null("handed"))
                    .col(json_binary_null("watched"))
                    .col(text_null("receipt"))
                    .col(big_integer("requested_at"))
                    .col(big_integer_null("completed_at"))
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("ix_erasures_state", &["state", "id"][..]),
            ("ix_erasures_user", &["user_id"]),
            ("ix_erasures_completed", &["completed_at"]),
        ] {
            let mut index = Index::create().name(name).table("erasures").to_owned();
            for column in columns {
                index.col(*column);
            }
            schema.create_index(index).await?;
        }
        schema
            .create_table(
                Table::create()
                    .table("erasure_steps")
                    .col(uuid("erasure_id"))
                    .col(integer("place"))
                    .col(string_len("step", 24))
                    .col(json_binary("counts"))
                    .col(big_integer("done_at"))
                    .primary_key(Index::create().col("erasure_id").col("place"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("erasure_steps", "erasure_id")
                            .to("erasures", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("tombstones")
                    .col(string_len("digest", 64).primary_key())
                    .col(string_len("kind", 12))
                    .col(uuid("erasure_id"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_index(
                Index::create()
                    .name("ix_tombstones_erasure")
                    .table("tombstones")
                    .col("erasure_id")
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("receipt_keys")
                    .col(string_len("id", 64).primary_key())
                    .col(string("public_key"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["receipt_keys", "tombstones", "erasure_steps", "erasures"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        schema
            .alter_table(
                Table::alter()
                    .table("users")
                    .drop_column("leaving_at")
                    .to_owned(),
            )
            .await
    }
}
