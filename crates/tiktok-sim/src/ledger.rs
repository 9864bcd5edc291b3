//! The ledger: every call in order, and every rule a client broke.
//!
//! It holds no secret: tokens appear as short hashes, URLs without their query. It judges nothing
//! by itself; [`Verdict`] is what a test asserts on.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::endpoint::Endpoint;

/// A rule of the API that a correct client never breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A path that differs from an endpoint's only by the last slash.
    MissingTrailingSlash,
    /// A path that is no endpoint.
    UnknownEndpoint,
    /// The endpoint exists for another method.
    WrongMethod,
    /// A body in a media type the endpoint does not take.
    WrongContentType,
    /// A field, parameter or query key that is not documented.
    UnknownField,
    /// A body that does not have the documented shape or values.
    BadBody,
    /// More calls in a minute than allowed.
    OverRateLimit,
    /// No bearer token where one is needed, or one that never existed.
    UnknownToken,
    /// An access token used again after it was refused.
    RefusedTokenUsedAgain,
    /// An init with an access token past its known expiry.
    ExpiredTokenOnInit,
    /// A call whose scope the token's own grant does not list.
    ScopeNotGranted,
    /// A refresh token used after its replacement was handed out.
    DeadRefreshTokenUsed,
    /// An authorization code used twice.
    CodeUsedTwice,
    /// A wrong key or secret.
    BadClientCredentials,
    /// A revoke with an expired access token, which leaves the grant alive.
    RevokeWithExpiredToken,
    /// A consent page asked for with invalid parameters.
    BadAuthorizeRequest,
    /// A code verifier that is missing, malformed or wrong.
    BadVerifier,
    /// Sizes and counts that break the chunk arithmetic.
    ChunkArithmetic,
    /// A caption over the limit.
    CaptionTooLong,
    /// Branded content for the creator alone.
    BrandedOnlyMe,
    /// A privacy level outside the options last shown to the client.
    PrivacyNotOffered,
    /// A direct init without a recent `creator_info` query.
    CreatorInfoNotFresh,
    /// A field of direct posts in a draft.
    DirectFieldInDraft,
    /// A publish id that was never handed out.
    UnknownPublishId,
    /// A publish id of another creator.
    PublishIdOfOtherAccount,
    /// Upload headers that are missing or contradict each other.
    BadUploadHeaders,
    /// A chunk that neither continues the upload nor repeats an accepted chunk.
    ChunkOutOfOrder,
    /// Two PUTs that both finished for the same place.
    ParallelPut,
    /// A PUT to an upload that was never opened.
    UnknownUpload,
    /// The access token sent to the upload host.
    AuthorizationOnUpload,
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleBroken {
    /// Which rule.
    pub rule: Rule,
    /// What the client did.
    pub detail: String,
    /// The ledger entry it belongs to.
    pub seq: u64,
}

/// One call, with what it asked and what it was told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the ledger, from 1.
    pub seq: u64,
    /// Simulated time of arrival, Unix milliseconds.
    pub at_ms: i64,
    /// Which endpoint.
    pub endpoint: Endpoint,
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Username of the creator concerned, if known.
    pub account: Option<String>,
    /// The publish concerned, if known.
    pub publish_id: Option<String>,
    /// Short hash of the access token.
    pub token: Option<String>,
    /// What was asked, without secrets.
    pub summary: Value,
    /// HTTP status of the answer; the client may not have received it, see `answered`.
    pub status: u16,
    /// TikTok's code (`ok` for success), or a name for an answer without one.
    pub code: String,
    /// The log id of the answer.
    pub log_id: String,
    /// Bytes of the request body that were read.
    pub bytes_in: u64,
    /// First byte, last byte and total of an upload.
    pub range: Option<(u64, u64, u64)>,
    /// SHA-256 of the whole file, on the answer that completes an upload.
    pub sha256: Option<String>,
    /// The injected fault that hit this call.
    pub fault: Option<String>,
    /// Whether an answer was sent; false if the connection was dropped or the client left.
    pub answered: bool,
    /// Whether a refusal here is normal: a status that lags, a repeated chunk, an injected fault.
    pub expected: bool,
    /// Rules this call broke.
    pub broken: Vec<RuleBroken>,
}

