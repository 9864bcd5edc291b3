//! Which plan a user has, and what was used of it day by day.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn of_user(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, "user_id")
        .to("users", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("user_plans")
                    .col(uuid("user_id").primary_key())
                    .col(string_len("plan", 8))
                    .col(big_integer_null("ends_at"))
                    .col(big_integer("changed_at"))
                    .foreign_key(&mut of_user("user_plans"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("usage_days")
                    .col(uuid("user_id"))
                    .col(big_integer("day"))
                    .col(big_integer("posts"))
                    .primary_key(Index::create().col("user_id").col("day"))
                    .foreign_key(&mut of_user("usage_days"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["usage_days", "user_plans"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
