//! Requests for deletion by people who cannot sign in.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("deletion_requests")
                    .col(uuid("id").primary_key())
                    .col(string("code_hash").unique_key())
                    .col(string_len("state", 8))
                    .col(blob_null("details_sealed"))
                    .col(blob_null("email_sealed"))
                    .col(string_null("name_hash"))
                    .col(string_len_null("proof", 8))
                    .col(integer_null("reminded"))
                    .col(big_integer_null("looked_at"))
                    .col(uuid_null("erasure_id"))
                    .col(big_integer("requested_at"))
                    .col(big_integer("due_at"))
                    .col(big_integer_null("proven_at"))
                    .col(big_integer_null("ended_at"))
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("ix_deletion_requests_due", &["state", "due_at"][..]),
            ("ix_deletion_requests_name", &["name_hash"]),
            ("ix_deletion_requests_erasure", &["erasure_id"]),
        ] {
            let mut index = Index::create()
                .name(name)
                .table("deletion_requests")
                .to_owned();
            for column in columns {
                index.col(*column);
            }
            schema.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .drop_table(Table::drop().table("deletion_requests").to_owned())
            .await
    }
}
