//! Plans and payments of subscriptions.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// What is added to `subscriptions`.
fn columns() -> [ColumnDef; 3] {
    [
        string_null("plan_id"),
        big_integer_null("plan_at"),
        big_integer_null("told_until"),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for column in columns() {
            schema
                .alter_table(
                    Table::alter()
                        .table("subscriptions")
                        .add_column(column)
                        .to_owned(),
                )
                .await?;
        }
        // What was paid until now is what was told.
        schema
            .get_connection()
            .execute_unprepared("UPDATE subscriptions SET told_until = paid_until")
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("subscription_payments")
                    .col(string("id").primary_key())
                    .col(uuid_null("subscription_id"))
                    .col(big_integer_null("paid_at"))
                    .col(big_integer_null("amount"))
                    .col(big_integer("returned"))
                    .col(big_integer("created_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("subscription_payments", "subscription_id")
                            .to("subscriptions", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        schema
            .create_index(
                Index::create()
                    .name("ix_subscription_payments_subscription")
                    .table("subscription_payments")
                    .col("subscription_id")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .drop_table(Table::drop().table("subscription_payments").to_owned())
            .await?;
        for column in ["told_until", "plan_at", "plan_id"] {
            schema
                .alter_table(
                    Table::alter()
                        .table("subscriptions")
                        .drop_column(column)
                        .to_owned(),
                )
                .await?;
        }
        Ok(())
    }
}
