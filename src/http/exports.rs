//! Exports: `GET /exports/{token}` gives the archive that a link names. Whoever has the link may fetch,
//! until its end; everything else answers 404 and nothing more.

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};

use super::answer;
use crate::{
    app::App,
    domain::exports::{self, link},
};

/// The route.
pub(super) fn router(app: App) -> Router {
    Router::new()
        .route(&format!("{}/{{token}}", link::PATH), get(archive))
        .with_state(app)
}

async fn archive(State(app): State<App>, Path(token): Path<String>) -> Response {
    let reader = match exports::open(&app, &token).await {
        Ok(Some(reader)) => reader,
        Ok(None) => return answer::not_found().await,
        Err(error) => {
            tracing::error!(?error, "an export could not be handed out");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    let size = reader.size();
    let answer = Response::builder()
        .header(header::CONTENT_TYPE, "application/zip")
        .header(header::CONTENT_LENGTH, size)
        .header(
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"clipqueue-export.zip\"",
        )
        .header(header::CACHE_CONTROL, "no-store")
        .header("x-robots-tag", "noindex")
        .body(Body::from_stream(reader.read_range(0..size)));
    answer.unwrap_or_else(|error| {
        tracing::error!(%error, "an export could not be handed out");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}
