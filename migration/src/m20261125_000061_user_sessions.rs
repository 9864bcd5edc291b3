//! Users who are signed in with a browser.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("user_sessions")
                    .col(uuid("id").primary_key())
                    .col(uuid("user_id"))
                    .col(blob("hash"))
                    .col(big_integer("created_at"))
                    .col(big_integer("seen_at"))
                    .col(big_integer("expires_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("user_sessions", "user_id")
                            .to("users", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        for (name, column) in [
            ("ix_user_sessions_user", "user_id"),
            ("ix_user_sessions_expiry", "expires_at"),
        ] {
            schema
                .create_index(
                    Index::create()
                        .name(name)
                        .table("user_sessions")
                        .col(column)
                        .to_owned(),
                )
                .await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .drop_table(Table::drop().table("user_sessions").to_owned())
            .await
    }
}
