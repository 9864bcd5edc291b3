//! Named faults: what goes wrong, where, and how often. Taking one changes only its counters;
//! the server carries it out.

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;

/// A fault to inject.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    /// A name for the ledger; the kind's name if absent.
    #[serde(default)]
    pub name: Option<String>,
    /// Where; everywhere if absent.
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
    /// Only for this creator (username).
    #[serde(default)]
    pub account: Option<String>,
    /// How many matching calls pass unharmed first.
    #[serde(default)]
    pub after: u32,
    /// How many calls it hits; none means until cleared.
    #[serde(default = "once")]
    pub times: Option<u32>,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

#[allow(clippy::unnecessary_wraps)]
fn once() -> Option<u32> {
    Some(1)
}

impl Fault {
    /// A fault that hits one endpoint once.
    pub fn once(endpoint: Endpoint, kind: FaultKind) -> Self {
        Self {
            name: None,
            endpoint: Some(endpoint),
            account: None,
            after: 0,
            times: Some(1),
            kind,
        }
    }

    /// Lets `calls` matching calls pass first.
    #[must_use]
    pub fn after(mut self, calls: u32) -> Self {
        self.after = calls;
        self
    }

    /// Hits that many calls; none means until cleared.
    #[must_use]
    pub fn times(mut self, times: Option<u32>) -> Self {
        self.times = times;
        self
    }

    /// Hits only this creator's calls.
    #[must_use]
    pub fn account(mut self, username: &str) -> Self {
        self.account = Some(username.to_owned());
        self
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FaultKind {
    /// The connection is dropped before anything was done.
    LostBeforeEffect,
    /// The call takes effect, then the connection is dropped without an answer.
    LostAfterEffect,
    /// A gateway error with a page instead of JSON; nothing was done.
    Status {
        /// HTTP status, usually 5xx.
        status: u16,
    },
    /// The call takes effect, then a gateway answers for it.
    StatusAfterEffect {
        /// HTTP status, usually 5xx.
        status: u16,
    },
    /// The call waits (real time), then goes on. A client that leaves meanwhile had no effect.
    Stall {
        /// Milliseconds.
        ms: u64,
    },
    /// The call takes effect, and its answer waits (real time).
    StallAfterEffect {
        /// Milliseconds.
        ms: u64,
    },
    /// 429 `rate_limit_exceeded`.
    RateLimit,
    /// The access token dies for good, and this call is refused with it.
    DeadToken,
    /// The connection is dropped in the middle of the body.
    CutChunk {
        /// Bytes to read first; half of the body if absent.
        #[serde(default)]
        after_bytes: Option<u64>,
    },
    /// The call takes effect, and the answer's JSON ends half way.
    TruncatedJson,
    /// Any refusal by code; nothing was done.
    ApiCode {
        /// TikTok's code.
        code: String,
        /// HTTP status.
        status: u16,
    },
}

impl FaultKind {
    fn label(&self) -> &'static str {
        match self {
            Self::LostBeforeEffect => "lost_before_effect",
            Self::LostAfterEffect => "lost_after_effect",
            Self::Status { .. } => "status",
            Self::StatusAfterEffect { .. } => "status_after_effect",
            Self::Stall { .. } => "stall",
            Self::StallAfterEffect { .. } => "stall_after_effect",
            Self::RateLimit => "rate_limit",
            Self::DeadToken => "dead_token",
            Self::CutChunk { .. } => "cut_chunk",
            Self::TruncatedJson => "truncated_json",
            Self::ApiCode { .. } => "api_code",
        }
    }

    /// Whether the client may have missed an answer to something that happened.
    pub(crate) fn hides_effect(&self) -> bool {
        matches!(
            self,
            Self::LostAfterEffect
                | Self::StatusAfterEffect { .. }
                | Self::StallAfterEffect { .. }
                | Self::TruncatedJson
        )
    }
}

/// An installed fault with its counters.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstalledFault {
    /// Number by which it is cleared.
    pub id: u64,
    /// What was asked for.
    pub fault: Fault,
    /// Matching calls seen.
    pub seen: u32,
    /// Calls hit.
    pub hits: u32,
}

/// A fault that a call must carry out.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) name: String,
    pub(crate) kind: FaultKind,
}

/// The installed faults, in the order of installation.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    installed: Vec<InstalledFault>,
    next_id: u64,
}

impl Faults {
    pub(crate) fn install(&mut self, fault: Fault) -> u64 {
        self.next_id += 1;
        self.installed.push(InstalledFault {
            id: self.next_id,
            fault,
            seen: 0,
            hits: 0,
        });
        self.next_id
    }

    pub(crate) fn list(&self) -> Vec<InstalledFault> {
        self.installed.clone()
    }

    /// Clears one fault, or all. Says whether there was one.
    pub(crate) fn clear(&mut self, id: Option<u64>) -> bool {
        let before = self.installed.len();
        self.installed
            .retain(|installed| id.is_some_and(|id| id != installed.id));
        self.installed.len() < before
    }

    /// The first fault due for this call. Faults that pass over a call still count it as seen.
    pub(crate) fn take(&mut self, endpoint: Endpoint, account: Option<&str>) -> Option<Hit> {
        let mut hit = None;
        for installed in &mut self.installed {
            let fault = &installed.fault;
            let here = fault.endpoint.is_none_or(|want| want == endpoint);
            let theirs = fault.account.is_none() || fault.account.as_deref() == account;
            if !here || !theirs {
                continue;
            }
            installed.seen += 1;
            let spent = fault.times.is_some_and(|times| installed.hits >= times);
            if hit.is_none() && !spent && installed.seen > fault.after {
                installed.hits += 1;
                let label = fault.kind.label().to_owned();
                hit = Some(Hit {
                    name: fault.name.clone().unwrap_or(label),
                    kind: fault.kind.clone(),
                });
            }
        }
        hit
    }
}
