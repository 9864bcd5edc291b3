//! Letters to people, each with a job that sends it.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("mails")
                    .col(uuid("id").primary_key())
                    .col(string("cause").unique_key())
                    .col(string("kind"))
                    .col(uuid_null("user_id"))
                    .col(blob_null("recipient_sealed"))
                    .col(blob_null("content_sealed"))
                    .col(string_len("state", 8))
                    .col(string_null("last_error"))
                    .col(big_integer("created_at"))
                    .col(big_integer_null("ended_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("mails", "user_id")
                            .to("users", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("ix_mails_state", &["state", "created_at"][..]),
            ("ix_mails_user", &["user_id"]),
        ] {
            let mut index = Index::create().name(name).table("mails").to_owned();
            for column in columns {
                index.col(*column);
            }
            schema.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .drop_table(Table::drop().table("mails").to_owned())
            .await
    }
}
