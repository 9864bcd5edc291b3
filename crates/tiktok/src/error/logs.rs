//! TikTok's references for one answer.

use crate::ids::LogId;

/// The log ids of one answer. The body and a header can each carry one, and it is not documented that
/// they are equal, so both are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogIds {
    /// `log_id` (or `logid`) of the body.
    pub body: Option<LogId>,
    /// The header `x-tt-logid`.
    pub header: Option<LogId>,
}

impl LogIds {
    /// The one to show: the body's, else the header's.
    #[must_use]
    pub fn any(&self) -> Option<&LogId> {
        self.body.as_ref().or(self.header.as_ref())
    }
}
