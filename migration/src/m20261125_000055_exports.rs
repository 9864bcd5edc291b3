//! Exports: what a user asked to be given of everything that is held about them.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("data_exports")
                    .col(uuid("id").primary_key())
                    .col(uuid("user_id"))
                    .col(string_len("state", 16))
                    .col(string_null("object"))
                    .col(big_integer_null("size"))
                    .col(string_len_null("sha256", 64))
                    .col(text_null("failure_message"))
                    .col(big_integer("requested_at"))
                    .col(big_integer_null("ready_at"))
                    .col(big_integer_null("expires_at"))
                    .col(big_integer_null("ended_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("data_exports", "user_id")
                            .to("users", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("ix_data_exports_user", &["user_id", "id"][..]),
            ("ix_data_exports_state", &["state", "expires_at"]),
        ] {
            let mut index = Index::create().name(name).table("data_exports").to_owned();
            for column in columns {
                index.col(*column);
            }
            schema.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .drop_table(Table::drop().table("data_exports").to_owned())
            .await
    }
}
