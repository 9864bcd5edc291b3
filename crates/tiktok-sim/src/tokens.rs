//! Grants, codes and tokens: who allowed what, and which strings still prove it.
//!
//! A grant is one consent. Its access tokens live side by side until they expire; its refresh token
//! rotates, and a rotated one is dead. Revoking the grant kills everything at once.

use std::collections::HashMap;

use crate::clock::SECOND;
use crate::config::TokenConfig;
use crate::ids;

/// Index of a grant.
pub(crate) type GrantId = usize;

/// One consent of one creator.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) account: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) alive: bool,
    consented_ms: i64,
}

/// An authorization code and what it was issued for.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) account: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<String>,
    pub(crate) expires_ms: i64,
    pub(crate) used: bool,
}

#[derive(Debug)]
struct Access {
    grant: GrantId,
    expires_ms: i64,
    killed: bool,
    refused_ms: Option<i64>,
}

#[derive(Debug)]
struct Refresh {
    grant: GrantId,
    expires_ms: i64,
    replaced_ms: Option<i64>,
    /// The answer that replaced it may not have arrived, so one more use is not the client's fault.
    excused: bool,
}

/// A pair as the token endpoint hands it out.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) access_seconds: i64,
    pub(crate) refresh: String,
    pub(crate) refresh_seconds: i64,
    pub(crate) grant: Grant,
}

/// Why an access token does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccessFault {
    Unknown,
    Expired,
    Dead,
}

/// Why a refresh token does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshFault {
    Unknown,
    Expired,
    /// The grant is gone.
    Revoked,
    /// It was replaced; `excused` if the replacement may never have arrived.
    Replaced {
        excused: bool,
    },
}

/// All grants and the strings that prove them.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    grants: Vec<Grant>,
    codes: HashMap<String, Code>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
}

impl Tokens {
    pub(crate) fn issue_code(&mut self, code: Code) -> String {
        let value = ids::code();
        self.codes.insert(value.clone(), code);
        value
    }

    /// Looks a code up and uses it up; gives it as it was before.
    pub(crate) fn consume_code(&mut self, value: &str) -> Option<Code> {
        let code = self.codes.get_mut(value)?;
        let before = code.clone();
        code.used = true;
        Some(before)
    }

    /// Opens a grant and issues its first pair.
    pub(crate) fn open(&mut self, code: &Code, config: &TokenConfig, now: i64) -> Pair {
        self.grants.push(Grant {
            account: code.account.clone(),
            scopes: code.scopes.clone(),
            alive: true,
            consented_ms: now,
        });
        let grant = self.grants.len() - 1;
        let refresh = self.issue_refresh(grant, now + config.refresh_seconds * SECOND);
        self.pair(grant, refresh, config, now)
    }

    /// Trades a refresh token for a new pair.
    pub(crate) fn renew(
        &mut self,
        value: &str,
        config: &TokenConfig,
        now: i64,
    ) -> Result<Pair, RefreshFault> {
        let old = self.refresh.get_mut(value).ok_or(RefreshFault::Unknown)?;
        let grant = old.grant;
        if !self.grants[grant].alive {
            return Err(RefreshFault::Revoked);
        }
        if old.expires_ms <= now {
            return Err(RefreshFault::Expired);
        }
        if let Some(replaced) = old.replaced_ms
            && now >= replaced + config.refresh_grace_seconds * SECOND
        {
            let excused = std::mem::take(&mut old.excused);
            return Err(RefreshFault::Replaced { excused });
        }
        if !config.rotation {
            return Ok(self.pair(grant, value.to_owned(), config, now));
        }
        old.replaced_ms.get_or_insert(now);
        let start = if config.anchored_window {
            self.grants[grant].consented_ms
        } else {
            now
        };
        let fresh = self.issue_refresh(grant, start + config.refresh_seconds * SECOND);
        Ok(self.pair(grant, fresh, config, now))
    }

    /// Notes that the answer to a refresh with this token may not have arrived.
    pub(crate) fn excuse_refresh(&mut self, value: &str) {
        if let Some(refresh) = self.refresh.get_mut(value) {
            refresh.excused = true;
        }
    }

    fn issue_refresh(&mut self, grant: GrantId, expires_ms: i64) -> String {
        let value = ids::token("rft");
        self.refresh.insert(
            value.clone(),
            Refresh {
                grant,
                expires_ms,
                replaced_ms: None,
                excused: false,
            },
        );
        value
    }

    fn pair(&mut self, grant: GrantId, refresh: String, config: &TokenConfig, now: i64) -> Pair {
        let access = ids::token("act");
        self.access.insert(
            access.clone(),
            Access {
                grant,
                expires_ms: now + config.access_seconds * SECOND,
                killed: false,
                refused_ms: None,
            },
        );
        let refresh_left = self.refresh[&refresh].expires_ms - now;
        Pair {
            access,
            access_seconds: config.access_seconds,
            refresh,
            refresh_seconds: refresh_left / SECOND,
            grant: self.grants[grant].clone(),
        }
    }

    /// The grant behind a working access token.
    pub(crate) fn check(&self, value: &str, now: i64) -> Result<(GrantId, &Grant), AccessFault> {
        let access = self.access.get(value).ok_or(AccessFault::Unknown)?;
        let grant = &self.grants[access.grant];
        if access.killed || !grant.alive {
            return Err(AccessFault::Dead);
        }
        if access.expires_ms <= now {
            return Err(AccessFault::Expired);
        }
        Ok((access.grant, grant))
    }

    /// Notes that a token was refused; gives the moment of its first refusal if there was one.
    pub(crate) fn note_refused(&mut self, value: &str, now: i64) -> Option<i64> {
        let access = self.access.get_mut(value)?;
        let first = access.refused_ms;
        access.refused_ms.get_or_insert(now);
        first
    }

    /// The account a token was issued for, working or not.
    pub(crate) fn account_of(&self, value: &str) -> Option<&str> {
        let grant = match self.access.get(value) {
            Some(access) => access.grant,
            None => self.refresh.get(value)?.grant,
        };
        Some(&self.grants[grant].account)
    }

    /// Kills one access token.
    pub(crate) fn kill_access(&mut self, value: &str) {
        if let Some(access) = self.access.get_mut(value) {
            access.killed = true;
        }
    }

    /// Ends one grant, or all grants of an account. Says whether one was alive.
    pub(crate) fn revoke(&mut self, account: &str) -> bool {
        let mut found = false;
        for grant in &mut self.grants {
            if grant.account == account && grant.alive {
                grant.alive = false;
                found = true;
            }
        }
        found
    }

    /// Whether the account has a living grant.
    pub(crate) fn connected(&self, account: &str) -> bool {
        self.grants
            .iter()
            .any(|grant| grant.account == account && grant.alive)
    }
}
