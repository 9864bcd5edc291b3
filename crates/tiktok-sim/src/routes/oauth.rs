//! The token endpoint and revoke. Flat JSON, form bodies, no envelope.

use std::collections::BTreeMap;

use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Reply;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::envelope::Refusal;
use crate::ids;
use crate::ledger::Rule;
use crate::state::State;
use crate::tokens::{AccessFault, Pair, RefreshFault};

/// What a client token lives, in seconds.
const CLIENT_TOKEN_SECONDS: i64 = 7_200;
/// The reason of `authorization.removed` after a revoke by the developer.
const REVOKED_BY_DEVELOPER: u8 = 5;
/// Lengths a PKCE verifier may have.
const VERIFIER_LENGTHS: std::ops::RangeInclusive<usize> = 43..=128;

type Form = BTreeMap<String, String>;

/// The form with exactly the documented fields; `optional` may be absent.
fn form(
    state: &State,
    call: &mut Call,
    required: &[&str],
    optional: &[&str],
) -> Result<Form, Refusal> {
    let media = call
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    if !media.starts_with("application/x-www-form-urlencoded") {
        call.broke(
            Rule::WrongContentType,
            format!("{media:?} instead of a form"),
        );
        return Err(invalid_request("The request is not form-encoded."));
    }
    let form: Form = Call::pairs(&call.body).into_iter().collect();
    call.entry.summary = json!({"fields": form.keys().collect::<Vec<_>>()});
    for name in form.keys() {
        if !required.contains(&name.as_str()) && !optional.contains(&name.as_str()) {
            call.broke(Rule::UnknownField, format!("form field {name}"));
            return Err(invalid_request(
                "The request contains an unknown parameter.",
            ));
        }
    }
    for name in required {
        if form.get(*name).is_none_or(String::is_empty) {
            call.broke(Rule::BadBody, format!("form field {name} is missing"));
            return Err(invalid_request(&format!("Parameter {name} is missing.")));
        }
    }
    let config = &state.config;
    if form["client_key"] != config.client_key || form["client_secret"] != config.client_secret {
        call.broke(Rule::BadClientCredentials, "client_key or client_secret");
        return Err(Refusal::oauth(
            "invalid_client",
            "Client key or secret is incorrect.",
        ));
    }
    Ok(form)
}

fn invalid_request(description: &str) -> Refusal {
    Refusal::oauth("invalid_request", description)
}

fn invalid_grant(description: &str) -> Refusal {
    Refusal::oauth("invalid_grant", description)
}

/// Trades a code for a pair. A failed exchange uses the code up too.
pub(crate) fn exchange(state: &mut State, call: &mut Call) -> Reply {
    let required = [
        "client_key",
        "client_secret",
        "grant_type",
        "code",
        "redirect_uri",
    ];
    let form = form(state, call, &required, &["code_verifier"])?;
    let Some(code) = state.tokens.consume_code(&form["code"]) else {
        return Err(invalid_grant("Authorization code is expired."));
    };
    call.entry.account = Some(code.account.clone());
    if code.used {
        call.broke(Rule::CodeUsedTwice, "codes work once");
        return Err(invalid_grant("Authorization code is expired."));
    }
    if code.expires_ms <= call.now {
        return Err(invalid_grant("Authorization code is expired."));
    }
    if code.redirect_uri != form["redirect_uri"] {
        call.broke(Rule::BadBody, "redirect_uri differs from the consent's");
        return Err(invalid_request("Redirect_uri is not matched."));
    }
    if let Some(challenge) = &code.challenge {
        let verifier = form.get("code_verifier").map_or("", String::as_str);
        if let Some(fault) = verifier_fault(verifier, challenge) {
            call.broke(Rule::BadVerifier, fault);
            return Err(invalid_request(
                "Code verifier or code challenge is invalid.",
            ));
        }
    }
    let pair = state.tokens.open(&code, &state.config.tokens, call.now);
    Ok(answer(state, &pair))
}

