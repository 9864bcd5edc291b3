//! Posts by state: whoever counts them or sweeps over them reads no more than there are of a state.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const NARROW: &str = "CREATE INDEX ix_posts_attention ON posts (state, id) \
     WHERE state IN ('held', 'unconfirmed', 'failed')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let db = schema.get_connection();
        db.execute_unprepared("CREATE INDEX ix_posts_state ON posts (state, id)")
            .await?;
        // The new one does what it did.
        db.execute_unprepared("DROP INDEX ix_posts_attention")
            .await
            .map(drop)
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let db = schema.get_connection();
        db.execute_unprepared(NARROW).await?;
        db.execute_unprepared("DROP INDEX ix_posts_state")
            .await
            .map(drop)
    }
}
