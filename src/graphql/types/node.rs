//! Everything that has an id, and finding it by that.

use async_graphql::{Context, ID, Interface, Result};
use clipqueue_entities::{
    AccountId, ApiKeyId, AuditId, BulkActId, DataExportId, JobId, MediaId, MediaImportId, PostId,
    VerifiedSourceId, WebhookDeliveryId, WebhookEndpointId,
};

use super::{
    account::Account,
    api_key::ApiKey,
    audit::AuditEntry,
    bulk::BulkAct,
    export::DataExport,
    job::Job,
    media::Media,
    post::Post,
    source::{MediaImport, VerifiedSource},
    webhook::{WebhookDelivery, WebhookEndpoint},
};
use crate::{
    domain::{
        actor::Scope,
        api_keys, audit, bulk,
        error::Error,
        exports, imports, operators, sources,
        webhooks::{self, replay},
    },
    graphql::{
        guard::{actor, app, require},
        ids::{Global, split},
        loaders::load,
        user_error::raise,
    },
};

/// An object with an id.
#[derive(Clone, Debug, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The id."))]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time is made, and at once answered with"
)]
pub(crate) enum Node {
    /// A TikTok account.
    TikTokAccount(Account),
    /// An API key.
    ApiKey(ApiKey),
    /// A recorded act of an operator.
    AuditEntry(AuditEntry),
    /// An act on many jobs.
    BulkAct(BulkAct),
    /// Everything about a user.
    DataExport(DataExport),
    /// A job.
    Job(Job),
    /// A file.
    Media(Media),
    /// A file that is fetched.
    MediaImport(MediaImport),
    /// A post.
    Post(Post),
    /// A host that files may be fetched from.
    VerifiedSource(VerifiedSource),
    /// An event on its way to an address.
    WebhookDelivery(WebhookDelivery),
    /// An address that is told what happens.
    WebhookEndpoint(WebhookEndpoint),
}

/// The object of that id; nothing, when there is none that the caller owns.
pub(crate) async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let actor = actor(ctx)?;
    let user = actor.user_id;
    let Some((name, uuid)) = split(id) else {
        return Ok(None);
    };
    let told_apart = [AccountId::TYPE, MediaId::TYPE, PostId::TYPE];
    if actor.accounts.is_some() && !told_apart.contains(&name.as_str()) {
        return Ok(None);
    }
    Ok(match name.as_str() {
        AccountId::TYPE => {
            require(ctx, Scope::AccountsRead)?;
            let row = load(ctx, user, AccountId(uuid)).await?;
            let row = row.filter(|row| actor.may_use(row.id));
            row.map(|row| Account(row).into())
        }
        MediaId::TYPE => {
            require(ctx, Scope::MediaRead)?;
            let row = load(ctx, user, MediaId(uuid)).await?;
            row.map(|row| Media(row).into())
        }
        PostId::TYPE => {
            require(ctx, Scope::PostsRead)?;
            let row = load(ctx, user, PostId(uuid)).await?;
            let row = row.filter(|row| actor.may_use(row.account_id));
            row.map(|row| Post(row).into())
        }
        ApiKeyId::TYPE => {
            require(ctx, Scope::KeysAdmin)?;
            let row = found(api_keys::get(app(ctx), user, ApiKeyId(uuid)).await)?;
            row.map(|row| ApiKey(row).into())
        }
        AuditId::TYPE => {
            require(ctx, Scope::OpsRead)?;
            let row = found(audit::get(app(ctx), AuditId(uuid)).await)?;
            row.map(|row| AuditEntry(row).into())
        }
        BulkActId::TYPE => {
            require(ctx, Scope::OpsRead)?;
            let row = found(bulk::get(app(ctx), BulkActId(uuid)).await)?;
            row.map(|row| BulkAct(row).into())
        }
        DataExportId::TYPE => {
            require(ctx, Scope::AccountExport)?;
            let row = found(exports::get(app(ctx), user, DataExportId(uuid)).await)?;
            row.map(|row| DataExport(row).into())
        }
        JobId::TYPE => {
            require(ctx, Scope::OpsRead)?;
            let row = found(operators::job(app(ctx), JobId(uuid)).await)?;
            row.map(|row| Job(row).into())
        }
        MediaImportId::TYPE => {
            require(ctx, Scope::MediaRead)?;
            let row = found(imports::get(app(ctx), user, MediaImportId(uuid)).await)?;
            row.map(|row| MediaImport(row).into())
        }
        VerifiedSourceId::TYPE => {
            require(ctx, Scope::MediaRead)?;
            let row = found(sources::get(app(ctx), user, VerifiedSourceId(uuid)).await)?;
            row.map(|row| VerifiedSource(row).into())
        }
        WebhookDeliveryId::TYPE => {
            require(ctx, Scope::WebhooksAdmin)?;
            let id = WebhookDeliveryId(uuid);
            let row = found(replay::delivery(app(ctx), user, id).await)?;
            row.map(|row| WebhookDelivery(row).into())
        }
        WebhookEndpointId::TYPE => {
            require(ctx, Scope::WebhooksAdmin)?;
            let row = found(webhooks::get(app(ctx), user, WebhookEndpointId(uuid)).await)?;
            row.map(|row| WebhookEndpoint(row).into())
        }
        _ => None,
    })
}

fn found<T>(result: Result<T, Error>) -> Result<Option<T>> {
    match result {
        Ok(row) => Ok(Some(row)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(raise("The object", error)),
    }
}
