//! Parts of a post that belong together.

use async_graphql::SimpleObject;
use clipqueue_entities::post;

use super::post_state::NextActor;
use crate::{
    domain::next_action,
    graphql::scalars::{BigInt, DateTime},
};

/// What a front end says beside the caption of an inbox post.
const HANDOFF: &str = "TikTok takes inbox drafts without text: copy the caption and paste it when you finish the draft in the TikTok app.";

/// The caption of an inbox post, for the creator to take along.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct CaptionHandoff {
    /// The caption.
    text: String,
    /// When the creator copied it; see `markCaptionCopied`.
    copied_at: Option<DateTime>,
    /// A sentence for the creator.
    explanation: &'static str,
}

impl From<&post::Model> for CaptionHandoff {
    fn from(post: &post::Model) -> Self {
        Self {
            text: post.caption.clone(),
            copied_at: post.caption_copied_at.map(DateTime),
            explanation: HANDOFF,
        }
    }
}

/// The creator's agreement to the text that TikTok demands for a direct post.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "PostConsent")]
pub(crate) struct Consent {
    /// Which text: `music-usage` or `branded-content-and-music-usage`. More may come.
    version: String,
    /// When the creator agreed.
    agreed_at: DateTime,
}

impl Consent {
    /// The agreement that is stored with a post.
    pub(crate) fn of(post: &post::Model) -> Option<Self> {
        Some(Self {
            version: post.consent_version.clone()?,
            agreed_at: post.consent_at?.into(),
        })
    }
}

/// Why a post failed.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PostFailure {
    /// Who can do something about it, as a word.
    class: String,
    /// TikTok's code or Clipqueue's.
    code: String,
    /// A sentence: what happened and what to do.
    message: String,
    /// Whether `retryPost` may help.
    retryable: bool,
}

impl PostFailure {
    /// The failure that is stored with a post.
    pub(crate) fn of(post: &post::Model) -> Option<Self> {
        Some(Self {
            class: post.failure_class.clone()?,
            code: post.failure_code.clone().unwrap_or_default(),
            message: post.failure_message.clone().unwrap_or_default(),
            retryable: post.failure_retryable,
        })
    }
}

/// How much of the video TikTok has taken in the current attempt.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "PostProgress")]
pub(crate) struct Progress {
    /// Bytes that TikTok acknowledged.
    bytes_sent: BigInt,
    /// All bytes of the video.
    bytes_total: BigInt,
    /// The same in whole percent, rounded down.
    percent: i32,
}

impl From<&post::Model> for Progress {
    fn from(post: &post::Model) -> Self {
        let percent = post
            .bytes_sent
            .saturating_mul(100)
            .checked_div(post.bytes_total)
            .unwrap_or_default();
        Self {
            bytes_sent: BigInt(post.bytes_sent),
            bytes_total: BigInt(post.bytes_total),
            percent: i32::try_from(percent).unwrap_or_default(),
        }
    }
}

/// What happens next with a post.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct NextAction {
    /// Who acts.
    actor: NextActor,
    /// What they do, in a sentence.
    text: String,
    /// When, if that is known.
    at: Option<DateTime>,
}

impl From<next_action::NextAction> for NextAction {
    fn from(action: next_action::NextAction) -> Self {
        Self {
            actor: action.actor.into(),
            text: action.text,
            at: action.at.map(DateTime),
        }
    }
}
