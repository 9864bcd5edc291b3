//! `user/info`: the profile fields that the grant's scopes cover.

use serde_json::{Map, Value, json};

use super::Reply;
use crate::account::Account;
use crate::call::Call;
use crate::envelope::Refusal;
use crate::ledger::Rule;
use crate::state::State;

const BASIC: &str = "user.info.basic";
const PROFILE: &str = "user.info.profile";
const STATS: &str = "user.info.stats";

fn scope_of(field: &str) -> Option<&'static str> {
    Some(match field {
        "open_id" | "union_id" | "avatar_url" | "avatar_url_100" | "avatar_large_url"
        | "display_name" => BASIC,
        "bio_description" | "profile_deep_link" | "username" | "is_verified" => PROFILE,
        "follower_count" | "following_count" | "likes_count" | "video_count" => STATS,
        _ => return None,
    })
}

/// Answers the fields asked for; one field outside the scopes fails the whole call.
pub(crate) fn get(state: &mut State, call: &mut Call) -> Reply {
    let bearer = state.bearer(call)?;
    let fields = call.only_query("fields")?.unwrap_or_default();
    call.entry.summary = json!({ "fields": fields });
    let mut needed = Vec::new();
    for field in fields.split(',') {
        let Some(scope) = scope_of(field) else {
            call.broke(Rule::UnknownField, format!("user field {field:?}"));
            return Err(Refusal::params("fields is missing or has an unknown field"));
        };
        needed.push(scope);
    }
    if let Some(missing) = needed.iter().find(|scope| !has(&bearer.scopes, scope)) {
        call.broke(Rule::ScopeNotGranted, format!("a field needs {missing}"));
        return Err(if state.config.quirks.scope_permission_missed {
            Refusal::new(
                400,
                "scope_permission_missed",
                "Additional scopes are needed.",
            )
        } else {
            Refusal::scope()
        });
    }
    state.within_limit(call, &bearer)?;
    let account = state.accounts.get(&bearer.account);
    let account = account.cloned().ok_or_else(Refusal::token)?;
    let mut user = Map::new();
    for field in fields.split(',') {
        user.insert(field.to_owned(), value(state, call.now, &account, field));
    }
    Ok(json!({ "user": user }))
}

fn has(scopes: &[String], scope: &str) -> bool {
    scopes.iter().any(|have| have == scope)
}

fn value(state: &State, now: i64, account: &Account, field: &str) -> Value {
    let rate = state.config.pipeline.views_per_hour;
    let public = state
        .videos
        .of_account(&account.username)
        .filter(|video| video.visible && !video.deleted);
    match field {
        "open_id" => json!(account.open_id),
        "union_id" => json!(account.union_id),
        "avatar_url" | "avatar_url_100" | "avatar_large_url" => json!(avatar(state, account)),
        "display_name" => json!(account.nickname),
        "bio_description" => json!(account.bio),
        "profile_deep_link" => json!(format!("https://vm.tiktok.com/{}/", account.username)),
        "username" => json!(account.username),
        "is_verified" => json!(account.verified),
        "follower_count" => json!(account.followers),
        "following_count" => json!(account.following),
        "likes_count" => {
            let likes = public.map(|video| video.counters_at(now, rate).likes);
            json!(likes.sum::<u64>())
        }
        "video_count" => json!(public.count()),
        _ => Value::Null,
    }
}

/// A picture URL; the simulator serves the same small picture for everyone.
pub(crate) fn avatar(state: &State, account: &Account) -> String {
    format!("{}/_sim/avatar/{}.svg", state.base_url, account.username)
}
