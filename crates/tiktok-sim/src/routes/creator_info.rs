//! `creator_info/query`: what the creator's account allows. Three refusals come with HTTP 200, on purpose.

use serde::Deserialize;
use serde_json::json;

use super::Reply;
use crate::call::Call;
use crate::envelope::Refusal;
use crate::state::State;

/// The call takes no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {}

/// Answers with the options; remembers them, to judge the init that follows.
pub(crate) fn query(state: &mut State, call: &mut Call) -> Reply {
    let bearer = state.bearer_with(call, &["video.publish"])?;
    state.within_limit(call, &bearer)?;
    let _: Body = call.json("the body must be empty")?;
    let now = call.now;
    let audited = state.config.audited;
    let caps = state.config.caps.clone();
    let account = state.accounts.get(&bearer.account);
    let account = account.cloned().ok_or_else(Refusal::token)?;
    let ok_but = |code: &str| Refusal::new(200, code, "The creator cannot post now.");
    if account.banned {
        return Err(ok_but("spam_risk_user_banned_from_posting"));
    }
    let posted =
        state.publishes.direct_today(&account.username, now) + account.posts_elsewhere as usize;
    if posted >= account.post_cap.unwrap_or(caps.posts_per_creator) as usize {
        return Err(ok_but("spam_risk_too_many_posts"));
    }
    let cap = if audited {
        caps.audited_users
    } else {
        Some(caps.unaudited_users)
    };
    if cap.is_some_and(|cap| state.publishes.over_user_cap(&account.username, now, cap)) {
        return Err(ok_but("reached_active_user_cap"));
    }
    let options = account.privacy_level_options();
    if let Some(account) = state.accounts.get_mut(&bearer.account) {
        account.last_info = Some((now, options.clone()));
    }
    Ok(json!({
        "creator_avatar_url": super::user_info::avatar(state, &account),
        "creator_username": account.username,
        "creator_nickname": account.nickname,
        "privacy_level_options": options,
        "comment_disabled": account.comment_disabled,
        "duet_disabled": account.duet_disabled || account.private,
        "stitch_disabled": account.stitch_disabled || account.private,
        "max_video_post_duration_sec": account.max_duration_sec,
    }))
}
