//! Operators have roles.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("operators")
                    .col(uuid("user_id").primary_key())
                    .col(string_len("role", 16))
                    .col(big_integer("created_at"))
                    .col(big_integer("changed_at"))
                    .col(big_integer_null("ended_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("operators", "user_id")
                            .to("users", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .drop_table(Table::drop().table("operators").to_owned())
            .await
    }
}
