//! What can go wrong when a simulator is started or steered.

use std::io;

/// Why a simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No address to listen on.
    #[error("cannot listen")]
    Listen(#[from] io::Error),
    /// No HTTP client for webhooks and pulls.
    #[error("cannot build the HTTP client for webhooks and pulls")]
    Client(#[from] reqwest::Error),
}

/// Why an action could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// No account has this username.
    #[error("no such account")]
    NoSuchAccount,
    /// No init gave this publish id.
    #[error("no such publish")]
    NoSuchPublish,
    /// No video has this id.
    #[error("no such video")]
    NoSuchVideo,
    /// The publish is not a draft that its creator can act on.
    #[error("not a draft in the creator's inbox")]
    NotADraftInTheInbox,
    /// The consent page would show an error.
    #[error("the consent page refuses {parameter}: {why}")]
    BadAuthorizeUrl {
        /// The parameter it names.
        parameter: String,
        /// What is wrong with it.
        why: String,
    },
}
