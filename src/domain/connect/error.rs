//! Why a callback comes to nothing.

use tiktok::Class;

use crate::{calls::Wait, domain::error::Error};

/// Why a callback connects nothing. Each is a page that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The creator said no.
    #[error("the creator did not agree")]
    Denied,
    /// The query is not TikTok's.
    #[error("the address is incomplete")]
    Malformed,
    /// The state is unknown or was made elsewhere.
    #[error("the state is unknown")]
    UnknownState,
    /// The state was used before.
    #[error("the state was used before")]
    UsedState,
    /// The creator took too long.
    #[error("the state has expired")]
    ExpiredState,
    /// Another browser began it.
    #[error("another browser began the consent")]
    OtherBrowser,
    /// The account belongs to another user of this installation.
    #[error("the account is connected by somebody else")]
    Taken,
    /// Nobody has the account, and new users are not taken.
    #[error("nobody has connected the account, and new users are not taken")]
    NoSignUp,
    /// What the proof was for is over, or never was.
    #[error("nothing asked for the proof")]
    NotAsked,
    /// Whoever connects, or the account, is being erased.
    #[error("the account is being deleted")]
    Leaving,
    /// TikTok did not take the code.
    #[error("TikTok refused the code")]
    Refused(#[source] Box<tiktok::Error>),
    /// TikTok could not be reached.
    #[error("TikTok cannot be reached")]
    Unavailable(#[source] Box<tiktok::Error>),
    /// TikTok may not be asked now.
    #[error("TikTok is left alone for a while")]
    Paused(#[source] Wait),
    /// Something inside failed.
    #[error("an internal error")]
    Internal(#[source] anyhow::Error),
}

impl From<Error> for ConnectError {
    fn from(error: Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<sea_orm::DbErr> for ConnectError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Internal(error.into())
    }
}

impl From<tiktok::Error> for ConnectError {
    fn from(error: tiktok::Error) -> Self {
        match error.class() {
            Class::Transient | Class::RateLimited | Class::Ambiguous => {
                Self::Unavailable(Box::new(error))
            }
            Class::TokenRejected
            | Class::ScopeMissing
            | Class::GrantDead
            | Class::CreatorCap
            | Class::PendingDraftsCap
            | Class::AppUserCap
            | Class::CreatorBanned
            | Class::UnauditedClient
            | Class::PrivacyMismatch
            | Class::UrlNotOwned
            | Class::CreatorAppTooOld
            | Class::NotFoundYet
            | Class::NotCancellable
            | Class::BadMedia
            | Class::BadRequest
            | Class::OurFault
            | Class::UploadDead
            | Class::UploadOutOfStep { .. }
            | Class::SourceFailed => Self::Refused(Box::new(error)),
        }
    }
}
