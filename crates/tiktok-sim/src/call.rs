//! One call while it is handled: its parts, what the ledger will say of it, and the checks that
//! every endpoint makes first (token, scope, rate limit, body shape).

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::SECOND;
use crate::config::LimitKey;
use crate::endpoint::Endpoint;
use crate::envelope::Refusal;
use crate::ids;
use crate::ledger::{Entry, Rule, RuleBroken};
use crate::limits;
use crate::state::State;
use crate::tokens::AccessFault;

/// A request whose body is read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) now: i64,
    pub(crate) endpoint: Endpoint,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) log_id: String,
    pub(crate) entry: Entry,
}

impl Call {
    pub(crate) fn new(
        now: i64,
        endpoint: Endpoint,
        method: &Method,
        uri: &http::Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Self {
        let log_id = ids::log_id(now);
        let entry = Entry {
            seq: 0,
            at_ms: now,
            endpoint,
            method: method.to_string(),
            path: uri.path().to_owned(),
            account: None,
            publish_id: None,
            token: None,
            summary: Value::Null,
            status: 0,
            code: "no_answer".to_owned(),
            log_id: log_id.clone(),
            bytes_in: body.len() as u64,
            range: None,
            sha256: None,
            fault: None,
            answered: false,
            expected: false,
            broken: Vec::new(),
        };
        let mut call = Self {
            now,
            endpoint,
            query: uri.query().unwrap_or_default().to_owned(),
            headers,
            body,
            log_id,
            entry,
        };
        call.entry.token = call.bearer().map(ids::short_hash);
        call
    }

    /// The access token in the header.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let header = self.headers.get(AUTHORIZATION)?.to_str().ok()?;
        header.strip_prefix("Bearer ")
    }

    /// Notes a broken rule.
    pub(crate) fn broke(&mut self, rule: Rule, detail: impl Into<String>) {
        self.entry.broken.push(RuleBroken {
            rule,
            detail: detail.into(),
            seq: 0,
        });
    }

    /// Decoded pairs of a query or form.
    pub(crate) fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
        serde_urlencoded::from_bytes(bytes).unwrap_or_default()
    }

    /// A value of one piece of JSON; refused with `message` if it is missing, misshapen or has a field
    /// that is not documented.
    pub(crate) fn shape<T: DeserializeOwned>(
        &mut self,
        value: Value,
        message: &str,
    ) -> Result<T, Refusal> {
        serde_json::from_value(value).map_err(|error| self.misshapen(&error, message))
    }

    /// The body as JSON. An empty body is read as `{}`.
    pub(crate) fn json<T: DeserializeOwned>(&mut self, message: &str) -> Result<T, Refusal> {
        if self.body.is_empty() {
            return self.shape(Value::Object(serde_json::Map::new()), message);
        }
        let media = self
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_ascii_lowercase();
        if media.split(';').next().map(str::trim) != Some("application/json") {
            self.broke(
                Rule::WrongContentType,
                format!("{media:?} instead of application/json"),
            );
            return Err(Refusal::params(message));
        }
        serde_json::from_slice(&self.body.clone()).map_err(|error| self.misshapen(&error, message))
    }

    fn misshapen(&mut self, error: &serde_json::Error, message: &str) -> Refusal {
        let detail = error.to_string();
        let rule = if detail.starts_with("unknown field") {
            Rule::UnknownField
        } else {
            Rule::BadBody
        };
        self.broke(rule, detail);
        Refusal::params(message)
    }

    /// The single query parameter `name`, refusing all others.
    pub(crate) fn only_query(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let pairs = Self::pairs(self.query.as_bytes());
        if let Some((other, _)) = pairs.iter().find(|(key, _)| key != name) {
            let detail = format!("query parameter {other}");
            self.broke(Rule::UnknownField, detail);
            return Err(Refusal::params("unknown query parameter"));
        }
        Ok(pairs.into_iter().next().map(|(_, value)| value))
    }
}

/// Who calls, proven by a token.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    pub(crate) account: String,
    pub(crate) scopes: Vec<String>,
}

impl State {
    /// The creator behind the call's access token.
    pub(crate) fn bearer(&mut self, call: &mut Call) -> Result<Bearer, Refusal> {
        let Some(token) = call.bearer().map(str::to_owned) else {
            call.broke(Rule::UnknownToken, "no bearer token in the request");
            return Err(Refusal::token());
        };
        call.entry.account = self.tokens.account_of(&token).map(str::to_owned);
        let fault = match self.tokens.check(&token, call.now) {
            Ok((_, grant)) => {
                return Ok(Bearer {
                    account: grant.account.clone(),
                    scopes: grant.scopes.clone(),
                });
            }
            Err(fault) => fault,
        };
        let first = self.tokens.note_refused(&token, call.now);
        let grace = self.config.tokens.refused_grace_ms;
        if fault == AccessFault::Unknown {
            call.broke(Rule::UnknownToken, "a token that was never issued");
        } else if let Some(first) = first
            && call.now > first + grace
        {
            let ago = (call.now - first) / SECOND;
            call.broke(
                Rule::RefusedTokenUsedAgain,
                format!("refused {ago} s ago already"),
            );
        } else if fault == AccessFault::Expired && call.endpoint.is_init() {
            call.broke(Rule::ExpiredTokenOnInit, "expires_in told when it ends");
        }
        Err(Refusal::token())
    }

    /// The creator behind the call, if the grant has one of `scopes`.
    pub(crate) fn bearer_with(
        &mut self,
        call: &mut Call,
        scopes: &[&str],
    ) -> Result<Bearer, Refusal> {
        let bearer = self.bearer(call)?;
        let granted = |scope: &&str| bearer.scopes.iter().any(|have| have == *scope);
        let fitting: Vec<&&str> = scopes.iter().filter(|scope| granted(scope)).collect();
        if fitting.is_empty() {
            call.broke(
                Rule::ScopeNotGranted,
                format!("needs {}", scopes.join(" or ")),
            );
            return Err(Refusal::scope());
        }
        // Without the product the scope is worth nothing, and the client cannot know.
        if !self.config.direct_post_enabled
            && fitting.iter().all(|scope| **scope == "video.publish")
        {
            return Err(Refusal::scope());
        }
        Ok(bearer)
    }

    /// Counts the call against its limit.
    pub(crate) fn within_limit(&mut self, call: &mut Call, bearer: &Bearer) -> Result<(), Refusal> {
        let Some(max) = limits::per_minute(&self.config.limits, call.endpoint) else {
            return Ok(());
        };
        let token = call.bearer().map(ids::short_hash).unwrap_or_default();
        let key = match self.config.limits.per {
            LimitKey::Token => token,
            LimitKey::Account => bearer.account.clone(),
        };
        if self.limits.admit(call.endpoint, &key, call.now, max) {
            return Ok(());
        }
        call.broke(
            Rule::OverRateLimit,
            format!("more than {max} calls in a minute"),
        );
        Err(Refusal::rate_limit())
    }
}
