//! The receipt from before a backup was restored. It knows more than the one that is signed when the erasure
//! was done again: what TikTok was handed after the backup was made, and how the grants ended.

use clipqueue_entities::{
    ErasureId,
    erasure::{self, ErasureCause},
};
use serde_json::{Value, json};

use super::receipt::PLACE;
use crate::{app::App, domain::error::Result};

/// Where the first receipt lies once a second one took its place.
pub(super) fn aside(id: ErasureId) -> String {
    format!("{id}.1")
}

/// What was signed the first time, when this erasure is done again.
pub(super) async fn body(app: &App, erasure: &erasure::Model) -> Result<Option<Value>> {
    let Some(text) = text(app, erasure).await? else {
        return Ok(None);
    };
    let document: Value = serde_json::from_str(&text).map_err(anyhow::Error::from)?;
    Ok(Some(document["receipt"].clone()))
}

async fn text(app: &App, erasure: &erasure::Model) -> Result<Option<String>> {
    if erasure.cause != ErasureCause::Replay {
        return Ok(None);
    }
    let storage = app.media.storage();
    let id = erasure.id;
    // Once it was put aside, what lies in its place is a replay's own.
    let first = storage.kept(PLACE, &aside(id)).await;
    if let Some(first) = first.map_err(anyhow::Error::from)? {
        return Ok(Some(first));
    }
    let kept = storage.kept(PLACE, &id.to_string()).await;
    Ok(kept.map_err(anyhow::Error::from)?)
}

/// Puts the first receipt aside, unless it lies there. Before the second is written.
pub(super) async fn put_aside(app: &App, erasure: &erasure::Model) -> Result<()> {
    if let Some(text) = text(app, erasure).await? {
        let name = aside(erasure.id);
        let kept = app.media.storage().keep(PLACE, &name, text).await;
        kept.map_err(anyhow::Error::from)?;
    }
    Ok(())
}

/// Carries what the first receipt knew over into the second.
pub(super) fn carry_over(first: &Value, second: &mut Value) {
    let list = |body: &Value| {
        let handed = body["handed_to_tiktok_before"].as_array();
        handed.cloned().unwrap_or_default()
    };
    let mut handed = list(first);
    for one in list(second) {
        let is_same = |known: &Value| {
            known["publish_id"] == one["publish_id"] && known["begun_at"] == one["begun_at"]
        };
        if !handed.iter().any(is_same) {
            handed.push(one);
        }
    }
    second["handed_to_tiktok_before"] = Value::Array(handed);
    second["done_before"] = json!({
        "cause": first["cause"],
        "completed_at": first["completed_at"],
        "steps": first["steps"],
    });
    if second["followed_by"].is_null() && !first["followed_by"].is_null() {
        second["followed_by"] = first["followed_by"].clone();
    }
}

/// Whether TikTok ended every grant the first time, so that nobody has to be asked again.
pub async fn grants_had_ended(app: &App, erasure: &erasure::Model) -> Result<bool> {
    let Some(first) = body(app, erasure).await? else {
        return Ok(false);
    };
    Ok(super::receipt::left_at_tiktok(&first["steps"]) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_tiktok_was_handed_is_lost_or_listed_twice() {
        let handed = |id: &str| json!({ "publish_id": id, "begun_at": "then" });
        let steps = json!([{ "step": "revoke", "counts": { "revoked": 1 } }]);
        let first = json!({
            "cause": "owner",
            "completed_at": "then",
            "steps": steps,
            "handed_to_tiktok_before": [handed("a"), handed("b")],
        });
        let mut second = json!({ "handed_to_tiktok_before": [handed("b"), handed("c")] });
        carry_over(&first, &mut second);
        let all = json!([handed("a"), handed("b"), handed("c")]);
        assert_eq!(second["handed_to_tiktok_before"], all);
        assert_eq!(second["done_before"]["steps"], steps);
        assert_eq!(second["followed_by"], Value::Null);
    }
}
