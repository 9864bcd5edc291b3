//! The one error of the domain: what a caller can do about it, never how it came about inside.

use clipqueue_entities::Timestamp;
use sea_orm::DbErr;

use super::post_state::Illegal;

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not exist, or belongs to somebody else: the two must look alike.
    #[error("not found")]
    NotFound,
    /// The caller's key lacks the scope.
    #[error("the API key lacks the scope {0}")]
    Forbidden(&'static str),
    /// The request breaks rules that the caller can keep next time.
    #[error("the request is refused")]
    Refused(Vec<Refusal>),
    /// Something inside failed; the caller may try again.
    #[error("an internal error")]
    Internal(#[source] anyhow::Error),
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The path of the input field, outermost first; empty when it is about the whole.
    pub field: Vec<&'static str>,
    /// A word for programs.
    pub code: Code,
    /// A sentence for people: what is wrong and what to do.
    pub message: String,
    /// When the same request can succeed, if time alone cures it.
    pub retry_at: Option<Timestamp>,
}

/// Words for programs. The list grows; clients must take an unknown word as a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A value has the wrong form.
    Invalid,
    /// A value that is needed is missing.
    Required,
    /// A text is too long.
    TooLong,
    /// What the request points at does not exist.
    NotFound,
    /// The idempotency key was used for another request.
    IdempotencyMismatch,
    /// Somebody else changed it in the meantime.
    VersionConflict,
    /// Its present state does not allow this.
    WrongState,
    /// The TikTok account must be connected again.
    ReconnectRequired,
    /// The creator did not grant a scope that this needs.
    ScopeMissing,
    /// The creator's account does not offer this privacy level.
    PrivacyNotOffered,
    /// The creator's account has this interaction switched off.
    InteractionDisabled,
    /// The disclosure choices contradict each other.
    DisclosureConflict,
    /// The creator has not agreed to the text that TikTok demands.
    ConsentRequired,
    /// An unaudited app cannot post this.
    UnauditedClient,
    /// The creator cannot post now.
    CreatorCannotPost,
    /// The file breaks a rule of TikTok's.
    MediaUnfit,
    /// The file is not completely uploaded or was refused.
    MediaNotReady,
    /// A quota is used up.
    QuotaExceeded,
    /// The plan has ended and no more posts are accepted until there is another.
    PlanEnded,
    /// A key cannot grant what its maker may not do.
    ScopeNotHeld,
    /// Other rows of the request are refused, and it was all or nothing.
    BatchRefused,
    /// The server's disk is nearly full.
    StorageFull,
    /// TikTok cannot be asked now.
    TiktokUnavailable,
}

impl Code {
    /// Whether the very same request may succeed later.
    pub fn retryable(self) -> bool {
        match self {
            Self::TiktokUnavailable | Self::CreatorCannotPost | Self::StorageFull => true,
            Self::Invalid
            | Self::Required
            | Self::TooLong
            | Self::NotFound
            | Self::IdempotencyMismatch
            | Self::VersionConflict
            | Self::WrongState
            | Self::ReconnectRequired
            | Self::ScopeMissing
            | Self::PrivacyNotOffered
            | Self::InteractionDisabled
            | Self::DisclosureConflict
            | Self::ConsentRequired
            | Self::UnauditedClient
            | Self::MediaUnfit
            | Self::MediaNotReady
            | Self::QuotaExceeded
            | Self::BatchRefused
            | Self::PlanEnded
            | Self::ScopeNotHeld => false,
        }
    }
}

impl Refusal {
    /// A refusal of one field of the input.
    pub fn new(field: &'static str, code: Code, message: impl Into<String>) -> Self {
        Self {
            field: vec!["input", field],
            code,
            message: message.into(),
            retry_at: None,
        }
    }

    /// A refusal of the request as a whole.
    pub fn whole(code: Code, message: impl Into<String>) -> Self {
        Self {
            field: Vec::new(),
            code,
            message: message.into(),
            retry_at: None,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(vec![refusal])
    }
}

impl From<Illegal> for Error {
    fn from(illegal: Illegal) -> Self {
        Refusal::whole(
            Code::WrongState,
            format!("{illegal}; read the post again and decide anew"),
        )
        .into()
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Internal(error.into())
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

/// What domain functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
