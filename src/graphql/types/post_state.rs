//! Where a post stands, in words.

use async_graphql::Enum;

/// Where a post stands. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::post::PostState")]
pub(crate) enum PostState {
    /// Being written; nothing is queued.
    Draft,
    /// Waiting for its time.
    Scheduled,
    /// Waiting for a person, or for a cap to free; `holdReason` says for what.
    Held,
    /// Being checked against the creator's account, caps and file.
    Preflight,
    /// TikTok is being told of it.
    InitSent,
    /// Bytes are going to TikTok.
    Uploading,
    /// TikTok has every byte and works on it.
    Processing,
    /// In the creator's TikTok inbox: the creator must finish it.
    InInbox,
    /// TikTok says that it is posted.
    Published,
    /// It may or may not exist at TikTok. It is never sent again blindly; evidence decides.
    Unconfirmed,
    /// Over, and nothing was posted; `failure` says why.
    Failed,
    /// Stopped by somebody before TikTok had it.
    Cancelled,
    /// Its time passed while it could not be sent.
    Missed,
    /// The creator never finished the inbox draft.
    Lapsed,
}

/// What is posted. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::post::PostKind")]
pub(crate) enum PostKind {
    /// One video.
    Video,
    /// One to 35 photos.
    Photo,
}

/// The state in four words, for those who need no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "PostPhase", remote = "crate::domain::post_state::Phase")]
pub(crate) enum PostPhase {
    /// Not begun: DRAFT, SCHEDULED, HELD.
    Scheduled,
    /// On its way, or in doubt: PREFLIGHT, INIT_SENT, UPLOADING, PROCESSING, UNCONFIRMED.
    Running,
    /// Where it was meant to go: IN_INBOX, PUBLISHED.
    Finished,
    /// It will not get there by itself: FAILED, CANCELLED, MISSED, LAPSED.
    Failed,
}

/// How a post reaches TikTok.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::post::PostMode")]
pub(crate) enum PostMode {
    /// Into the creator's TikTok inbox, to be finished there.
    Inbox,
    /// Straight onto the profile.
    Direct,
}

/// Who must act next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::domain::next_action::NextActor")]
pub(crate) enum NextActor {
    /// The creator, or the front end on the creator's behalf.
    Creator,
    /// TikTok.
    Tiktok,
    /// Clipqueue, by itself.
    Clipqueue,
    /// Whoever runs this installation.
    Operator,
}
