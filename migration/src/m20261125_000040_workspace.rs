//! What users add to their files and keep for their posts: folders, labels, notes, saved texts; and
//! what a key is restricted to.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The columns that files get.
const COLUMNS: [&str; 4] = ["folder", "caption", "reference", "search"];

/// Name, table, columns, and whether it is unique.
const INDEXES: &[(&str, &str, &[&str], bool)] = &[
    (
        "ix_media_user_folder",
        "media",
        &["user_id", "folder", "id"],
        false,
    ),
    (
        "ix_media_user_sha256",
        "media",
        &["user_id", "sha256"],
        false,
    ),
    (
        "ix_media_user_reference",
        "media",
        &["user_id", "reference"],
        false,
    ),
    (
        "ix_media_labels_user",
        "media_labels",
        &["user_id", "label", "media_id"],
        false,
    ),
    (
        "ux_saved_texts_name",
        "saved_texts",
        &["user_id", "kind", "name"],
        true,
    ),
];

fn labels() -> TableCreateStatement {
    Table::create()
        .table("media_labels")
        .col(uuid("media_id"))
        .col(string("label"))
        .col(uuid("user_id"))
        .primary_key(Index::create().col("media_id").col("label"))
        .foreign_key(
            ForeignKey::create()
                .from("media_labels", "media_id")
                .to("media", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

fn texts() -> TableCreateStatement {
    Table::create()
        .table("saved_texts")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(string_len("kind", 16))
        .col(string("name"))
        .col(text("body"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .foreign_key(
            ForeignKey::create()
                .from("saved_texts", "user_id")
                .to("users", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for column in [
            string("folder").default("").to_owned(),
            text_null("caption"),
            string_null("reference"),
            text_null("search"),
        ] {
            schema
                .alter_table(Table::alter().table("media").add_column(column).to_owned())
                .await?;
        }
        for column in [text_null("accounts"), uuid_null("replaced_by")] {
            schema
                .alter_table(
                    Table::alter()
                        .table("api_keys")
                        .add_column(column)
                        .to_owned(),
                )
                .await?;
        }
        // What is there is found by its name.
        schema
            .get_connection()
            .execute_unprepared("UPDATE media SET search = lower(filename)")
            .await?;
        for table in [labels(), texts()] {
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
        for table in ["saved_texts", "media_labels"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        for (name, table, ..) in INDEXES.iter().filter(|(_, table, ..)| *table == "media") {
            schema
                .drop_index(Index::drop().name(*name).table(*table).to_owned())
                .await?;
        }
        for column in COLUMNS {
            schema
                .alter_table(Table::alter().table("media").drop_column(column).to_owned())
                .await?;
        }
        for column in ["accounts", "replaced_by"] {
            schema
                .alter_table(
                    Table::alter()
                        .table("api_keys")
                        .drop_column(column)
                        .to_owned(),
                )
                .await?;
        }
        Ok(())
    }
}
