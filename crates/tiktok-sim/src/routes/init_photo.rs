//! Init of a photo post, direct or as a draft. Photos are always pulled.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Reply;
use super::open::{self, Opening, POST_INFO, SOURCE_INFO, Source};
use crate::call::Call;
use crate::envelope::Refusal;
use crate::ledger::Rule;
use crate::publish::Flow;
use crate::state::State;

/// The longest title of a photo post, in UTF-16 code units.
const MAX_TITLE: usize = 90;
/// The longest description of a photo post, in UTF-16 code units.
const MAX_DESCRIPTION: usize = 4_000;
/// The most photos in a post.
const MAX_PHOTOS: usize = 35;
/// The version of TikTok's app from which photo drafts work.
const DRAFT_APP_VERSION: (u32, u32) = (31, 8);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    media_type: Option<String>,
    post_mode: Option<String>,
    is_aigc: Option<bool>,
    #[serde(default)]
    post_info: Value,
    #[serde(default)]
    source_info: Value,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PostInfo {
    title: Option<String>,
    description: Option<String>,
    privacy_level: Option<String>,
    disable_comment: Option<bool>,
    auto_add_music: Option<bool>,
    brand_content_toggle: Option<bool>,
    brand_organic_toggle: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceInfo {
    source: String,
    photo_images: Vec<String>,
    photo_cover_index: usize,
}

/// `content/init`. The scope follows from the post mode, so that is looked at first.
pub(crate) fn init(state: &mut State, call: &mut Call) -> Reply {
    let mode = serde_json::from_slice::<Value>(&call.body)
        .ok()
        .and_then(|body| Some(body.get("post_mode")?.as_str()?.to_owned()));
    let scopes: &[&str] = match mode.as_deref() {
        Some("DIRECT_POST") => &["video.publish"],
        Some("MEDIA_UPLOAD") => &["video.upload"],
        _ => &["video.publish", "video.upload"],
    };
    let bearer = state.bearer_with(call, scopes)?;
    state.within_limit(call, &bearer)?;
    let body: Body = call.json(POST_INFO)?;
    let flow = match (body.media_type.as_deref(), body.post_mode.as_deref()) {
        (Some("PHOTO"), Some("DIRECT_POST")) => Flow::DirectPhoto,
        (Some("PHOTO"), Some("MEDIA_UPLOAD")) => Flow::DraftPhoto,
        (media, mode) => {
            call.broke(
                Rule::BadBody,
                format!("media_type {media:?}, post_mode {mode:?}"),
            );
            return Err(Refusal::params("Invalid media_type or post_mode"));
        }
    };
    let post: PostInfo = match body.post_info {
        Value::Null => PostInfo::default(),
        given => call.shape(given, POST_INFO)?,
    };
    call.entry.summary = json!({"title": post.title, "privacy_level": post.privacy_level});
    open::check_text(call, post.title.as_ref(), MAX_TITLE)?;
    open::check_text(call, post.description.as_ref(), MAX_DESCRIPTION)?;
    let urls = photos(call, body.source_info)?;
    open::check_brand(call, post.brand_content_toggle, post.privacy_level.as_ref())?;
    if flow == Flow::DraftPhoto {
        note_direct_fields(call, &post);
        let account = state.accounts.get(&bearer.account);
        if account.is_some_and(|account| account.app_version < DRAFT_APP_VERSION) {
            let message = "The user's TikTok app is too old.";
            return Err(Refusal::new(400, "app_version_check_failed", message));
        }
    }
    let opening = Opening {
        flow,
        source: Source::Urls(urls),
        privacy: post.privacy_level,
        caption: post.title.or(post.description).unwrap_or_default(),
        is_aigc: body.is_aigc.unwrap_or(false),
    };
    open::open(state, call, &bearer.account, opening)
}

fn photos(call: &mut Call, value: Value) -> Result<Vec<String>, Refusal> {
    let info: SourceInfo = call.shape(value, SOURCE_INFO)?;
    let count = info.photo_images.len();
    call.entry.summary["photos"] = json!(count);
    let fault = if info.source != "PULL_FROM_URL" {
        format!("photos cannot come by {}", info.source)
    } else if !(1..=MAX_PHOTOS).contains(&count) {
        format!("{count} photos, a post has 1 to {MAX_PHOTOS}")
    } else if info.photo_cover_index >= count {
        format!("cover {} of {count} photos", info.photo_cover_index)
    } else {
        return Ok(info.photo_images);
    };
    call.broke(Rule::BadBody, fault);
    Err(Refusal::params(SOURCE_INFO))
}

/// Settings of a direct post mean nothing in a draft; TikTok ignores them, a good client leaves them out.
fn note_direct_fields(call: &mut Call, post: &PostInfo) {
    let given = [
        post.privacy_level.is_some(),
        post.disable_comment.is_some(),
        post.auto_add_music.is_some(),
        post.brand_content_toggle.is_some(),
        post.brand_organic_toggle.is_some(),
    ];
    if given.contains(&true) {
        call.broke(
            Rule::DirectFieldInDraft,
            "post_info carries fields of DIRECT_POST",
        );
    }
}
