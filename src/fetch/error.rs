//! What can go wrong with a fetch, as decisions that a caller can make. No text repeats the URL.

use std::error::Error;

use super::target::UrlProblem;

/// Why nothing came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URL, or one that it was redirected to, is not asked.
    #[error("{0}")]
    Url(#[from] UrlProblem),
    /// The name leads, with one of its addresses at least, to something that is not public.
    #[error("the host's name leads to an address that is not public")]
    Inside,
    /// The name has no address.
    #[error("the host's name cannot be resolved")]
    Unresolved,
    /// It was redirected too often, or by an answer that does not say whereto.
    #[error("the server redirects too often, or nowhere")]
    Redirects,
    /// The server answered with this status.
    #[error("the server answered with the HTTP status {0}")]
    Status(u16),
    /// The body is compressed, although that was not asked for.
    #[error("the server compresses its answer although that was not asked for")]
    Encoded,
    /// The body is longer than is taken.
    #[error("the server sends more than the {0} bytes that are taken")]
    TooLarge(u64),
    /// The server is silent, or slower than is waited for.
    #[error("the server took too long")]
    TooSlow,
    /// The connection could not be made, or broke.
    #[error("the connection to the server failed")]
    Broken,
}

impl FetchError {
    /// A word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Url(_) => "url_refused",
            Self::Inside => "address_refused",
            Self::Unresolved => "unresolved",
            Self::Redirects => "redirects",
            Self::Status(_) => "status",
            Self::Encoded => "encoded",
            Self::TooLarge(_) => "too_large",
            Self::TooSlow => "too_slow",
            Self::Broken => "broken",
        }
    }

    /// Whether the same request can fare better later without anybody doing anything.
    pub fn is_passing(self) -> bool {
        match self {
            Self::Unresolved | Self::TooSlow | Self::Broken => true,
            Self::Status(status) => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::Url(_) | Self::Inside | Self::Redirects | Self::Encoded | Self::TooLarge(_) => {
                false
            }
        }
    }

    /// What an error of the HTTP client means.
    pub(super) fn of_client(error: &reqwest::Error) -> Self {
        // What the resolver said lies somewhere below.
        let mut cause: Option<&dyn Error> = error.source();
        while let Some(inner) = cause {
            if let Some(own) = inner.downcast_ref::<Self>() {
                return *own;
            }
            cause = inner.source();
        }
        if error.is_timeout() {
            Self::TooSlow
        } else {
            Self::Broken
        }
    }
}
