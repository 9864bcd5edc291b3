//! Tenants, their API keys, and the TikTok accounts that they connected.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table("users")
                    .col(uuid("id").primary_key())
                    .col(string("name").unique_key())
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("api_keys")
                    .col(uuid("id").primary_key())
                    .col(uuid("user_id"))
                    .col(string("name"))
                    .col(blob("hash"))
                    .col(string("scopes"))
                    .col(big_integer_null("expires_at"))
                    .col(big_integer_null("revoked_at"))
                    .col(big_integer_null("last_used_at"))
                    .col(big_integer("created_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("api_keys", "user_id")
                            .to("users", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        schema
            .create_index(
                Index::create()
                    .name("ix_api_keys_user")
                    .table("api_keys")
                    .col("user_id")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("tiktok_accounts")
                    .col(uuid("id").primary_key())
                    .col(uuid("user_id"))
                    .col(string("open_id").unique_key())
                    .col(string_null("union_id"))
                    .col(string_null("username"))
                    .col(string_null("display_name"))
                    .col(text_null("avatar_url"))
                    .col(string("scopes"))
                    .col(string_len("status", 24))
                    .col(string_null("status_reason"))
                    .col(big_integer("status_since"))
                    .col(big_integer("connected_at"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("tiktok_accounts", "user_id")
                            .to("users", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        schema
            .create_index(
                Index::create()
                    .name("ix_tiktok_accounts_user")
                    .table("tiktok_accounts")
                    .col("user_id")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("account_keys")
                    .col(uuid("account_id").primary_key())
                    .col(string("master_key_id"))
                    .col(blob("wrapped"))
                    .col(big_integer("created_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("account_keys", "account_id")
                            .to("tiktok_accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("account_tokens")
                    .col(uuid("account_id").primary_key())
                    .col(big_integer("generation"))
                    .col(blob("access_sealed"))
                    .col(big_integer("access_expires_at"))
                    .col(blob("refresh_sealed"))
                    .col(big_integer("refresh_expires_at"))
                    .col(string_len("state", 16))
                    .col(big_integer("refreshed_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("account_tokens", "account_id")
                            .to("tiktok_accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        schema
            .create_index(
                Index::create()
                    .name("ix_account_tokens_expiry")
                    .table("account_tokens")
                    .col("access_expires_at")
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("creator_snapshots")
                    .col(uuid("account_id").primary_key())
                    .col(json_binary("info"))
                    .col(big_integer("fetched_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("creator_snapshots", "account_id")
                            .to("tiktok_accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("oauth_states")
                    .col(string_len("state_hash", 64).primary_key())
                    .col(uuid("user_id"))
                    .col(blob("verifier_sealed"))
                    .col(string("scopes"))
                    .col(text_null("return_to"))
                    .col(big_integer("created_at"))
                    .col(big_integer("expires_at"))
                    .col(big_integer_null("used_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("oauth_states", "user_id")
                            .to("users", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("master_keys")
                    .col(string_len("id", 64).primary_key())
                    .col(blob("canary_sealed"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        schema
            .create_table(
                Table::create()
                    .table("idempotency_keys")
                    .col(uuid("user_id"))
                    .col(string("key"))
                    .col(string("operation"))
                    .col(blob("request_hash"))
                    .col(uuid("result_id"))
                    .col(big_integer("created_at"))
                    .primary_key(Index::create().col("user_id").col("key"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("idempotency_keys", "user_id")
                            .to("users", "id"),
                    )
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "idempotency_keys",
            "master_keys",
            "oauth_states",
            "creator_snapshots",
            "account_tokens",
            "account_keys",
            "tiktok_accounts",
            "api_keys",
            "users",
        ] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
