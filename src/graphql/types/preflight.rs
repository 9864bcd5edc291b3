//! What can be known before a post is made.

use async_graphql::{Enum, SimpleObject};

use crate::{
    domain::preflight::{self, Verdict},
    graphql::user_error::UserErrorCode,
};

/// How a check came out. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Verdict")]
pub(crate) enum CheckVerdict {
    /// It holds.
    Pass,
    /// It does not hold: the post would be refused.
    Fail,
    /// It cannot be known yet; it is checked again before the post is sent.
    Unknown,
}

/// One check.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PreflightCheck {
    /// What was checked, as a word: `account`, `media`, `caption`, `choices`, `creator`. More may come.
    rule: String,
    /// How it came out.
    verdict: CheckVerdict,
    /// The path of the input field that it is about, when it fails.
    field: Vec<&'static str>,
    /// Why it fails, as a word for programs.
    code: Option<UserErrorCode>,
    /// What was found and, when it fails, what to do.
    message: String,
}

/// Every check of a request, without anything being written.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct Preflight {
    /// Whether no check fails.
    ok: bool,
    /// The checks.
    checks: Vec<PreflightCheck>,
}

impl From<Vec<preflight::Check>> for Preflight {
    fn from(checks: Vec<preflight::Check>) -> Self {
        Self {
            ok: checks.iter().all(|check| check.verdict != Verdict::Fail),
            checks: checks
                .into_iter()
                .map(|check| PreflightCheck {
                    rule: check.rule,
                    verdict: check.verdict.into(),
                    field: check.field,
                    code: check.code.map(UserErrorCode::from),
                    message: check.message,
                })
                .collect(),
        }
    }
}
