//! What the three inits share: the creator's standing, the audit, the privacy option, URL ownership, and
//! the opening of a publish.

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::Reply;
use crate::account::{Account, SELF_ONLY};
use crate::call::Call;
use crate::chunks::Plan;
use crate::clock::SECOND;
use crate::config_transfer::PullConfig;
use crate::endpoint::UPLOAD_PATH;
use crate::envelope::Refusal;
use crate::ids;
use crate::ledger::Rule;
use crate::publish::{Flow, Publish, Stage, Upload};
use crate::pull::{self, PullJob};
use crate::state::State;

/// TikTok's message for a post description that does not fit.
pub(crate) const POST_INFO: &str = "The request post info is empty or incorrect";
/// TikTok's message for a media description that does not fit.
pub(crate) const SOURCE_INFO: &str = "The request source info is empty or incorrect";

/// The outer body of an init; its two halves are shaped one by one, since each has its own message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Halves {
    #[serde(default)]
    pub(crate) post_info: Value,
    #[serde(default)]
    pub(crate) source_info: Value,
}

/// Where the media comes from.
#[derive(Debug)]
pub(crate) enum Source {
    File(Plan),
    Urls(Vec<String>),
}

/// A checked init, before the checks that depend on the creator.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) flow: Flow,
    pub(crate) source: Source,
    pub(crate) privacy: Option<String>,
    pub(crate) caption: String,
    pub(crate) is_aigc: bool,
}

/// Refuses text over `max` UTF-16 code units.
pub(crate) fn check_text(
    call: &mut Call,
    text: Option<&String>,
    max: usize,
) -> Result<(), Refusal> {
    let units = text.map_or(0, |text| text.encode_utf16().count());
    if units > max {
        call.broke(
            Rule::CaptionTooLong,
            format!("{units} UTF-16 units, at most {max}"),
        );
        return Err(Refusal::params(POST_INFO));
    }
    Ok(())
}

/// Refuses branded content that only its creator could see.
pub(crate) fn check_brand(
    call: &mut Call,
    branded: Option<bool>,
    privacy: Option<&String>,
) -> Result<(), Refusal> {
    if branded == Some(true) && privacy.is_some_and(|level| level == SELF_ONLY) {
        call.broke(Rule::BrandedOnlyMe, "brand_content_toggle with SELF_ONLY");
        return Err(Refusal::params(POST_INFO));
    }
    Ok(())
}

/// The rest of an init: ban, caps, audit, privacy option, URL ownership; then the publish exists.
pub(crate) fn open(state: &mut State, call: &mut Call, username: &str, opening: Opening) -> Reply {
    let now = call.now;
    let account = state.accounts.get(username);
    let account = account.cloned().ok_or_else(Refusal::token)?;
    let direct = !opening.flow.is_draft();
    if account.banned {
        return Err(Refusal::forbidden("spam_risk_user_banned_from_posting"));
    }
    check_caps(state, &account, direct, now)?;
    if direct {
        let privacy = opening.privacy.as_deref();
        if !state.config.audited && (!account.private || privacy != Some(SELF_ONLY)) {
            return Err(Refusal::forbidden(
                "unaudited_client_can_only_post_to_private_accounts",
            ));
        }
        check_privacy(state, call, &account, privacy)?;
    }
    if let Source::Urls(urls) = &opening.source {
        let owned = |url: &String| is_verified(&state.config.pulls, url);
        if !urls.iter().all(owned) {
            return Err(Refusal::forbidden("url_ownership_unverified"));
        }
    }
    Ok(begin(state, call, &account, opening))
}

