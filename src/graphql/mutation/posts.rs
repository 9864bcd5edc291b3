//! Making, changing and stopping posts.

use async_graphql::{Context, Object, Result};
use clipqueue_entities::{PostId, post};

use super::posts_input::{
    CancelPostInput, CreatePostInput, CreatePostsInput, CreatePostsPayload, MarkCaptionCopiedInput,
    PostPayload, ReleasePostInput, RetryPostInput, SubmitPostInput, UpdatePostInput,
};
use crate::{
    domain::{
        actor::Scope,
        error::Error,
        posts::{self, NewPost},
    },
    graphql::{
        cost,
        guard::{Needs, actor, app},
        restricted,
        types::post::Post,
        user_error::settle,
    },
};

/// The payload of a mutation of the post `id`; a refusal comes with the post as it is.
pub(super) async fn payload(
    ctx: &Context<'_>,
    id: PostId,
    result: Result<post::Model, Error>,
) -> Result<PostPayload> {
    payload_of(ctx, "id", id, result).await
}

/// The same where another field than `id` names the post.
pub(super) async fn payload_of(
    ctx: &Context<'_>,
    field: &'static str,
    id: PostId,
    result: Result<post::Model, Error>,
) -> Result<PostPayload> {
    let refused = matches!(result, Err(Error::Refused(_)));
    let mut payload = PostPayload::of(field, result)?;
    if refused {
        let current = posts::get(app(ctx).db.read(), actor(ctx)?.user_id, id).await;
        payload.post = current.ok().map(Post);
    }
    Ok(payload)
}

#[derive(Debug, Default)]
pub(crate) struct PostMutations;

#[Object]
impl PostMutations {
    /// Accepts a post and answers at once; what becomes of it is seen by `postUpdated`. Needs the
    /// scope `posts:write`.
    #[graphql(
        guard = "Needs(Scope::PostsWrite)",
        complexity = "10 + child_complexity"
    )]
    async fn create_post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post.")] input: CreatePostInput,
    ) -> Result<PostPayload> {
        let (app, actor) = (app(ctx), actor(ctx)?);
        let (key, validate_only) = (input.idempotency_key.clone(), input.validate_only);
        let mut new: NewPost = input.post.into();
        new.account_id = restricted::seen(actor, new.account_id);
        if validate_only {
            let checked = posts::check(app, actor, &new).await;
            let (_, user_errors) = settle("idempotencyKey", checked)?;
            return Ok(PostPayload {
                post: None,
                user_errors,
            });
        }
        let post = posts::create(app, actor, new, &key).await;
        PostPayload::of("idempotencyKey", post)
    }

    /// Accepts up to 500 posts in one transaction, with a result for each row. Ten rows cost what one
    /// object does. Needs the scope `posts:write`.
    #[graphql(
        guard = "Needs(Scope::PostsWrite)",
        complexity = "10 + cost::rows(input.posts.len(), child_complexity)"
    )]
    async fn create_posts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The posts.")] input: CreatePostsInput,
    ) -> Result<CreatePostsPayload> {
        let (all, check_only) = (input.all_or_nothing, input.validate_only);
        let (app, actor) = (app(ctx), actor(ctx)?);
        let mut rows: Vec<NewPost> = input.posts.into_iter().map(Into::into).collect();
        for row in &mut rows {
            row.account_id = restricted::seen(actor, row.account_id);
        }
        let key = &input.idempotency_key;
        let made = posts::create_many(app, actor, rows, all, check_only, key).await;
        CreatePostsPayload::of(made, all)
    }

    /// Sends a DRAFT on its way. A post that is on its way already stays as it is. Needs the scope
    /// `posts:write`.
    #[graphql(
        guard = "Needs(Scope::PostsWrite)",
        complexity = "10 + child_complexity"
    )]
    async fn submit_post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post.")] input: SubmitPostInput,
    ) -> Result<PostPayload> {
        let id = restricted::post(ctx, &input.id).await?;
        payload(ctx, id, posts::submit(app(ctx), actor(ctx)?, id).await).await
    }

    /// Edits a DRAFT, SCHEDULED or HELD post. Needs the scope `posts:write`.
    #[graphql(
        guard = "Needs(Scope::PostsWrite)",
        complexity = "10 + child_complexity"
    )]
    async fn update_post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The edit.")] input: UpdatePostInput,
    ) -> Result<PostPayload> {
        let id = restricted::post(ctx, &input.id).await?;
        let (app, actor) = (app(ctx), actor(ctx)?);
        let changes = input.changes.into();
        let post = posts::update(app, actor, id, input.expected_version, changes).await;
        payload(ctx, id, post).await
    }

    /// Stops a post. While it is being uploaded it ends CANCELLED before the last chunk; what TikTok
    /// has whole cannot be taken back here. Of photos that TikTok is fetching, TikTok is asked to stop:
    /// the post ends CANCELLED if it does, and goes on if it does not. Needs the scope `posts:write`.
    #[graphql(guard = "Needs(Scope::PostsWrite)")]
    async fn cancel_post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post.")] input: CancelPostInput,
    ) -> Result<PostPayload> {
        let id = restricted::post(ctx, &input.id).await?;
        payload(ctx, id, posts::cancel(app(ctx), actor(ctx)?, id).await).await
    }

    /// Sends a post now that is HELD because its time passed (`holdReason` is `late`). One that is on its
    /// way already stays as it is. Needs the scope `posts:write`.
    #[graphql(
        guard = "Needs(Scope::PostsWrite)",
        complexity = "10 + child_complexity"
    )]
    async fn release_post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post.")] input: ReleasePostInput,
    ) -> Result<PostPayload> {
        let id = restricted::post(ctx, &input.id).await?;
        payload(ctx, id, posts::release(app(ctx), actor(ctx)?, id).await).await
    }

    /// Tries a FAILED, MISSED or CANCELLED post again, when that can help. Needs the scope
    /// `posts:write`.
    #[graphql(
        guard = "Needs(Scope::PostsWrite)",
        complexity = "10 + child_complexity"
    )]
    async fn retry_post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post.")] input: RetryPostInput,
    ) -> Result<PostPayload> {
        let id = restricted::post(ctx, &input.id).await?;
        let (app, actor) = (app(ctx), actor(ctx)?);
        let post = posts::retry(app, actor, id, &input.idempotency_key).await;
        payload(ctx, id, post).await
    }

    /// Notes that the creator copied the caption of an inbox post. Needs the scope `posts:write`.
    #[graphql(guard = "Needs(Scope::PostsWrite)")]
    async fn mark_caption_copied(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post.")] input: MarkCaptionCopiedInput,
    ) -> Result<PostPayload> {
        let id = restricted::post(ctx, &input.id).await?;
        payload(
            ctx,
            id,
            posts::caption_copied(app(ctx), actor(ctx)?, id).await,
        )
        .await
    }
}
