//! What is checked about a chunk before its body is read: the task, its age, the headers, the range.

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use serde_json::json;
use sha2::Sha256;

use super::upload::{plain, progress};
use crate::call::Call;
use crate::envelope::Answer;
use crate::ledger::Rule;
use crate::publish::{Publish, Stage};
use crate::state::State;

/// Media types a video may have.
const VIDEO_TYPES: [&str; 3] = ["video/mp4", "video/quicktime", "video/webm"];

/// A chunk that may be read: where it belongs, and the hash and head of the file before it.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) publish_id: String,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) content_type: String,
    pub(crate) hasher: Sha256,
    pub(crate) head: Vec<u8>,
    pub(crate) read: u64,
}

/// The publish behind the call's query.
fn named<'a>(state: &'a mut State, call: &Call) -> Option<&'a mut Publish> {
    let pairs = Call::pairs(call.query.as_bytes());
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name);
    let (_, upload_id) = value("upload_id")?;
    let (_, token) = value("upload_token")?;
    state.publishes.by_upload(upload_id, token)
}

/// Notes whose upload this is.
pub(crate) fn identify(state: &mut State, call: &mut Call) {
    if let Some(publish) = named(state, call) {
        call.entry.account = Some(publish.account.clone());
        call.entry.publish_id = Some(publish.id.clone());
    }
}

/// Admits a chunk, or answers why not.
pub(crate) fn admit(state: &mut State, call: &mut Call) -> Result<Ticket, Answer> {
    if call.headers.contains_key(AUTHORIZATION) {
        call.broke(
            Rule::AuthorizationOnUpload,
            "the upload host gets no access token",
        );
    }
    let Some(publish) = named(state, call).cloned() else {
        call.broke(Rule::UnknownUpload, "no init gave this upload_url");
        return Err(plain(call, 404, "upload_not_found"));
    };
    let Some(upload) = publish.upload.as_ref() else {
        return Err(plain(call, 404, "upload_not_found"));
    };
    if matches!(publish.stage, Stage::Failed(_)) {
        return Err(plain(call, 404, "upload_not_found"));
    }
    if upload.expires_ms <= call.now {
        return Err(plain(call, 403, "upload_url_expired"));
    }
    let headers = match parse(call) {
        Ok(headers) => headers,
        Err(fault) => {
            call.broke(Rule::BadUploadHeaders, fault);
            return Err(plain(call, 400, "bad_upload_headers"));
        }
    };
    let (first, last, total) = headers.range;
    call.entry.range = Some(headers.range);
    call.entry.summary = json!({ "content_type": headers.content_type });
    let started_as = upload.content_type.as_ref();
    let fault = if total != upload.plan.size {
        Some(format!("total {total}, init said {}", upload.plan.size))
    } else if started_as.is_some_and(|start| *start != headers.content_type) {
        Some("the media type changed between chunks".to_owned())
    } else {
        None
    };
    if let Some(fault) = fault {
        call.broke(Rule::BadUploadHeaders, fault);
        return Err(plain(call, 400, "bad_upload_headers"));
    }
    let is_chunk = upload.plan.chunk_at(first) == Some((first, last));
    if !is_chunk || first != upload.received {
        if is_chunk && last < upload.received {
            // A client that did not hear the answer sends a chunk again to find out.
            call.entry.expected = true;
        } else {
            let detail = format!("{first}-{last} after {} bytes", upload.received);
            call.broke(Rule::ChunkOutOfOrder, detail);
        }
        let mut answer = plain(call, 416, "range_mismatch");
        answer.range = Some(progress(state, upload));
        return Err(answer);
    }
    Ok(Ticket {
        publish_id: publish.id.clone(),
        first,
        last,
        content_type: headers.content_type,
        hasher: upload.hasher.clone(),
        head: upload.head.clone(),
        read: 0,
    })
}

struct Headers {
    range: (u64, u64, u64),
    content_type: String,
}

fn parse(call: &Call) -> Result<Headers, String> {
    let text = |name| {
        let value = call.headers.get(name)?;
        value.to_str().ok().map(str::trim)
    };
    let content_type = text(CONTENT_TYPE).unwrap_or_default().to_owned();
    if !VIDEO_TYPES.contains(&content_type.as_str()) {
        return Err(format!("Content-Type {content_type:?}"));
    }
    let given = text(CONTENT_RANGE).unwrap_or_default();
    let range = parse_range(given).ok_or_else(|| format!("Content-Range {given:?}"))?;
    let length = content_length(call).ok_or("no Content-Length")?;
    if length != range.1 + 1 - range.0 {
        return Err(format!("Content-Length {length} for {given}"));
    }
    Ok(Headers {
        range,
        content_type,
    })
}

/// The declared length of the body.
pub(crate) fn content_length(call: &Call) -> Option<u64> {
    let value = call.headers.get(CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

/// `bytes first-last/total`, inclusive.
fn parse_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total) = (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    (first <= last && last < total).then_some((first, last, total))
}
