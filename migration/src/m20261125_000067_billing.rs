//! What PayPal tells of subscriptions.

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
                    .table("subscriptions")
                    .col(uuid("id").primary_key())
                    .col(uuid_null("user_id"))
                    .col(string("paypal_id").unique_key())
                    .col(string_len("status", 12))
                    .col(big_integer_null("paid_until"))
                    .col(big_integer_null("grace_until"))
                    .col(big_integer_null("cutoff_at"))
                    .col(big_integer_null("status_at"))
                    .col(big_integer_null("paid_at"))
                    .col(big_integer_null("failed_at"))
                    .col(big_integer("created_at"))
                    .foreign_key(&mut of_user("subscriptions"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("billing_links")
                    .col(uuid("user_id").primary_key())
                    .col(uuid("salt"))
                    .col(string("code_hash").unique_key())
                    .col(blob_null("contact_sealed"))
                    .col(big_integer("created_at"))
                    .foreign_key(&mut of_user("billing_links"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("billing_events")
                    .col(string("id").primary_key())
                    .col(big_integer("received_at"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("billing_records")
                    .col(string("id").primary_key())
                    .col(blob("record_sealed"))
                    .col(big_integer("keep_until"))
                    .to_owned(),
            )
            .await?;
        for (name, table, column) in [
            ("ix_subscriptions_user", "subscriptions", "user_id"),
            ("ix_subscriptions_cutoff", "subscriptions", "cutoff_at"),
            (
                "ix_billing_events_received",
                "billing_events",
                "received_at",
            ),
            ("ix_billing_records_keep", "billing_records", "keep_until"),
        ] {
            let index = Index::create()
                .name(name)
                .table(table)
                .col(column)
                .to_owned();
            schema.create_index(index).await?;
        }
        let column = ColumnDef::new("by_subscription")
            .boolean()
            .not_null()
            .default(false)
            .to_owned();
        schema
            .alter_table(
                Table::alter()
                    .table("user_plans")
                    .add_column(column)
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .alter_table(
                Table::alter()
                    .table("user_plans")
                    .drop_column("by_subscription")
                    .to_owned(),
            )
            .await?;
        for table in [
            "billing_records",
            "billing_events",
            "billing_links",
            "subscriptions",
        ] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
