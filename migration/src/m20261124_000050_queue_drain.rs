//! A queue that is drained: paused, and emptied out of the transport.

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
                    .table("queue_controls")
                    .add_column(boolean("draining").default(false))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .alter_table(
                Table::alter()
                    .table("queue_controls")
                    .drop_column("draining")
                    .to_owned(),
            )
            .await
    }
}
