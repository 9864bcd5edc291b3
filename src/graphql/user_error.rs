//! What a domain error becomes: an entry of `userErrors` where a caller could have known better, an
//! entry of `errors` otherwise.

use std::sync::Arc;

use async_graphql::{Enum, SimpleObject};

use super::{
    error::{ApiError, Code as ApiCode},
    scalars::DateTime,
};
use crate::domain::error::{Code, Error, Refusal};

/// Why a request was refused, as a word for programs. The list grows: take an unknown word as a
/// refusal and show the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Code")]
pub(crate) enum UserErrorCode {
    /// A value has the wrong form.
    Invalid,
    /// A value that is needed is missing.
    Required,
    /// A text is too long.
    TooLong,
    /// What the request points at does not exist, or belongs to somebody else.
    NotFound,
    /// The idempotency key was used for another request.
    IdempotencyMismatch,
    /// Somebody else changed the object in the meantime; the payload holds it as it is now.
    VersionConflict,
    /// Its present state does not allow this.
    WrongState,
    /// The creator must connect the TikTok account again.
    ReconnectRequired,
    /// The creator did not grant a TikTok permission that this needs.
    ScopeMissing,
    /// The creator's account does not offer this privacy level.
    PrivacyNotOffered,
    /// The creator's account has this interaction switched off.
    InteractionDisabled,
    /// The disclosure choices contradict each other.
    DisclosureConflict,
    /// The creator has not agreed to the text that TikTok demands.
    ConsentRequired,
    /// TikTok has not audited the app, so it cannot post this.
    UnauditedClient,
    /// The creator cannot post now.
    CreatorCannotPost,
    /// The file breaks a rule of TikTok's.
    MediaUnfit,
    /// The file is not completely uploaded, or no longer stored.
    MediaNotReady,
    /// A quota is used up.
    QuotaExceeded,
    /// The plan has ended, and no more posts are accepted until there is another.
    PlanEnded,
    /// A key cannot grant what its maker may not do.
    ScopeNotHeld,
    /// Other rows of the request are refused, and it was to make all or none.
    BatchRefused,
    /// The server's disk is nearly full.
    StorageFull,
    /// TikTok cannot be asked now.
    TiktokUnavailable,
}

/// Something in the request that its sender can put right.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct UserError {
    /// The path of the input field, outermost first, such as `["input", "direct", "privacyLevel"]`;
    /// empty when it is about the request as a whole.
    field: Vec<String>,
    /// A word for programs.
    code: UserErrorCode,
    /// A sentence for people: what is wrong and what to do.
    message: String,
    /// Whether the very same request may succeed later.
    retryable: bool,
    /// When the same request can succeed, if time alone cures it.
    retry_at: Option<DateTime>,
}

impl UserError {
    /// About the row `index` of a request for several posts.
    pub(crate) fn of_row(refusal: Refusal, index: usize) -> Self {
        let mut error = Self::from(refusal);
        let at = usize::from(error.field.first().is_some_and(|first| first == "input"));
        let path = ["input", "posts"].into_iter().map(str::to_owned);
        error.field.splice(..at, path.chain([index.to_string()]));
        error
    }
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        Self {
            field: refusal.field.into_iter().map(str::to_owned).collect(),
            code: refusal.code.into(),
            message: refusal.message,
            retryable: refusal.code.retryable() || refusal.retry_at.is_some(),
            retry_at: refusal.retry_at.map(DateTime),
        }
    }
}

/// The two parts of a payload: what came out, and what the caller can put right. `missing` is the
/// field that named what was not found.
pub(crate) fn settle<T>(
    missing: &'static str,
    result: Result<T, Error>,
) -> async_graphql::Result<(Option<T>, Vec<UserError>)> {
    match result {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(Error::Refused(refusals)) => {
            Ok((None, refusals.into_iter().map(UserError::from).collect()))
        }
        Err(Error::NotFound) => {
            let refusal = Refusal::new(missing, Code::NotFound, "names nothing that you have");
            Ok((None, vec![refusal.into()]))
        }
        Err(error @ (Error::Forbidden(_) | Error::Internal(_))) => Err(raise(missing, error)),
    }
}

/// An error of a query or subscription about `what`.
pub(crate) fn raise(what: &str, error: Error) -> async_graphql::Error {
    match error {
        Error::NotFound => ApiError::not_found(what).into(),
        Error::Forbidden(scope) => ApiError::new(
            ApiCode::Forbidden,
            format!("The API key lacks the scope {scope}. Use a key that has it."),
        )
        .into(),
        Error::Refused(refusals) => {
            let texts: Vec<String> = refusals
                .into_iter()
                .map(|refusal| refusal.message)
                .collect();
            ApiError::new(ApiCode::BadUserInput, texts.join("; ")).into()
        }
        // Without a code it counts as internal: its text goes to the log alone.
        Error::Internal(error) => async_graphql::Error {
            message: format!("{error:#}"),
            source: Some(Arc::new(error)),
            extensions: None,
        },
    }
}
