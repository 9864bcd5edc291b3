//! Init of a video, as a direct post or as a draft.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Reply;
use super::open::{self, Halves, Opening, POST_INFO, SOURCE_INFO, Source};
use crate::call::Call;
use crate::chunks::Plan;
use crate::envelope::Refusal;
use crate::ledger::Rule;
use crate::publish::Flow;
use crate::state::State;

/// The longest caption of a video, in UTF-16 code units.
const MAX_TITLE: usize = 2_200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "fields that are only checked for their type")]
struct PostInfo {
    privacy_level: Option<String>,
    title: Option<String>,
    disable_duet: Option<bool>,
    disable_stitch: Option<bool>,
    disable_comment: Option<bool>,
    video_cover_timestamp_ms: Option<i32>,
    brand_content_toggle: Option<bool>,
    brand_organic_toggle: Option<bool>,
    is_aigc: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceInfo {
    source: String,
    video_url: Option<String>,
    video_size: Option<i64>,
    chunk_size: Option<i64>,
    total_chunk_count: Option<i64>,
}

/// `video/init`: token, scope, rate limit, shape, chunks; the rest is shared.
pub(crate) fn direct(state: &mut State, call: &mut Call) -> Reply {
    let bearer = state.bearer_with(call, &["video.publish"])?;
    state.within_limit(call, &bearer)?;
    let halves: Halves = call.json(POST_INFO)?;
    let post: PostInfo = call.shape(halves.post_info, POST_INFO)?;
    call.entry.summary = json!({"title": post.title, "privacy_level": post.privacy_level});
    open::check_text(call, post.title.as_ref(), MAX_TITLE)?;
    let source = source(call, halves.source_info)?;
    open::check_brand(call, post.brand_content_toggle, post.privacy_level.as_ref())?;
    let opening = Opening {
        flow: Flow::DirectVideo,
        source,
        privacy: post.privacy_level,
        caption: post.title.unwrap_or_default(),
        is_aigc: post.is_aigc.unwrap_or(false),
    };
    open::open(state, call, &bearer.account, opening)
}

/// `inbox/video/init`: no post info is documented; one that is sent is ignored.
pub(crate) fn inbox(state: &mut State, call: &mut Call) -> Reply {
    let bearer = state.bearer_with(call, &["video.upload"])?;
    state.within_limit(call, &bearer)?;
    let halves: Halves = call.json(SOURCE_INFO)?;
    call.entry.summary = json!({});
    let opening = Opening {
        flow: Flow::DraftVideo,
        source: source(call, halves.source_info)?,
        privacy: None,
        caption: String::new(),
        is_aigc: false,
    };
    open::open(state, call, &bearer.account, opening)
}

fn source(call: &mut Call, value: Value) -> Result<Source, Refusal> {
    let info: SourceInfo = call.shape(value, SOURCE_INFO)?;
    let numbers = (info.video_size, info.chunk_size, info.total_chunk_count);
    call.entry.summary["source"] = json!(info.source);
    call.entry.summary["numbers"] = json!(numbers);
    match (info.source.as_str(), info.video_url, numbers) {
        ("FILE_UPLOAD", None, (Some(size), Some(chunk), Some(count))) => {
            Plan::parse(size, chunk, count)
                .map(Source::File)
                .map_err(|error| {
                    let detail = format!("{}: {size} in {count} of {chunk}", error.message());
                    call.broke(Rule::ChunkArithmetic, detail);
                    Refusal::params(error.message())
                })
        }
        ("PULL_FROM_URL", Some(url), (None, None, None)) => Ok(Source::Urls(vec![url])),
        (source, _, _) => {
            let detail = format!("source {source} with the wrong fields");
            call.broke(Rule::BadBody, detail);
            Err(Refusal::params(SOURCE_INFO))
        }
    }
}
