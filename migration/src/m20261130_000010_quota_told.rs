//! Which limits a user was told of on a day.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        // Processes of an older version insert rows without it.
        schema
            .alter_table(
                Table::alter()
                    .table("usage_days")
                    .add_column(big_integer("told").default(0))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .alter_table(
                Table::alter()
                    .table("usage_days")
                    .drop_column("told")
                    .to_owned(),
            )
            .await
    }
}
