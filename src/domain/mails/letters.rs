//! What letters say. Texts are templates beside this file.

use anyhow::Context as _;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::domain::error::Result;

/// A letter's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Template)]
#[template(ext = "txt")]
#[serde(tag = "letter", rename_all = "snake_case")]
pub enum Content {
    /// A request for deletion came, and its sender has to prove who they are.
    #[template(path = "deletion_received.txt")]
    DeletionReceived {
        /// The page of the request.
        page: String,
        /// What is to stand in the profile.
        proof: String,
        /// The last day.
        due: String,
    },
    /// It is still not proved.
    #[template(path = "deletion_unproven.txt")]
    DeletionUnproven {
        /// The page of the request.
        page: String,
        /// What is to stand in the profile.
        proof: String,
        /// The last day.
        due: String,
    },
    /// It was proved, and goes on.
    #[template(path = "deletion_runs.txt")]
    DeletionRuns {
        /// The page of the request.
        page: String,
        /// The last day.
        due: String,
    },
    /// It was not proved in time.
    #[template(path = "deletion_lapsed.txt")]
    DeletionLapsed {
        /// Where to ask again.
        again: String,
    },
    /// An operator found that it is not the owner's.
    #[template(path = "deletion_refused.txt")]
    DeletionRefused {
        /// Where to ask again.
        again: String,
    },
    /// Everything is deleted.
    #[template(path = "deletion_done.txt")]
    DeletionDone {
        /// The page of the erasure, with the receipt.
        receipt: String,
        /// The confirmation code.
        code: String,
    },
    /// To operators: a request comes due.
    #[template(path = "deletion_due.txt")]
    DeletionDue {
        /// The request's id.
        request: String,
        /// The last day.
        due: String,
        /// Whether it was proved.
        proven: bool,
    },
    /// A payment failed.
    #[template(path = "payment_failed.txt")]
    PaymentFailed {
        /// When access ends.
        ends: String,
    },
    /// Access ends soon.
    #[template(path = "grace_ending.txt")]
    GraceEnding {
        /// When access ends.
        ends: String,
    },
    /// Access has ended.
    #[template(path = "access_ended.txt")]
    AccessEnded {
        /// When that was.
        ended: String,
    },
}

impl Content {
    /// Which letter, as a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DeletionReceived { .. } => "deletion_received",
            Self::DeletionUnproven { .. } => "deletion_unproven",
            Self::DeletionRuns { .. } => "deletion_runs",
            Self::DeletionLapsed { .. } => "deletion_lapsed",
            Self::DeletionRefused { .. } => "deletion_refused",
            Self::DeletionDone { .. } => "deletion_done",
            Self::DeletionDue { .. } => "deletion_due",
            Self::PaymentFailed { .. } => "payment_failed",
            Self::GraceEnding { .. } => "grace_ending",
            Self::AccessEnded { .. } => "access_ended",
        }
    }

    /// The subject.
    pub fn subject(&self) -> &'static str {
        match self {
            Self::DeletionReceived { .. } => "Your request to delete your data: please prove it",
            Self::DeletionUnproven { .. } => "Your request to delete your data is not proved yet",
            Self::DeletionRuns { .. } => "Your data is being deleted",
            Self::DeletionLapsed { .. } => "Your request to delete your data has lapsed",
            Self::DeletionRefused { .. } => "Your request to delete your data was refused",
            Self::DeletionDone { .. } => "Your data is deleted",
            Self::DeletionDue { .. } => "A request for deletion comes due",
            Self::PaymentFailed { .. } => "A payment for your plan failed",
            Self::GraceEnding { .. } => "Your plan ends soon",
            Self::AccessEnded { .. } => "Your plan has ended",
        }
    }

    /// The text.
    pub fn text(&self) -> Result<String> {
        Ok(self.render().context("rendering a letter")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_says_what_it_was_given_as_plain_text() {
        let letter = Content::DeletionReceived {
            page: "https://example.com/privacy/requests/1?a=b&c=d".to_owned(),
            proof: "clipqueue-0011".to_owned(),
            due: "2026-12-25".to_owned(),
        };
        let text = letter.text().unwrap();
        for part in ["?a=b&c=d", "clipqueue-0011", "2026-12-25"] {
            assert!(text.contains(part), "{text}");
        }
        let stored = serde_json::to_string(&letter).unwrap();
        assert_eq!(serde_json::from_str::<Content>(&stored).unwrap(), letter);
    }
}
