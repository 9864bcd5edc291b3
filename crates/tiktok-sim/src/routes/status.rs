//! `status/fetch`: where a publish is. Empty fields are left out.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Reply;
use crate::call::{Bearer, Call};
use crate::envelope::Refusal;
use crate::ledger::Rule;
use crate::publish::{Publish, Stage};
use crate::state::State;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    publish_id: String,
}

/// The publish that the body names, if it is this creator's. For status and cancel.
pub(crate) fn named(
    state: &mut State,
    call: &mut Call,
    bearer: &Bearer,
) -> Result<Publish, Refusal> {
    let body: Body = call.json("publish_id is missing")?;
    call.entry.publish_id = Some(body.publish_id.clone());
    let unknown = if state.config.quirks.publish_id_as_invalid_params {
        Refusal::params("invalid_publish_id")
    } else {
        Refusal::new(400, "invalid_publish_id", "The publish_id does not exist.")
    };
    let Some(publish) = state.publishes.get(&body.publish_id) else {
        call.broke(Rule::UnknownPublishId, "no init gave this id");
        return Err(unknown);
    };
    if publish.account != bearer.account {
        let detail = format!("it belongs to {}", publish.account);
        call.broke(Rule::PublishIdOfOtherAccount, detail);
        return Err(Refusal::new(
            400,
            "token_not_authorized_for_specified_publish_id",
            "The publish_id belongs to another user.",
        ));
    }
    let config = &state.config.pipeline;
    let lag = publish.script.status_lag_ms.unwrap_or(config.status_lag_ms);
    let age = call.now - publish.created_ms;
    let forgotten = config
        .publish_id_retention_ms
        .is_some_and(|keep| age > keep);
    if age < lag || forgotten {
        call.entry.expected = true;
        return Err(unknown);
    }
    Ok(publish.clone())
}

/// Answers the status.
pub(crate) fn fetch(state: &mut State, call: &mut Call) -> Reply {
    let bearer = state.bearer_with(call, &["video.upload", "video.publish"])?;
    state.within_limit(call, &bearer)?;
    let publish = named(state, call, &bearer)?;
    let mut data = Map::new();
    let status = match &publish.stage {
        Stage::AwaitingPull => "PROCESSING_DOWNLOAD",
        Stage::Processing if publish.pull => "PROCESSING_DOWNLOAD",
        Stage::AwaitingBytes | Stage::Processing => "PROCESSING_UPLOAD",
        Stage::Inbox => "SEND_TO_USER_INBOX",
        Stage::Complete => "PUBLISH_COMPLETE",
        Stage::Failed(reason) => {
            data.insert("fail_reason".into(), json!(reason));
            "FAILED"
        }
    };
    data.insert("status".into(), json!(status));
    call.entry.summary = json!({ "status": status });
    if !publish.post_ids.is_empty() {
        // TikTok's spelling, and numbers beyond what a double holds.
        let ids = json!(publish.post_ids);
        data.insert("publicaly_available_post_id".into(), ids);
    }
    let uploaded = publish.upload.as_ref().map_or(0, |upload| upload.received);
    for (name, bytes) in [
        ("uploaded_bytes", uploaded),
        ("downloaded_bytes", publish.downloaded),
    ] {
        if bytes > 0 {
            data.insert(name.into(), json!(bytes));
        }
    }
    Ok(Value::Object(data))
}
