//! `/_sim/...`, second half: the ledger and its verdict, drafts, videos, webhooks, and two small pictures.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Json, Path, Query, State as AxumState};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;

use super::control::{Answered, On, done, handle};
use crate::account::PUBLIC;
use crate::ledger::{LedgerFilter, Rule};
use crate::state::Core;
use crate::video::Counters;

/// The endpoints of this half.
pub(crate) fn router() -> Router<Arc<Core>> {
    Router::new()
        .route("/ledger", get(ledger))
        .route("/publishes", get(publishes))
        .route("/duplicates", get(duplicates))
        .route("/inits", get(inits))
        .route("/uploads", get(uploads))
        .route("/verify", get(verify))
        .route("/expect", post(expect))
        .route("/drafts/{publish_id}/finish", post(finish))
        .route("/drafts/{publish_id}/discard", post(discard))
        .route("/videos", get(videos))
        .route("/videos/{id}", axum::routing::delete(delete_video))
        .route("/videos/{id}/public", post(set_public))
        .route("/videos/{id}/counters", patch(set_counters))
        .route("/webhooks", get(webhooks))
        .route("/webhooks/ping", post(ping))
        .route("/avatar/{name}", get(picture))
        .route("/cover/{name}", get(picture))
}

async fn ledger(AxumState(core): On, Query(filter): Query<LedgerFilter>) -> Answered {
    Ok(Json(json!(handle(core).ledger(&filter))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishFilter {
    /// Only what appeared at this moment or later, Unix milliseconds.
    #[serde(default)]
    since_ms: Option<i64>,
}

async fn publishes(AxumState(core): On, Query(filter): Query<PublishFilter>) -> Answered {
    let mut rows = handle(core).publishes();
    rows.retain(|row| filter.since_ms.is_none_or(|since| row.at_ms >= since));
    Ok(Json(json!(rows)))
}

async fn duplicates(AxumState(core): On) -> Answered {
    Ok(Json(json!(handle(core).duplicates())))
}

async fn inits(AxumState(core): On) -> Answered {
    Ok(Json(json!(handle(core).inits())))
}

async fn uploads(AxumState(core): On) -> Answered {
    Ok(Json(json!(handle(core).uploads())))
}

async fn verify(AxumState(core): On) -> Answered {
    let verdict = handle(core).verify();
    let clean = verdict.is_clean();
    Ok(Json(json!({
        "clean": clean,
        "broken": verdict.broken,
        "refused": verdict.refused,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    #[serde(default)]
    codes: Vec<String>,
    #[serde(default)]
    rules: Vec<Rule>,
}

async fn expect(AxumState(core): On, Json(expect): Json<Expect>) -> Answered {
    let sim = handle(core);
    for code in &expect.codes {
        sim.expect_refusal(code);
    }
    for rule in expect.rules {
        sim.expect_broken(rule);
    }
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    #[serde(default = "to_everyone")]
    privacy: String,
    #[serde(default)]
    caption: String,
}

fn to_everyone() -> String {
    PUBLIC.to_owned()
}

async fn finish(
    AxumState(core): On,
    Path(publish_id): Path<String>,
    Json(finish): Json<Finish>,
) -> Answered {
    let id = handle(core).finish_draft(&publish_id, &finish.privacy, &finish.caption)?;
    Ok(Json(json!({ "post_id": id })))
}

async fn discard(AxumState(core): On, Path(publish_id): Path<String>) -> Answered {
    handle(core).discard_draft(&publish_id)?;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VideoFilter {
    account: Option<String>,
}

async fn videos(AxumState(core): On, Query(filter): Query<VideoFilter>) -> Answered {
    Ok(Json(json!(handle(core).videos(filter.account.as_deref()))))
}

async fn delete_video(AxumState(core): On, Path(id): Path<u64>) -> Answered {
    handle(core).delete_video(id)?;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Public {
    public: bool,
}

async fn set_public(
    AxumState(core): On,
    Path(id): Path<u64>,
    Json(body): Json<Public>,
) -> Answered {
    handle(core).set_public(id, body.public)?;
    done()
}

async fn set_counters(
    AxumState(core): On,
    Path(id): Path<u64>,
    Json(counters): Json<Counters>,
) -> Answered {
    handle(core).set_counters(id, counters)?;
    done()
}

async fn webhooks(AxumState(core): On) -> Answered {
    Ok(Json(json!(handle(core).webhooks())))
}

async fn ping(AxumState(core): On) -> Answered {
    handle(core).ping_webhook();
    done()
}

/// Avatars and covers: one grey square.
async fn picture() -> Response {
    let square = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\"><rect width=\"9\" height=\"9\" fill=\"#999\"/></svg>";
    ([(CONTENT_TYPE, "image/svg+xml")], square).into_response()
}
