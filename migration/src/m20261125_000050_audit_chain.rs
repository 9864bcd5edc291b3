//! The audit log becomes a chain: each entry has a place, commitments to what may be erased of it, and
//! a hash over the entry before it.
//!
//! Entries that are there already have no place; the first process that starts takes them into the chain
//! in their order, and so it does with those that an older version writes beside it.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns of texts of a fixed length.
const TEXTS: [&str; 5] = [
    "by_salt",
    "by_commitment",
    "on_salt",
    "on_commitment",
    "hash",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        // SQLite takes one column at a time.
        let texts = TEXTS.map(|name| string_len_null(name, 64));
        for column in std::iter::once(big_integer_null("seq")).chain(texts) {
            schema
                .alter_table(
                    Table::alter()
                        .table("audit_log")
                        .add_column(column)
                        .to_owned(),
                )
                .await?;
        }
        schema
            .create_index(
                Index::create()
                    .name("ux_audit_log_seq")
                    .table("audit_log")
                    .col("seq")
                    .unique()
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("audit_head")
                    .col(integer("id").primary_key())
                    .col(big_integer("seq"))
                    .col(string_len("hash", 64))
                    .col(big_integer("floor_seq"))
                    .col(string_len("floor_hash", 64))
                    .to_owned(),
            )
            .await?;
        let zeros = "0".repeat(64);
        schema
            .get_connection()
            .execute_unprepared(&format!(
                "INSERT INTO audit_head (id, seq, hash, floor_seq, floor_hash) \
                 VALUES (1, 0, '{zeros}', 0, '{zeros}')"
            ))
            .await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .drop_table(Table::drop().table("audit_head").to_owned())
            .await?;
        schema
            .drop_index(
                Index::drop()
                    .name("ux_audit_log_seq")
                    .table("audit_log")
                    .to_owned(),
            )
            .await?;
        for column in TEXTS.into_iter().chain(["seq"]) {
            schema
                .alter_table(
                    Table::alter()
                        .table("audit_log")
                        .drop_column(column)
                        .to_owned(),
                )
                .await?;
        }
        Ok(())
    }
}
