//! Every id is its own type over a UUID, so that a post's id can never be taken for a job's.
//!
//! New ids are UUID version 7: they sort by time of creation, which keeps B-tree inserts at the
//! right edge and lets a keyset page order by id alone.

use std::{fmt, str::FromStr};

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not a UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdParseError;

impl fmt::Display for IdParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a valid id")
    }
}

impl std::error::Error for IdParseError {}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            DeriveValueType,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, later in order than every id made before by this process.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdParseError)
            }
        }

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    };
}

typed_id! {
    /// A person or a tool that owns everything below it: the tenant.
    UserId
}
typed_id! {
    /// A connected TikTok account.
    AccountId
}
typed_id! {
    /// An API key; the secret half is never stored.
    ApiKeyId
}
typed_id! {
    /// One uploaded file.
    MediaId
}
typed_id! {
    /// One post that somebody asked for.
    PostId
}
typed_id! {
    /// One video at TikTok whose counters are read.
    TrackedVideoId
}
typed_id! {
    /// One try at handing a post to TikTok.
    AttemptId
}
typed_id! {
    /// One stored proof of what happened.
    EvidenceId
}
typed_id! {
    /// An operator's session in the console.
    ConsoleSessionId
}
typed_id! {
    /// A tenant's session in a browser.
    UserSessionId
}
typed_id! {
    /// One unit of work in the queue.
    JobId
}
typed_id! {
    /// One notice that TikTok sent us.
    NoticeId
}
typed_id! {
    /// One recorded act of an operator.
    AuditId
}
typed_id! {
    /// One act on many jobs.
    BulkActId
}
typed_id! {
    /// What one run of the drift auditor found.
    DriftReportId
}
typed_id! {
    /// One erasure of somebody's data.
    ErasureId
}
typed_id! {
    /// An address that is told what happens.
    WebhookEndpointId
}
typed_id! {
    /// One event on its way to one address.
    WebhookDeliveryId
}
typed_id! {
    /// A host, or a part of one, that a tenant says is theirs.
    VerifiedSourceId
}
typed_id! {
    /// Everything about a tenant, written for them.
    DataExportId
}
typed_id! {
    /// A file that is fetched from a tenant's own address.
    MediaImportId
}
typed_id! {
    /// A caption or a set of hashtags that a tenant keeps.
    SavedTextId
}
typed_id! {
    /// A request to delete somebody's data, by somebody who cannot sign in.
    DeletionRequestId
}
typed_id! {
    /// A letter to somebody.
    MailId
}
typed_id! {
    /// A subscription at PayPal.
    SubscriptionId
}
