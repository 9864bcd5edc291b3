//! What the caller keeps: folders, saved texts, labels of experiments; and what was used of the plan.

use async_graphql::{Context, ID, InputObject, Object, Result};
use clipqueue_entities::{SavedTextId, post::PostKind};

use crate::{
    domain::{
        actor::Scope,
        library::{
            experiments, folders,
            texts::{self, Parts},
        },
        plans::{self, usage},
        post_settings::caption_refusal,
    },
    graphql::{
        cost,
        error::ApiError,
        guard::{Needs, actor, app},
        ids::Global as _,
        types::{
            library::{ComposedCaption, ExperimentLabel, MediaFolder, SavedText, SavedTextKind},
            usage::Usage,
        },
        user_error::raise,
    },
};

/// The length of a list of folders, texts or labels that a cost assumes.
const LIST: usize = 20;
/// What counting costs beside the fields.
const COUNT: usize = 5;

/// What a caption is put together of.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct ComposeCaptionInput {
    /// A text; left out when a saved caption is named.
    text: Option<String>,
    /// A saved caption.
    caption_id: Option<ID>,
    /// Saved sets of hashtags, to be put behind it; a hashtag that is there already is not repeated.
    hashtag_set_ids: Option<Vec<ID>>,
}

#[derive(Debug, Default)]
pub(crate) struct LibraryQueries;

#[Object]
impl LibraryQueries {
    /// What you used of your plan. Needs the scope `accounts:read`.
    #[graphql(
        guard = "Needs(Scope::AccountsRead)",
        complexity = "COUNT + child_complexity"
    )]
    async fn usage(&self, ctx: &Context<'_>) -> Result<Usage> {
        let usage = usage::of(app(ctx), actor(ctx)?.user_id).await;
        usage.map(Usage).map_err(|error| raise("Usage", error))
    }

    /// What any user used of the plan. Needs the scope `ops:read`.
    #[graphql(
        guard = "Needs(Scope::OpsRead)",
        complexity = "COUNT + child_complexity"
    )]
    async fn usage_of(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's name.")] user_name: String,
    ) -> Result<Usage> {
        let fail = |error| raise("User", error);
        let (user, _) = plans::of_name(app(ctx), &user_name).await.map_err(fail)?;
        let usage = usage::of(app(ctx), user.id).await;
        usage.map(Usage).map_err(fail)
    }

    /// The folders that hold files, by path; 1000 at most. Needs the scope `media:read`.
    #[graphql(
        guard = "Needs(Scope::MediaRead)",
        complexity = "cost::list(LIST, child_complexity)"
    )]
    async fn media_folders(&self, ctx: &Context<'_>) -> Result<Vec<MediaFolder>> {
        let found = folders::list(app(ctx), actor(ctx)?.user_id).await;
        let found = found.map_err(|error| raise("Folder", error))?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Saved captions and sets of hashtags, by name. Needs the scope `posts:read`.
    #[graphql(
        guard = "Needs(Scope::PostsRead)",
        complexity = "cost::list(LIST, child_complexity)"
    )]
    async fn saved_texts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only texts of this kind.")] kind: Option<SavedTextKind>,
    ) -> Result<Vec<SavedText>> {
        let found = texts::list(app(ctx), actor(ctx)?.user_id, kind.map(Into::into)).await;
        let found = found.map_err(|error| raise("Saved text", error))?;
        Ok(found.into_iter().map(SavedText).collect())
    }

    /// Puts a caption together of saved texts, to be given to `createPost`. Needs the scope
    /// `posts:read`.
    #[graphql(
        guard = "Needs(Scope::PostsRead)",
        complexity = "COUNT + child_complexity"
    )]
    async fn compose_caption(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The parts.")] input: ComposeCaptionInput,
    ) -> Result<ComposedCaption> {
        let parts = Parts {
            text: input.text,
            caption: input.caption_id.as_ref().map(SavedTextId::from_global),
            hashtags: input
                .hashtag_set_ids
                .iter()
                .flatten()
                .map(SavedTextId::from_global)
                .collect(),
        };
        let composed = texts::compose(app(ctx), actor(ctx)?.user_id, &parts).await;
        let composed = composed.map_err(|error| raise("Saved text", error))?;
        let caption = composed.map_err(|_| ApiError::not_found("Saved text"))?;
        let problem = caption_refusal(&caption, PostKind::Video);
        Ok(ComposedCaption {
            problem: problem.map(|refusal| refusal.message),
            caption,
        })
    }

    /// The labels of experiments that posts have, with their variants; `experiment` shows one. Needs
    /// the scope `posts:read`.
    #[graphql(
        guard = "Needs(Scope::PostsRead)",
        complexity = "cost::list(LIST, child_complexity)"
    )]
    async fn experiment_labels(&self, ctx: &Context<'_>) -> Result<Vec<ExperimentLabel>> {
        let found = experiments::list(app(ctx), actor(ctx)?.user_id).await;
        let found = found.map_err(|error| raise("Experiment", error))?;
        Ok(found.into_iter().map(Into::into).collect())
    }
}
