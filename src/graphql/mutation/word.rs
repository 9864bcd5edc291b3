//! A person's word about a post: its owner's, or an operator's.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use clipqueue_entities::PostId;

use super::{posts::payload, posts_input::PostPayload};
use crate::{
    domain::{
        actor::Scope,
        posts::{self, Word},
    },
    graphql::{
        guard::{Needs, actor, app},
        ids::Global as _,
        restricted,
        scalars::Url,
        types::post_state::PostState,
        user_error::{UserError, settle},
    },
};

/// What the creator says became of a post.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct ConfirmPostInput {
    /// The post: UNCONFIRMED, IN_INBOX, LAPSED or PUBLISHED.
    id: ID,
    /// Whether it is on the creator's profile. "No" settles an UNCONFIRMED post as FAILED, to be
    /// retried, and an IN_INBOX draft as LAPSED. It is taken 15 minutes after a doubt began, since TikTok
    /// may still be working.
    posted: bool,
    /// TikTok's id of the video, if the creator knows it.
    video_id: Option<String>,
    /// The address of the video as the browser shows it, if the creator copied it. Short links are
    /// refused: they do not show the id.
    share_url: Option<Url>,
    /// A text of your choice, such as a fresh UUID. The same key says the same thing once only.
    idempotency_key: String,
}

/// What an operator knows of a post.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct SettlePostInput {
    /// The post, of whichever user.
    id: ID,
    /// Whether it is on the creator's profile; as in `confirmPost`.
    posted: bool,
    /// TikTok's id of the video, if it is known.
    video_id: Option<String>,
    /// The address of the video, if it is known.
    share_url: Option<Url>,
    /// How this is known; 1 to 500 characters. It is stored as the proof, with the name of the key's
    /// user.
    reason: String,
    /// A text of your choice, such as a fresh UUID. The same key says the same thing once only.
    idempotency_key: String,
}

/// What became of a post that an operator settled.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct SettlePostPayload {
    /// Where the post stands now; null when nothing was done.
    state: Option<PostState>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

#[derive(Debug, Default)]
pub(crate) struct WordMutations;

#[Object]
impl WordMutations {
    /// Says what became of a post, as the creator saw it in TikTok. TikTok's own later word may still
    /// correct it. Needs the scope `posts:write`.
    #[graphql(guard = "Needs(Scope::PostsWrite)")]
    async fn confirm_post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the creator says.")] input: ConfirmPostInput,
    ) -> Result<PostPayload> {
        let id = restricted::post(ctx, &input.id).await?;
        let word = Word {
            posted: input.posted,
            video_id: input.video_id,
            share_url: input.share_url.map(|url| url.0),
        };
        let key = &input.idempotency_key;
        let post = posts::confirm(app(ctx), actor(ctx)?, id, &word, key).await;
        payload(ctx, id, post).await
    }

    /// Says what became of a post of any user, as an operator found out. It is recorded on the post's
    /// timeline with its reason. Needs the scope `ops:admin`.
    #[graphql(guard = "Needs(Scope::OpsAdmin)")]
    async fn settle_post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the operator knows.")] input: SettlePostInput,
    ) -> Result<SettlePostPayload> {
        let id = PostId::from_global(&input.id);
        let word = Word {
            posted: input.posted,
            video_id: input.video_id,
            share_url: input.share_url.map(|url| url.0),
        };
        let (reason, key) = (&input.reason, &input.idempotency_key);
        let post = posts::settle(app(ctx), actor(ctx)?, id, &word, reason, key).await;
        let (post, user_errors) = settle("id", post)?;
        Ok(SettlePostPayload {
            state: post.map(|post| post.state.into()),
            user_errors,
        })
    }
}
