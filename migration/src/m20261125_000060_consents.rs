//! Consents say what they are for, and which browser began them.
//!
//! A consent lives for ten minutes, so the table is made anew: one that is under way meanwhile is begun
//! again by its creator.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn of_user() -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from("oauth_states", "user_id")
        .to("users", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

/// The columns that the table had before and has after, around the one for the user.
fn consents(user: ColumnDef) -> TableCreateStatement {
    Table::create()
        .table("oauth_states")
        .col(string_len("state_hash", 64).primary_key())
        .col(user)
        .col(blob("verifier_sealed"))
        .col(string("scopes"))
        .col(text_null("return_to"))
        .col(big_integer("created_at"))
        .col(big_integer("expires_at"))
        .col(big_integer_null("used_at"))
        .to_owned()
}

async fn drop_consents(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    schema
        .drop_table(Table::drop().table("oauth_states").to_owned())
        .await
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        drop_consents(schema).await?;
        schema
            .create_table(
                consents(uuid_null("user_id"))
                    .col(string_len("purpose", 16))
                    .col(uuid_null("request_id"))
                    .col(string_len_null("browser_hash", 64))
                    .foreign_key(&mut of_user())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        drop_consents(schema).await?;
        schema
            .create_table(
                consents(uuid("user_id"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("oauth_states", "user_id")
                            .to("users", "id"),
                    )
                    .to_owned(),
            )
            .await
    }
}
