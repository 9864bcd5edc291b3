//! Operators who sign in at a provider of identities. They have no key, so sessions of the console and acts
//! on many jobs can be without one.
//!
//! Sessions last for hours, so their table is made anew: operators sign in again.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DatabaseBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The columns of `bulk_acts`.
const BULK_ACTS: &str = "id, user_id, key_id, job_id, action, filter, state, as_of, matched, done, failed, \
     \"cursor\", last_error, created_at, updated_at, finished_at";

/// Sessions as they are when `key` is what they have of a key, and `further` beside it.
fn sessions(key: ColumnDef, further: Option<ColumnDef>) -> TableCreateStatement {
    let mut table = Table::create();
    table.table("console_sessions");
    table.col(uuid("id").primary_key());
    table.col(key);
    if let Some(further) = further {
        table.col(further).foreign_key(
            ForeignKey::create()
                .from("console_sessions", "user_id")
                .to("users", "id")
                .on_delete(ForeignKeyAction::Cascade),
        );
    }
    table
        .col(blob("hash"))
        .col(big_integer("created_at"))
        .col(big_integer("seen_at"))
        .col(big_integer("expires_at"))
        .foreign_key(
            ForeignKey::create()
                .from("console_sessions", "key_id")
                .to("api_keys", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

async fn renew_sessions(
    schema: &SchemaManager<'_>,
    table: TableCreateStatement,
    indexes: &[(&'static str, &'static str)],
) -> Result<(), DbErr> {
    schema
        .drop_table(Table::drop().table("console_sessions").to_owned())
        .await?;
    schema.create_table(table).await?;
    for (name, column) in indexes {
        schema
            .create_index(
                Index::create()
                    .name(*name)
                    .table("console_sessions")
                    .col(*column)
                    .to_owned(),
            )
            .await?;
    }
    Ok(())
}

/// Gives the key of `bulk_acts` the form of `key`. SQLite changes no column, so there it is a new table.
async fn change_bulk_acts(
    schema: &SchemaManager<'_>,
    key: ColumnDef,
    on_postgres: &str,
) -> Result<(), DbErr> {
    let connection = schema.get_connection();
    if schema.get_database_backend() == DatabaseBackend::Postgres {
        let sql = format!("ALTER TABLE bulk_acts ALTER COLUMN key_id {on_postgres}");
        return connection.execute_unprepared(&sql).await.map(drop);
    }
    schema
        .create_table(
            Table::create()
                .table("bulk_acts_new")
                .col(uuid("id").primary_key())
                .col(uuid("user_id"))
                .col(key)
                .col(uuid("job_id"))
                .col(string_len("action", 16))
                .col(json_binary("filter"))
                .col(string_len("state", 12))
                .col(big_integer("as_of"))
                .col(big_integer("matched"))
                .col(big_integer("done"))
                .col(big_integer("failed"))
                .col(uuid_null("cursor"))
                .col(text_null("last_error"))
                .col(big_integer("created_at"))
                .col(big_integer("updated_at"))
                .col(big_integer_null("finished_at"))
                .to_owned(),
        )
        .await?;
    for sql in [
        &*format!("INSERT INTO bulk_acts_new ({BULK_ACTS}) SELECT {BULK_ACTS} FROM bulk_acts"),
        "DROP TABLE bulk_acts",
        "ALTER TABLE bulk_acts_new RENAME TO bulk_acts",
    ] {
        connection.execute_unprepared(sql).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("operator_identities")
                    .col(uuid("user_id").primary_key())
                    .col(string("issuer"))
                    .col(string("subject"))
                    .col(big_integer("created_at"))
                    .col(big_integer("seen_at"))
                    .col(big_integer_null("lapsed_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("operator_identities", "user_id")
                            .to("operators", "user_id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        schema
            .create_index(
                Index::create()
                    .name("ux_operator_identities_subject")
                    .table("operator_identities")
                    .col("issuer")
                    .col("subject")
                    .unique()
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("operator_sign_ins")
                    .col(string_len("state_hash", 64).primary_key())
                    .col(string_len("browser_hash", 64))
                    .col(string_len("nonce_hash", 64))
                    .col(blob("verifier_sealed"))
                    .col(text("next"))
                    .col(big_integer("created_at"))
                    .col(big_integer("expires_at"))
                    .col(big_integer_null("used_at"))
                    .to_owned(),
            )
            .await?;
        renew_sessions(
            schema,
            sessions(uuid_null("key_id"), Some(uuid_null("user_id"))),
            &[
                ("ix_console_sessions_key", "key_id"),
                ("ix_console_sessions_user", "user_id"),
                ("ix_console_sessions_expiry", "expires_at"),
            ],
        )
        .await?;
        change_bulk_acts(schema, uuid_null("key_id"), "DROP NOT NULL").await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        // What was done without a key cannot be told in the old form.
        schema
            .get_connection()
            .execute_unprepared("DELETE FROM bulk_acts WHERE key_id IS NULL")
            .await?;
        change_bulk_acts(schema, uuid("key_id"), "SET NOT NULL").await?;
        renew_sessions(
            schema,
            sessions(uuid("key_id"), None),
            &[
                ("ix_console_sessions_key", "key_id"),
                ("ix_console_sessions_expiry", "expires_at"),
            ],
        )
        .await?;
        for table in ["operator_sign_ins", "operator_identities"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
