//! The inputs and the payload of the mutations of posts.

use async_graphql::{ID, InputObject, MaybeUndefined, Result, SimpleObject};
use clipqueue_entities::{AccountId, MediaId, Timestamp, post};

use crate::{
    domain::{
        error::Error,
        posts::{NewPost, PostEdit},
    },
    graphql::{
        ids::Global as _,
        scalars::DateTime,
        types::{direct::DirectPostInput, post::Post},
        user_error::{UserError, settle},
    },
};

/// A post to make.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct CreatePostInput {
    /// A text of your choice, such as a fresh UUID. The same key with the same request gives the same
    /// post again; with another request it is refused.
    pub(super) idempotency_key: String,
    /// The creator's account.
    account_id: ID,
    /// The video; it must be READY.
    media_id: ID,
    /// The caption: at most 2,200 UTF-16 units, never cut. TikTok takes inbox drafts without text, so
    /// there it is handed to the creator.
    #[graphql(default)]
    caption: String,
    /// The creator's choices for a direct post. When left out, the video goes to the creator's TikTok
    /// inbox as a draft.
    direct: Option<DirectPostInput>,
    /// Whether the creator agreed to the text that TikTok demands for a direct post.
    #[graphql(default)]
    creator_consent: bool,
    /// A label that joins posts of one experiment; 1 to 200 characters.
    experiment_label: Option<String>,
    /// Your own reference; 1 to 200 characters.
    upload_reference: Option<String>,
    /// When to post; at once, when left out.
    publish_at: Option<DateTime>,
    /// Keep it as an editable DRAFT; `submitPost` sends it on its way.
    #[graphql(default)]
    keep_draft: bool,
    /// Only check the request: nothing is written and `post` is null.
    #[graphql(default)]
    pub(super) validate_only: bool,
}

impl From<CreatePostInput> for NewPost {
    fn from(input: CreatePostInput) -> Self {
        Self {
            account_id: AccountId::from_global(&input.account_id),
            media_id: MediaId::from_global(&input.media_id),
            caption: input.caption,
            direct: input.direct.map(Into::into),
            creator_consent: input.creator_consent,
            experiment_label: input.experiment_label,
            upload_reference: input.upload_reference,
            publish_at: input.publish_at.map(|at| at.0),
            keep_draft: input.keep_draft,
        }
    }
}

/// An edit of a post that has not begun.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct UpdatePostInput {
    /// The post.
    pub(super) id: ID,
    /// The `version` that you saw; another one refuses the edit.
    pub(super) expected_version: i32,
    /// What changes.
    pub(super) changes: PostChanges,
}

/// What an edit changes. What is left out stays.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct PostChanges {
    /// A new caption.
    caption: Option<String>,
    /// New choices for a direct post. They need the creator's agreement anew.
    direct: Option<DirectPostInput>,
    /// Whether the creator agreed to TikTok's text for the new choices.
    #[graphql(default)]
    creator_consent: bool,
    /// A new label; null takes it away.
    experiment_label: MaybeUndefined<String>,
    /// A new reference; null takes it away.
    upload_reference: MaybeUndefined<String>,
    /// A new time; null means at once.
    publish_at: MaybeUndefined<DateTime>,
}

fn edit<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

impl From<PostChanges> for PostEdit {
    fn from(changes: PostChanges) -> Self {
        let instant = |at: Option<DateTime>| -> Option<Timestamp> { at.map(|at| at.0) };
        Self {
            caption: changes.caption,
            direct: changes.direct.map(Into::into),
            creator_consent: changes.creator_consent,
            experiment_label: edit(changes.experiment_label),
            upload_reference: edit(changes.upload_reference),
            publish_at: edit(changes.publish_at).map(instant),
        }
    }
}

/// A DRAFT to send on its way.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct SubmitPostInput {
    /// The post.
    pub(super) id: ID,
}

/// A post to stop.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct CancelPostInput {
    /// The post.
    pub(super) id: ID,
}

/// A post to try again.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct RetryPostInput {
    /// The post.
    pub(super) id: ID,
    /// A text of your choice, such as a fresh UUID. The same key tries the post again once only.
    pub(super) idempotency_key: String,
}

/// An inbox post whose caption the creator copied.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct MarkCaptionCopiedInput {
    /// The post.
    pub(super) id: ID,
}

/// The post that a mutation was about.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PostPayload {
    /// The post as it is now; also when the request was refused, if the post exists. Null when none
    /// was made or found.
    pub(super) post: Option<Post>,
    /// What the caller can put right; when it is not empty, nothing was done.
    pub(super) user_errors: Vec<UserError>,
}

impl PostPayload {
    /// From what the domain gave.
    pub(super) fn of(missing: &'static str, result: Result<post::Model, Error>) -> Result<Self> {
        let (post, user_errors) = settle(missing, result)?;
        Ok(Self {
            post: post.map(Post),
            user_errors,
        })
    }
}
