//! The inputs and the payload of the mutations of posts.

use async_graphql::{ID, InputObject, MaybeUndefined, Result, SimpleObject};
use clipqueue_entities::{AccountId, MediaId, Timestamp, post};

use crate::{
    domain::{
        error::{Code, Error, Refusal},
        posts::{NewPost, PostEdit, Row},
    },
    graphql::{
        ids::Global as _,
        scalars::DateTime,
        types::{
            direct::DirectPostInput,
            photos::PhotosInput,
            post::Post,
            when::{LateInput, LocalTimeInput},
        },
        user_error::{UserError, settle},
    },
};

/// A post to make.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct CreatePostInput {
    /// A text of your choice, such as a fresh UUID. The same key with the same request gives the same
    /// post again; with another request it is refused.
    pub(super) idempotency_key: String,
    /// The post itself.
    #[graphql(flatten)]
    pub(super) post: PostInput,
    /// Only check the request: nothing is written and `post` is null.
    #[graphql(default)]
    pub(super) validate_only: bool,
}

/// Several posts to make.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct CreatePostsInput {
    /// A text of your choice, such as a fresh UUID. It stands for all rows together: with other rows
    /// it is refused. Each row makes one post at most. Repeated, the request gives the posts that were
    /// made, as they are now, and tries the rows that were refused again.
    pub(super) idempotency_key: String,
    /// The posts, 1 to 500. A body may have 1 MiB.
    pub(super) posts: Vec<PostInput>,
    /// Make all or none; otherwise each row that is good is made.
    #[graphql(default)]
    pub(super) all_or_nothing: bool,
    /// Only check the rows: nothing is written.
    #[graphql(default)]
    pub(super) validate_only: bool,
}

/// A post as one row of `createPosts`.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct PostInput {
    /// The creator's account.
    account_id: ID,
    /// The video; it must be READY. A post has either this or `photos`.
    media_id: Option<ID>,
    /// The photos, which TikTok fetches from this server. A post has either these or `mediaId`.
    photos: Option<PhotosInput>,
    /// The caption: at most 2,200 UTF-16 units for a video and 4,000 for photos, never cut. TikTok takes
    /// inbox drafts of videos without text, so there it is handed to the creator.
    #[graphql(default)]
    caption: String,
    /// The creator's choices for a direct post. When left out, the video or the photos go to the
    /// creator's TikTok inbox as a draft.
    direct: Option<DirectPostInput>,
    /// Whether the creator agreed to the text that TikTok demands for a direct post.
    #[graphql(default)]
    creator_consent: bool,
    /// A label that joins posts of one experiment; 1 to 200 characters.
    experiment_label: Option<String>,
    /// Which variant of that experiment it is; 1 to 200 characters.
    experiment_variant: Option<String>,
    /// Your own reference; 1 to 200 characters.
    upload_reference: Option<String>,
    /// When to post; at once, when left out.
    publish_at: Option<DateTime>,
    /// The same as a local time in a zone; give one of the two.
    publish_at_local: Option<LocalTimeInput>,
    /// What becomes of it when it cannot be sent at its time. When left out, it is sent within
    /// `posts.late_limit` (6 hours by default), not counting what the creator keeps it waiting.
    late: Option<LateInput>,
    /// Keep it as an editable DRAFT; `submitPost` sends it on its way.
    #[graphql(default)]
    keep_draft: bool,
}

impl From<PostInput> for NewPost {
    fn from(input: PostInput) -> Self {
        Self {
            account_id: AccountId::from_global(&input.account_id),
            media_id: input.media_id.as_ref().map(MediaId::from_global),
            photos: input.photos.map(Into::into),
            caption: input.caption,
            direct: input.direct.map(Into::into),
            creator_consent: input.creator_consent,
            experiment_label: input.experiment_label,
            experiment_variant: input.experiment_variant,
            upload_reference: input.upload_reference,
            publish_at: input.publish_at.map(|at| at.0),
            local: input.publish_at_local.map(Into::into),
            late: input.late.map(Into::into),
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
    /// Other photos, or the same in another order, with their cover, title and music.
    photos: Option<PhotosInput>,
    /// New choices for a direct post. They need the creator's agreement anew.
    direct: Option<DirectPostInput>,
    /// Whether the creator agreed to TikTok's text for the new choices.
    #[graphql(default)]
    creator_consent: bool,
    /// A new label; null takes it away.
    experiment_label: MaybeUndefined<String>,
    /// A new variant; null takes it away.
    experiment_variant: MaybeUndefined<String>,
    /// A new reference; null takes it away.
    upload_reference: MaybeUndefined<String>,
    /// A new time; null means at once.
    publish_at: MaybeUndefined<DateTime>,
    /// A new local time in a zone. A local time that stays is turned into an instant anew, by the zone's
    /// rules of today.
    publish_at_local: Option<LocalTimeInput>,
    /// A new rule for lateness; null means the installation's.
    late: MaybeUndefined<LateInput>,
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
            photos: changes.photos.map(Into::into),
            direct: changes.direct.map(Into::into),
            creator_consent: changes.creator_consent,
            experiment_label: edit(changes.experiment_label),
            experiment_variant: edit(changes.experiment_variant),
            upload_reference: edit(changes.upload_reference),
            publish_at: edit(changes.publish_at).map(instant),
            local: changes.publish_at_local.map(Into::into),
            late: edit(changes.late).map(|late| late.map(Into::into)),
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

/// A late post to send now.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct ReleasePostInput {
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

/// What became of one row of `createPosts`.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct CreatePostsRow {
    /// The place of the row in the request, from 0.
    row: i32,
    /// The post as it is now; null when the row was refused or nothing was to be made.
    post: Option<Post>,
    /// Why the row was refused, with paths such as `["input", "posts", "3", "caption"]`.
    user_errors: Vec<UserError>,
}

/// What became of several posts.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct CreatePostsPayload {
    /// One entry a row, in the order of the request; empty when the request was refused as a whole.
    rows: Vec<CreatePostsRow>,
    /// How many rows have a post.
    created: i32,
    /// How many rows were refused.
    refused: i32,
    /// What is wrong with the request as a whole; when it is not empty, nothing was done. What is wrong
    /// with a row is in the row.
    user_errors: Vec<UserError>,
}

impl CreatePostsPayload {
    /// From what the domain gave.
    pub(super) fn of(result: Result<Vec<Row>, Error>, all_or_nothing: bool) -> Result<Self> {
        let (rows, mut user_errors) = settle("idempotencyKey", result)?;
        let rows: Vec<CreatePostsRow> = rows
            .unwrap_or_default()
            .into_iter()
            .enumerate()
            .map(|(index, row)| {
                let (post, refusals) = match row {
                    Row::Made(post) => (Some(Post(*post)), Vec::new()),
                    Row::Refused(refusals) => (None, refusals),
                    Row::Good => (None, Vec::new()),
                };
                CreatePostsRow {
                    row: count(index),
                    post,
                    user_errors: refusals
                        .into_iter()
                        .map(|refusal| UserError::of_row(refusal, index))
                        .collect(),
                }
            })
            .collect();
        let created = rows.iter().filter(|row| row.post.is_some()).count();
        let refused = rows
            .iter()
            .filter(|row| !row.user_errors.is_empty())
            .count();
        if all_or_nothing && refused > 0 && created == 0 {
            let refusal = Refusal::new(
                "posts",
                Code::BatchRefused,
                format!("{refused} rows are refused, so none was made; see the errors of the rows"),
            );
            user_errors.push(refusal.into());
        }
        Ok(Self {
            created: count(created),
            refused: count(refused),
            rows,
            user_errors,
        })
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
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
