//! `video/list` and `video/query`: a creator's public videos and their counters.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Reply;
use crate::call::{Bearer, Call};
use crate::clock::SECOND;
use crate::envelope::Refusal;
use crate::ledger::Rule;
use crate::state::State;
use crate::video::Video;

/// Videos on a page if the client does not say.
const DEFAULT_COUNT: i64 = 10;
/// The most videos on a page, and the most ids in a query.
const MAX_COUNT: i64 = 20;
/// Descriptions are cut to this many characters.
const MAX_DESCRIPTION: usize = 150;

const FIELDS: [&str; 16] = [
    "id",
    "create_time",
    "cover_image_url",
    "share_url",
    "video_description",
    "title",
    "duration",
    "height",
    "width",
    "embed_html",
    "embed_link",
    "like_count",
    "comment_count",
    "share_count",
    "view_count",
    "is_aigc",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListBody {
    cursor: Option<i64>,
    max_count: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryBody {
    filters: Filters,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filters {
    video_ids: Vec<String>,
}

fn start(state: &mut State, call: &mut Call) -> Result<(Bearer, Vec<String>), Refusal> {
    let bearer = state.bearer_with(call, &["video.list"])?;
    state.within_limit(call, &bearer)?;
    let fields = call.only_query("fields")?.unwrap_or_default();
    let fields: Vec<String> = fields.split(',').map(str::to_owned).collect();
    let unknown = fields
        .iter()
        .find(|field| !FIELDS.contains(&field.as_str()));
    if let Some(unknown) = unknown {
        call.broke(Rule::UnknownField, format!("video field {unknown:?}"));
        return Err(Refusal::params("fields is missing or has an unknown field"));
    }
    Ok((bearer, fields))
}

/// One page, newest first, of videos older than the cursor (Unix milliseconds).
pub(crate) fn list(state: &mut State, call: &mut Call) -> Reply {
    let (bearer, fields) = start(state, call)?;
    let body: ListBody = call.json("cursor or max_count is invalid")?;
    let count = body.max_count.unwrap_or(DEFAULT_COUNT);
    if !(1..=MAX_COUNT).contains(&count) {
        call.broke(Rule::BadBody, format!("max_count {count}"));
        return Err(Refusal::params("max_count is invalid"));
    }
    let count = usize::try_from(count).unwrap_or_default();
    call.entry.summary = json!({"cursor": body.cursor, "max_count": count});
    let before = body.cursor.unwrap_or(i64::MAX);
    let older = state
        .videos
        .of_account(&bearer.account)
        .filter(|video| listed(video) && video.created_ms < before);
    let mut page: Vec<&Video> = older.take(count + 1).collect();
    let has_more = page.len() > count;
    page.truncate(count);
    let cursor = page.last().map_or(call.now, |video| video.created_ms);
    let videos: Vec<Value> = page
        .iter()
        .map(|video| object(state, call.now, video, &fields))
        .collect();
    Ok(json!({"videos": videos, "cursor": cursor, "has_more": has_more}))
}

/// The named videos that are this creator's and public; others are left out.
pub(crate) fn query(state: &mut State, call: &mut Call) -> Reply {
    let (bearer, fields) = start(state, call)?;
    let body: QueryBody = call.json("filters.video_ids is invalid")?;
    let ids = body.filters.video_ids;
    call.entry.summary = json!({ "ids": ids.len() });
    if ids.is_empty() || ids.len() > usize::try_from(MAX_COUNT).unwrap_or_default() {
        call.broke(Rule::BadBody, format!("{} video ids", ids.len()));
        return Err(Refusal::params("filters.video_ids is invalid"));
    }
    let videos: Vec<Value> = ids
        .iter()
        .filter_map(|id| state.videos.get(id.parse().ok()?))
        .filter(|video| video.account == bearer.account && listed(video))
        .map(|video| object(state, call.now, video, &fields))
        .collect();
    Ok(json!({ "videos": videos }))
}

fn listed(video: &Video) -> bool {
    video.visible && !video.deleted && !video.photo
}

fn object(state: &State, now: i64, video: &Video, fields: &[String]) -> Value {
    let counters = video.counters_at(now, state.config.pipeline.views_per_hour);
    let caption: String = video.caption.chars().take(MAX_DESCRIPTION).collect();
    let page = format!(
        "https://www.tiktok.com/@{}/video/{}",
        video.account, video.id
    );
    let embed = format!("https://www.tiktok.com/embed/v2/{}", video.id);
    let mut object = Map::new();
    for field in fields {
        let value = match field.as_str() {
            "id" => json!(video.id.to_string()),
            "create_time" => json!(video.created_ms / SECOND),
            "cover_image_url" => json!(format!("{}/_sim/cover/{}.svg", state.base_url, video.id)),
            "share_url" => json!(format!(
                "{page}?utm_campaign=simulated&utm_source=simulator"
            )),
            "video_description" | "title" => json!(caption),
            // The simulator does not decode videos; every one is a portrait of the configured length.
            "duration" => json!(state.config.pipeline.video_seconds),
            "height" => json!(1_920),
            "width" => json!(1_080),
            "embed_html" => json!(format!("<blockquote cite=\"{page}\"></blockquote>")),
            "embed_link" => json!(embed),
            "like_count" => json!(counters.likes),
            "comment_count" => json!(counters.comments),
            "share_count" => json!(counters.shares),
            "view_count" => json!(counters.views),
            "is_aigc" => json!(video.is_aigc),
            _ => Value::Null,
        };
        object.insert(field.clone(), value);
    }
    Value::Object(object)
}