impl Entry {
    /// Whether the answer was a refusal.
    pub fn refused(&self) -> bool {
        self.code != "ok"
    }
}

/// Which entries to show; every given condition must hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LedgerFilter {
    /// Only this endpoint.
    pub endpoint: Option<Endpoint>,
    /// Only this creator (username).
    pub account: Option<String>,
    /// Only this publish.
    pub publish_id: Option<String>,
    /// Only this code.
    pub code: Option<String>,
    /// Only entries after this position.
    pub after: Option<u64>,
}

impl LedgerFilter {
    fn admits(&self, entry: &Entry) -> bool {
        self.endpoint.is_none_or(|want| want == entry.endpoint)
            && self.after.is_none_or(|after| entry.seq > after)
            && self.code.as_ref().is_none_or(|code| *code == entry.code)
            && (self.account.is_none() || self.account == entry.account)
            && (self.publish_id.is_none() || self.publish_id == entry.publish_id)
    }
}

/// What a run comes to: rules broken, and refusals that nobody expected.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verdict {
    /// Rules broken, without those declared expected.
    pub broken: Vec<RuleBroken>,
    /// Refused calls that no fault explains and no test declared.
    pub refused: Vec<Entry>,
}

impl Verdict {
    /// Whether the client did nothing wrong.
    pub fn is_clean(&self) -> bool {
        self.broken.is_empty() && self.refused.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return write!(f, "no rule broken, no unexpected refusal");
        }
        for broken in &self.broken {
            writeln!(
                f,
                "call {} broke {:?}: {}",
                broken.seq, broken.rule, broken.detail
            )?;
        }
        for entry in &self.refused {
            writeln!(
                f,
                "call {} to {:?} was refused: {} {}",
                entry.seq, entry.endpoint, entry.status, entry.code
            )?;
        }
        Ok(())
    }
}

/// All calls so far, and what the test declared as expected.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    expected_codes: BTreeSet<String>,
    expected_rules: BTreeSet<Rule>,
}

impl Ledger {
    /// Appends an entry and numbers it.
    pub(crate) fn push(&mut self, mut entry: Entry) -> u64 {
        entry.seq = self.entries.len() as u64 + 1;
        for broken in &mut entry.broken {
            broken.seq = entry.seq;
            tracing::warn!(seq = broken.seq, rule = ?broken.rule, detail = %broken.detail, "rule broken");
        }
        let seq = entry.seq;
        self.entries.push(entry);
        seq
    }

    pub(crate) fn mark_answered(&mut self, seq: u64) {
        let index = usize::try_from(seq - 1).unwrap_or(usize::MAX);
        if let Some(entry) = self.entries.get_mut(index) {
            entry.answered = true;
        }
    }

    pub(crate) fn select(&self, filter: &LedgerFilter) -> Vec<Entry> {
        let matching = self.entries.iter().filter(|entry| filter.admits(entry));
        matching.cloned().collect()
    }

    pub(crate) fn expect_code(&mut self, code: &str) {
        self.expected_codes.insert(code.to_owned());
    }

    pub(crate) fn expect_rule(&mut self, rule: Rule) {
        self.expected_rules.insert(rule);
    }

    pub(crate) fn broken(&self) -> impl Iterator<Item = &RuleBroken> {
        self.entries.iter().flat_map(|entry| &entry.broken)
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let broken = self
            .broken()
            .filter(|broken| !self.expected_rules.contains(&broken.rule));
        let refused = self.entries.iter().filter(|entry| {
            entry.refused()
                && !entry.expected
                && entry.fault.is_none()
                && !self.expected_codes.contains(&entry.code)
        });
        Verdict {
            broken: broken.cloned().collect(),
            refused: refused.cloned().collect(),
        }
    }
}
