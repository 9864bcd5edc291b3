//! What the server asks and tells of its own accord: webhooks of tenants, their verified sources, and
//! files that are fetched from there.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables, in the order in which they can be dropped.
const TABLES: [&str; 5] = [
    "webhook_attempts",
    "webhook_deliveries",
    "webhook_endpoints",
    "media_imports",
    "verified_sources",
];

/// Name, table, columns, and whether it is unique.
const INDEXES: &[(&str, &str, &[&str], bool)] = &[
    (
        "ix_webhook_endpoints_user",
        "webhook_endpoints",
        &["user_id", "enabled"],
        false,
    ),
    (
        "ux_webhook_deliveries_event",
        "webhook_deliveries",
        &["endpoint_id", "seq"],
        true,
    ),
    (
        "ix_webhook_deliveries_endpoint",
        "webhook_deliveries",
        &["endpoint_id", "id"],
        false,
    ),
    // What goes with an account that leaves.
    (
        "ix_webhook_deliveries_account",
        "webhook_deliveries",
        &["account_id"],
        false,
    ),
    (
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        &["state", "next_at"],
        false,
    ),
    (
        "ux_verified_sources_prefix",
        "verified_sources",
        &["user_id", "origin", "prefix"],
        true,
    ),
    (
        "ix_verified_sources_due",
        "verified_sources",
        &["next_check_at"],
        false,
    ),
    (
        "ix_media_imports_user",
        "media_imports",
        &["user_id", "id"],
        false,
    ),
    (
        "ix_media_imports_state",
        "media_imports",
        &["state", "updated_at"],
        false,
    ),
];

fn belongs(
    table: &'static str,
    column: &'static str,
    to: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, column)
        .to(to, "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

fn endpoints() -> TableCreateStatement {
    Table::create()
        .table("webhook_endpoints")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(text("url"))
        .col(string_null("description"))
        .col(text("kinds"))
        .col(boolean("enabled"))
        .col(blob("secret"))
        .col(big_integer("generation"))
        .col(blob_null("old_secret"))
        .col(big_integer_null("old_until"))
        .col(big_integer("cursor"))
        .col(big_integer_null("failing_since"))
        .col(big_integer_null("disabled_at"))
        .col(string_null("disabled_reason"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .foreign_key(&mut belongs("webhook_endpoints", "user_id", "users"))
        .to_owned()
}

fn deliveries() -> TableCreateStatement {
    Table::create()
        .table("webhook_deliveries")
        .col(uuid("id").primary_key())
        .col(uuid("endpoint_id"))
        .col(uuid("user_id"))
        .col(uuid_null("account_id"))
        .col(big_integer_null("seq"))
        .col(string("kind"))
        .col(text("body"))
        .col(string_len("state", 16))
        .col(integer("attempts"))
        .col(integer("tries"))
        .col(big_integer_null("next_at"))
        .col(integer_null("last_status"))
        .col(string_null("last_error"))
        .col(big_integer("created_at"))
        .col(big_integer_null("ended_at"))
        .foreign_key(&mut belongs(
            "webhook_deliveries",
            "endpoint_id",
            "webhook_endpoints",
        ))
        .to_owned()
}

fn attempts() -> TableCreateStatement {
    Table::create()
        .table("webhook_attempts")
        .col(uuid("delivery_id"))
        .col(integer("number"))
        .col(integer_null("status"))
        .col(string_null("error"))
        .col(big_integer("took_ms"))
        .col(big_integer("created_at"))
        .primary_key(Index::create().col("delivery_id").col("number"))
        .foreign_key(&mut belongs(
            "webhook_attempts",
            "delivery_id",
            "webhook_deliveries",
        ))
        .to_owned()
}

fn sources() -> TableCreateStatement {
    Table::create()
        .table("verified_sources")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(string("origin"))
        .col(text("prefix"))
        .col(string("token"))
        .col(string_len("state", 16))
        .col(string_null("method"))
        .col(string_null("failure"))
        .col(big_integer_null("verified_at"))
        .col(big_integer_null("checked_at"))
        .col(big_integer_null("missing_since"))
        .col(big_integer_null("next_check_at"))
        .col(big_integer("created_at"))
        .foreign_key(&mut belongs("verified_sources", "user_id", "users"))
        .to_owned()
}

fn imports() -> TableCreateStatement {
    Table::create()
        .table("media_imports")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(uuid("source_id"))
        .col(blob_null("url"))
        .col(text("shown_url"))
        .col(string_null("filename"))
        .col(uuid_null("media_id"))
        .col(string_len("state", 16))
        .col(string_null("mark"))
        .col(integer("restarts"))
        .col(string_null("failure_code"))
        .col(text_null("failure_message"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .col(big_integer_null("ended_at"))
        .foreign_key(&mut belongs("media_imports", "user_id", "users"))
        .to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in [endpoints(), deliveries(), attempts(), sources(), imports()] {
            schema.create_table(table).await?;
        }
        for (name, table, columns, unique) in INDEXES {
            let mut index = Index::create().name(*name).table(*table).to_owned();
            for column in *columns {
                index.col(*column);
            }
            if *unique {
                index.unique();
            }
            schema.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