fn verifier_fault(verifier: &str, challenge: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !VERIFIER_LENGTHS.contains(&verifier.len()) || !verifier.bytes().all(allowed) {
        return Some("a verifier has 43 to 128 characters of A-Z a-z 0-9 - . _ ~");
    }
    // Lower-case hex, unlike the base64url of the RFC.
    if hex::encode(Sha256::digest(verifier)) != challenge {
        return Some("the verifier does not belong to the challenge");
    }
    None
}

/// Trades a refresh token for a new pair; the old one dies unless rotation is off.
pub(crate) fn refresh(state: &mut State, call: &mut Call) -> Reply {
    let required = ["client_key", "client_secret", "grant_type", "refresh_token"];
    let form = form(state, call, &required, &[])?;
    let token = &form["refresh_token"];
    call.entry.token = Some(ids::short_hash(token));
    let config = state.config.tokens.clone();
    match state.tokens.renew(token, &config, call.now) {
        Ok(pair) => Ok(answer(state, &pair)),
        Err(fault) => {
            match fault {
                RefreshFault::Replaced { excused: false } => {
                    call.broke(Rule::DeadRefreshTokenUsed, "it was replaced by a newer one");
                }
                RefreshFault::Replaced { excused: true } => call.entry.expected = true,
                RefreshFault::Unknown => {
                    call.broke(Rule::UnknownToken, "a refresh token that was never issued");
                }
                RefreshFault::Expired | RefreshFault::Revoked => {}
            }
            Err(invalid_grant("Refresh token is invalid or expired."))
        }
    }
}

/// A client token, or the refusal of an unknown grant type.
pub(crate) fn client(state: &mut State, call: &mut Call) -> Reply {
    let form = form(
        state,
        call,
        &["client_key", "client_secret", "grant_type"],
        &[],
    )?;
    if form["grant_type"] != "client_credentials" {
        call.broke(Rule::BadBody, format!("grant_type {}", form["grant_type"]));
        return Err(Refusal::oauth(
            "unsupported_grant_type",
            "The grant type is not supported.",
        ));
    }
    Ok(json!({
        "access_token": ids::token("clt"),
        "expires_in": CLIENT_TOKEN_SECONDS,
        "token_type": "Bearer",
    }))
}

/// Ends the grant behind a working access token. An expired one is refused and leaves the grant alive.
pub(crate) fn revoke(state: &mut State, call: &mut Call) -> Reply {
    debug_assert_eq!(call.endpoint, Endpoint::OauthRevoke);
    let form = form(state, call, &["client_key", "client_secret", "token"], &[])?;
    let token = &form["token"];
    call.entry.token = Some(ids::short_hash(token));
    let account = match state.tokens.check(token, call.now) {
        Ok((_, grant)) => grant.account.clone(),
        Err(AccessFault::Expired) => {
            call.broke(Rule::RevokeWithExpiredToken, "refresh first, then revoke");
            return Err(invalid_request("The access token is expired."));
        }
        Err(AccessFault::Unknown) => {
            call.broke(Rule::UnknownToken, "revoke takes the access token");
            return Err(invalid_grant("The access token is invalid."));
        }
        Err(AccessFault::Dead) => return Err(invalid_grant("The access token is invalid.")),
    };
    state.disconnect(&account, REVOKED_BY_DEVELOPER, call.now);
    Ok(json!({}))
}

fn answer(state: &State, pair: &Pair) -> Value {
    let account = state.accounts.get(&pair.grant.account);
    json!({
        "access_token": pair.access,
        "expires_in": pair.access_seconds,
        "refresh_token": pair.refresh,
        "refresh_expires_in": pair.refresh_seconds,
        "open_id": account.map(|account| account.open_id.as_str()),
        "scope": pair.grant.scopes.join(","),
        "token_type": "Bearer",
    })
}
