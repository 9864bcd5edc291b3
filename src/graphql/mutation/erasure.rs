//! Leaving: disconnecting one TikTok account, or deleting everything.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use clipqueue_entities::AccountId;

use crate::{
    domain::{actor::Scope, erasure},
    graphql::{
        guard::{Needs, actor, app},
        ids::Global as _,
        types::erasure::Erasure,
        user_error::{UserError, settle},
    },
};

/// The TikTok account to disconnect.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct DisconnectTikTokInput {
    /// The account's id.
    id: ID,
    /// A text of your choice, such as a fresh UUID. The same key gives the same erasure.
    idempotency_key: String,
}

/// What is deleted.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "DisconnectTikTokPayload")]
pub(crate) struct DisconnectTikTokPayload {
    /// The erasure, which has begun.
    erasure: Option<Erasure>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// Everything that belongs to the caller.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct DeleteAccountInput {
    /// The name of the user whom this key acts for, as `viewer` shows it, so that nobody does this by
    /// mistake.
    confirm_name: String,
    /// A text of your choice, such as a fresh UUID. The same key gives the same erasure, for as long as
    /// the API key is still known.
    idempotency_key: String,
}

/// What is deleted.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct DeleteAccountPayload {
    /// The erasure, which has begun. Keep its code: the API key that asked no longer works.
    erasure: Option<Erasure>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

#[derive(Debug, Default)]
pub(crate) struct Leaving;

#[Object]
impl Leaving {
    /// Ends the grant at TikTok and deletes the account here: its tokens, profile, posts, waiting jobs,
    /// and the files that no other account's post has. It begins at once and cannot be undone; what
    /// TikTok was handed before stays at TikTok and is listed on the receipt. When it was the last
    /// account of a user without an API key, nobody could sign in as this user any more: the user is
    /// deleted after it, with everything. Needs the scope `accounts:connect`.
    #[graphql(name = "disconnectTikTok", guard = "Needs(Scope::AccountsConnect)")]
    async fn disconnect_tiktok(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] input: DisconnectTikTokInput,
    ) -> Result<DisconnectTikTokPayload> {
        let (app, actor) = (app(ctx), actor(ctx)?);
        let id = AccountId::from_global(&input.id);
        let accepted = erasure::disconnect(app, actor, id, &input.idempotency_key).await;
        let (accepted, user_errors) = settle("id", accepted)?;
        Ok(DisconnectTikTokPayload {
            erasure: accepted.map(|accepted| Erasure::new(app, accepted)),
            user_errors,
        })
    }

    /// Deletes the user whom the key acts for, with everything: every TikTok account, post, file, key
    /// and record. All keys and sessions end with the answer. It begins at once and cannot be undone.
    /// Needs the scope `account:delete`.
    #[graphql(guard = "Needs(Scope::AccountDelete)")]
    async fn delete_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The confirmation.")] input: DeleteAccountInput,
    ) -> Result<DeleteAccountPayload> {
        let (app, actor) = (app(ctx), actor(ctx)?);
        let key = &input.idempotency_key;
        let accepted = erasure::delete_user(app, actor, &input.confirm_name, key).await;
        let (accepted, user_errors) = settle("confirmName", accepted)?;
        Ok(DeleteAccountPayload {
            erasure: accepted.map(|accepted| Erasure::new(app, accepted)),
            user_errors,
        })
    }
}
