//! Keys that are restricted to some accounts: what they may ask, and what they see.
//!
//! Such a key may use the fields that are listed here and no other, so that a field which somebody adds
//! is closed to it until it tells accounts apart. An id of another account's names nothing: it is
//! turned into the nil id, which no row has.

use async_graphql::{Context, ID, Result};
use clipqueue_entities::{AccountId, PostId, account, post};

use super::{
    error::{ApiError, Code},
    guard::actor,
    ids::Global as _,
    loaders::load,
};
use crate::domain::actor::Actor;

/// The fields at the root that tell accounts apart, or have nothing of any account.
const AWARE: [&str; 29] = [
    "applySavedTexts",
    "cancelPost",
    "composeCaption",
    "confirmPost",
    "createPost",
    "createPosts",
    "createUpload",
    "creatorInfo",
    "deleteMedia",
    "deleteSavedText",
    "markCaptionCopied",
    "media",
    "mediaFolders",
    "moveMediaFolder",
    "node",
    "nodes",
    "postingBudget",
    "posts",
    "preflight",
    "releasePost",
    "retryPost",
    "saveText",
    "savedTexts",
    "submitPost",
    "tiktokAccounts",
    "updateMedia",
    "updatePost",
    "usage",
    "viewer",
];

/// Refuses a restricted key what does not tell accounts apart. Fields below the root are reached
/// through one that was let pass.
pub(super) fn check(ctx: &Context<'_>, actor: &Actor) -> Result<()> {
    let below = ctx.path_node.is_some_and(|node| node.parent.is_some());
    // The field's own name, whatever the document calls it.
    let field = ctx.item.node.name.node.as_str();
    if actor.accounts.is_none() || below || AWARE.contains(&field) {
        return Ok(());
    }
    let text = "The API key is restricted to some accounts and cannot use this. Use a key without such a \
                list.";
    Err(ApiError::new(Code::Forbidden, text).into())
}

/// The account of that id, if the key may use it; else one that is not there.
pub(crate) fn account(ctx: &Context<'_>, id: &ID) -> Result<AccountId> {
    Ok(seen(actor(ctx)?, AccountId::from_global(id)))
}

/// The account itself, if the key may use it; else one that is not there.
pub(crate) fn seen(actor: &Actor, id: AccountId) -> AccountId {
    match actor.may_use(id) {
        true => id,
        false => AccountId(uuid::Uuid::nil()),
    }
}

/// The post of that id, if the key may use its account; else one that is not there.
pub(crate) async fn post(ctx: &Context<'_>, id: &ID) -> Result<PostId> {
    let (actor, id) = (actor(ctx)?, PostId::from_global(id));
    if actor.accounts.is_none() {
        return Ok(id);
    }
    let row: Option<post::Model> = load(ctx, actor.user_id, id).await?;
    match row {
        Some(row) if actor.may_use(row.account_id) => Ok(id),
        _ => Ok(PostId(uuid::Uuid::nil())),
    }
}

/// Those of the accounts that the key may use.
pub(crate) fn visible(actor: &Actor, rows: Vec<account::Model>) -> Vec<account::Model> {
    let rows = rows.into_iter();
    rows.filter(|row| actor.may_use(row.id)).collect()
}
