//! The events that TikTok tells of.

use serde_json::Value;

use crate::error::FailReason;
use crate::fields::Fields;
use crate::ids::{PostId, PublishId};
use crate::text::clean;

/// Longest unknown name that is kept, in characters.
const NAME_MAX_CHARS: usize = 80;

/// A publishing task, as notices name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its handle.
    pub publish_id: PublishId,
    /// Draft or direct, if the notice says so.
    pub publish_type: Option<PublishType>,
}

/// The kind of a publishing task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishType {
    /// A draft in the inbox.
    InboxShare,
    /// A direct post. Observed, not documented.
    DirectPublish,
    /// Something else.
    Unknown(String),
}

/// Why the app lost its access to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalReason {
    /// 0, or a number that is not documented.
    Unknown,
    /// 1: the user disconnected the app.
    UserDisconnected,
    /// 2: the account was deleted.
    AccountDeleted,
    /// 3: the user's age changed.
    AgeChanged,
    /// 4: the account was banned.
    AccountBanned,
    /// 5: the app itself revoked the grant.
    DeveloperRevoked,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A task failed.
    PublishFailed {
        /// Which.
        task: Task,
        /// Why.
        reason: Option<FailReason>,
    },
    /// A direct post is done, or the creator posted a draft. Can come several times for one draft.
    PublishComplete {
        /// Which.
        task: Task,
    },
    /// A draft is in the inbox.
    InboxDelivered {
        /// Which.
        task: Task,
    },
    /// A post became public.
    PubliclyAvailable {
        /// Of which task.
        task: Task,
        /// Which post.
        post_id: Option<PostId>,
    },
    /// A post is no longer public.
    NoLongerPubliclyAvailable {
        /// Of which task.
        task: Task,
        /// Which post.
        post_id: Option<PostId>,
    },
    /// The app lost its access; its tokens are dead already.
    AuthorizationRemoved {
        /// Why.
        reason: RemovalReason,
    },
    /// The test button of TikTok's portal.
    Ping,
    /// Another event, or one of the above without what makes it usable.
    Unknown {
        /// TikTok's name of it.
        name: String,
        /// Its content as it came.
        content: String,
    },
}

impl Event {
    pub(super) fn read(name: &str, content: &str) -> Self {
        let inner = match serde_json::from_str(content) {
            Ok(Value::Object(object)) => Fields(object),
            _ => Fields::default(),
        };
        Self::known(name, &inner).unwrap_or_else(|| Self::Unknown {
            name: clean(name, NAME_MAX_CHARS),
            content: content.to_owned(),
        })
    }

    fn known(name: &str, inner: &Fields) -> Option<Self> {
        let task = || {
            Some(Task {
                publish_id: PublishId::parse(inner.filled("publish_id")?).ok()?,
                publish_type: inner.filled("publish_type").map(PublishType::from_wire),
            })
        };
        let post_id = || inner.post_id("post_id");
        Some(match name {
            "post.publish.failed" => Self::PublishFailed {
                task: task()?,
                reason: inner.filled("reason").map(FailReason::from_wire),
            },
            "post.publish.complete" => Self::PublishComplete { task: task()? },
            "post.publish.inbox_delivered" => Self::InboxDelivered { task: task()? },
            // TikTok spells one of the two names with "publicaly"; each is taken in both spellings.
            "post.publish.publicly_available" | "post.publish.publicaly_available" => {
                Self::PubliclyAvailable {
                    task: task()?,
                    post_id: post_id(),
                }
            }
            "post.publish.no_longer_publicaly_available"
            | "post.publish.no_longer_publicly_available" => Self::NoLongerPubliclyAvailable {
                task: task()?,
                post_id: post_id(),
            },
            "authorization.removed" => Self::AuthorizationRemoved {
                reason: RemovalReason::from_wire(inner.signed("reason")),
            },
            "tiktok.ping" => Self::Ping,
            _ => return None,
        })
    }
}

impl PublishType {
    fn from_wire(text: &str) -> Self {
        match text {
            "INBOX_SHARE" => Self::InboxShare,
            "DIRECT_PUBLISH" => Self::DirectPublish,
            other => Self::Unknown(clean(other, NAME_MAX_CHARS)),
        }
    }
}

impl RemovalReason {
    fn from_wire(number: Option<i64>) -> Self {
        match number {
            Some(1) => Self::UserDisconnected,
            Some(2) => Self::AccountDeleted,
            Some(3) => Self::AgeChanged,
            Some(4) => Self::AccountBanned,
            Some(5) => Self::DeveloperRevoked,
            _ => Self::Unknown,
        }
    }
}