fn check_caps(state: &State, account: &Account, direct: bool, now: i64) -> Result<(), Refusal> {
    let caps = &state.config.caps;
    let publishes = &state.publishes;
    if !direct {
        let pending = publishes.drafts_pending(&account.username, now);
        if pending >= caps.pending_drafts as usize {
            return Err(Refusal::forbidden("spam_risk_too_many_pending_share"));
        }
        return Ok(());
    }
    let posted = publishes.direct_today(&account.username, now) + account.posts_elsewhere as usize;
    if posted >= account.post_cap.unwrap_or(caps.posts_per_creator) as usize {
        return Err(Refusal::forbidden("spam_risk_too_many_posts"));
    }
    let cap = if state.config.audited {
        caps.audited_users
    } else {
        Some(caps.unaudited_users)
    };
    if cap.is_some_and(|cap| publishes.over_user_cap(&account.username, now, cap)) {
        return Err(Refusal::forbidden("reached_active_user_cap"));
    }
    Ok(())
}

fn check_privacy(
    state: &State,
    call: &mut Call,
    account: &Account,
    privacy: Option<&str>,
) -> Result<(), Refusal> {
    let has = |options: &[String]| options.iter().any(|have| Some(have.as_str()) == privacy);
    let shown = account.last_info.as_ref();
    if let Some(span) = state.config.pipeline.creator_info_freshness_ms
        && shown.is_none_or(|(at, _)| call.now - at > span)
    {
        call.broke(
            Rule::CreatorInfoNotFresh,
            format!("no creator_info query in the last {} s", span / SECOND),
        );
    }
    if has(&account.privacy_level_options()) {
        return Ok(());
    }
    // An account that changed after the client looked is nobody's fault.
    if shown.is_none_or(|(_, options)| !has(options)) {
        let level = privacy.unwrap_or("no privacy level");
        call.broke(Rule::PrivacyNotOffered, level);
    }
    Err(Refusal::forbidden("privacy_level_option_mismatch"))
}

/// Whether a URL lies on a verified domain or under a verified prefix.
fn is_verified(config: &PullConfig, url: &str) -> bool {
    let Ok(parsed) = Url::parse(url) else {
        return false;
    };
    let host = parsed.host_str().unwrap_or_default();
    let loopback = config.loopback_http && pull::is_loopback(host);
    if parsed.scheme() != "https" && !loopback {
        return false;
    }
    let bare = url.split(['?', '#']).next().unwrap_or(url);
    loopback && config.verified.is_empty()
        || config.verified.iter().any(|entry| {
            if entry.contains("://") {
                entry.ends_with('/') && bare.starts_with(entry.as_str())
            } else {
                host == entry || host.ends_with(&format!(".{entry}"))
            }
        })
}

fn begin(state: &mut State, call: &mut Call, account: &Account, opening: Opening) -> Value {
    let pull = matches!(opening.source, Source::Urls(_));
    let id = ids::publish_id(opening.flow.prefix(pull), state.next_sequence());
    call.entry.publish_id = Some(id.clone());
    let scripted = state.accounts.get_mut(&account.username);
    let script = scripted.and_then(|account| account.scripts.pop_front());
    let mut publish = Publish {
        id: id.clone(),
        flow: opening.flow,
        pull,
        account: account.username.clone(),
        created_ms: call.now,
        stage: Stage::AwaitingPull,
        script: script.unwrap_or_default(),
        caption: opening.caption,
        privacy: opening.privacy,
        is_aigc: opening.is_aigc,
        upload: None,
        urls: Vec::new(),
        downloaded: 0,
        sha256: None,
        post_ids: Vec::new(),
        discarded: false,
    };
    match opening.source {
        Source::File(plan) => {
            let (upload_id, token) = (ids::opaque(10), ids::opaque(20));
            let expires_ms = call.now + state.config.uploads.url_seconds * SECOND;
            let url = format!(
                "{}{UPLOAD_PATH}?upload_id={upload_id}&upload_token={token}",
                state.base_url
            );
            publish.stage = Stage::AwaitingBytes;
            publish.upload = Some(Upload::new(token, plan, expires_ms));
            state.publishes.add(publish, Some(upload_id));
            json!({ "publish_id": id, "upload_url": url })
        }
        Source::Urls(urls) => {
            publish.urls.clone_from(&urls);
            state.pulls.push(PullJob {
                publish_id: id.clone(),
                photo: opening.flow.is_photo(),
                urls,
            });
            state.publishes.add(publish, None);
            json!({ "publish_id": id })
        }
    }
}
