//! Keeping files in order, and texts for posts; and giving users their plan.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use clipqueue_entities::{MediaId, SavedTextId};

use super::{posts, posts_input::PostPayload};
use crate::{
    domain::{
        actor::Scope,
        library::{
            self, Edit, folders,
            texts::{self, Parts},
        },
        plans,
    },
    graphql::{
        guard::{Needs, actor, app},
        ids::Global as _,
        restricted,
        scalars::{BigInt, DateTime},
        types::{
            library::{SavedText, SavedTextKind},
            media::Media,
            usage::{Plan, PlanKind},
        },
        user_error::{UserError, settle},
    },
};

/// What changes about a file. A field that is left out stays.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct UpdateMediaInput {
    /// The file.
    id: ID,
    /// Another folder, such as `2027/may`; empty for the top.
    folder: Option<String>,
    /// All labels anew; at most 20, of 50 characters.
    labels: Option<Vec<String>>,
    /// Another note, to be taken as a caption; null takes it away.
    caption: MaybeUndefined<String>,
    /// Another reference of your own; null takes it away.
    reference: MaybeUndefined<String>,
}

/// The file that was changed.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct UpdateMediaPayload {
    /// The file as it is now.
    media: Option<Media>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// A folder to move.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct MoveMediaFolderInput {
    /// Its path.
    from: String,
    /// Its new path; empty to move what is in it to the top.
    to: String,
}

/// What was moved.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct MoveMediaFolderPayload {
    /// Files that were moved, those in folders below included.
    moved: Option<BigInt>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// A text to keep.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct SaveTextInput {
    /// What it is for.
    kind: SavedTextKind,
    /// Its name; 1 to 100 characters. A text of the same kind and name is replaced.
    name: String,
    /// The text; hashtags with or without their sign, by spaces or commas.
    body: String,
}

/// A text to forget.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct DeleteSavedTextInput {
    /// The text.
    id: ID,
}

/// The text that a mutation was about.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct SavedTextPayload {
    /// The text.
    saved_text: Option<SavedText>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// Saved texts to put on a post.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct ApplySavedTextsInput {
    /// The post; it must not have begun.
    post_id: ID,
    /// The version that you saw.
    expected_version: i32,
    /// A saved caption in place of the post's; its own stays, when left out.
    caption_id: Option<ID>,
    /// Saved sets of hashtags, to be put behind it; a hashtag that is there already is not repeated.
    hashtag_set_ids: Option<Vec<ID>>,
}

/// A plan to give.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct SetPlanInput {
    /// The user's name.
    user_name: String,
    /// The plan.
    plan: PlanKind,
    /// When it ends and the user is on the FREE one; never, when left out.
    ends_at: Option<DateTime>,
}

/// The plan that was given.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct SetPlanPayload {
    /// The user's plan as it is now.
    plan: Option<Plan>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// `null` as taking away, a value as another one.
fn change(field: MaybeUndefined<String>) -> Option<Option<String>> {
    match field {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(text) => Some(Some(text)),
    }
}

#[derive(Debug, Default)]
pub(crate) struct LibraryMutations;

#[Object]
impl LibraryMutations {
    /// Changes what you keep about a file: folder, labels, note, reference. What was deleted or refused
    /// keeps its row and can be changed too. Needs the scope `media:write`.
    #[graphql(guard = "Needs(Scope::MediaWrite)")]
    async fn update_media(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateMediaInput,
    ) -> Result<UpdateMediaPayload> {
        let id = MediaId::from_global(&input.id);
        let edit = Edit {
            folder: input.folder,
            labels: input.labels,
            caption: change(input.caption),
            reference: change(input.reference),
        };
        let edited = library::edit(app(ctx), actor(ctx)?, id, edit).await;
        let (media, user_errors) = settle("id", edited)?;
        Ok(UpdateMediaPayload {
            media: media.map(Media),
            user_errors,
        })
    }

    /// Moves a folder with everything in it to another path. Needs the scope `media:write`.
    #[graphql(guard = "Needs(Scope::MediaWrite)")]
    async fn move_media_folder(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The folder.")] input: MoveMediaFolderInput,
    ) -> Result<MoveMediaFolderPayload> {
        let moved = folders::rename(app(ctx), actor(ctx)?, &input.from, &input.to).await;
        let (moved, user_errors) = settle("from", moved)?;
        Ok(MoveMediaFolderPayload {
            moved: moved.map(BigInt::from),
            user_errors,
        })
    }

    /// Keeps a caption or a set of hashtags under a name. Repeating it changes nothing. Needs the scope
    /// `posts:write`.
    #[graphql(guard = "Needs(Scope::PostsWrite)")]
    async fn save_text(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The text.")] input: SaveTextInput,
    ) -> Result<SavedTextPayload> {
        let (app, actor) = (app(ctx), actor(ctx)?);
        let saved = texts::save(app, actor, input.kind.into(), input.name, &input.body).await;
        let (text, user_errors) = settle("name", saved)?;
        Ok(SavedTextPayload {
            saved_text: text.map(SavedText),
            user_errors,
        })
    }

    /// Forgets a saved text; posts that were made of it stay as they are. Needs the scope
    /// `posts:write`.
    #[graphql(guard = "Needs(Scope::PostsWrite)")]
    async fn delete_saved_text(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The text.")] input: DeleteSavedTextInput,
    ) -> Result<SavedTextPayload> {
        let id = SavedTextId::from_global(&input.id);
        let deleted = texts::delete(app(ctx), actor(ctx)?, id).await;
        let (text, user_errors) = settle("id", deleted)?;
        Ok(SavedTextPayload {
            saved_text: text.map(SavedText),
            user_errors,
        })
    }

    /// Puts a saved caption and saved hashtags on a post that has not begun. Needs the scope
    /// `posts:write`.
    #[graphql(
        guard = "Needs(Scope::PostsWrite)",
        complexity = "10 + child_complexity"
    )]
    async fn apply_saved_texts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The texts.")] input: ApplySavedTextsInput,
    ) -> Result<PostPayload> {
        let (app, actor) = (app(ctx), actor(ctx)?);
        let id = restricted::post(ctx, &input.post_id).await?;
        let parts = Parts {
            text: None,
            caption: input.caption_id.as_ref().map(SavedTextId::from_global),
            hashtags: input
                .hashtag_set_ids
                .iter()
                .flatten()
                .map(SavedTextId::from_global)
                .collect(),
        };
        // The future of an edit is large.
        let version = input.expected_version;
        let applied = Box::pin(texts::apply(app, actor, id, version, parts)).await;
        posts::payload_of(ctx, "postId", id, applied).await
    }

    /// Gives a user a plan. Needs the scope `ops:admin`.
    #[graphql(guard = "Needs(Scope::OpsAdmin)")]
    async fn set_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The plan.")] input: SetPlanInput,
    ) -> Result<SetPlanPayload> {
        let end = input.ends_at.map(|at| at.0);
        let (app, by) = (app(ctx), Some(actor(ctx)?));
        let set = plans::set(app, by, &input.user_name, input.plan.into(), end).await;
        let (set, user_errors) = settle("userName", set)?;
        Ok(SetPlanPayload {
            plan: set.map(|(_, plan)| Plan(plan)),
            user_errors,
        })
    }
}
