//! The operators' console at `/ops`: pages that the server renders, which work without scripts and are
//! quicker with them.
//!
//! A page stands on the domain, as GraphQL does, and knows neither rows nor workers; every button is a
//! mutation too. [`session`] lets operators in by key, [`oidc`] by a provider of identities;
//! [`same_origin`] keeps foreign pages from pressing buttons, [`page`] dresses answers, [`assets`] are in
//! the binary. htmx enhances: it swaps what a form or the stream of [`live`] sends. Nothing is inline, so
//! the policy for browsers allows nothing inline.

pub(super) mod assets;
mod audit;
mod bulk;
mod crons;
mod deletions;
mod erasures;
mod filter;
mod job;
pub(super) mod jobs;
mod live;
mod oidc;
mod overview;
pub(super) mod page;
mod post;
mod posts;
mod retention;
mod same_origin;
mod session;
pub(super) mod show;
mod word;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post as on_post},
};
use tokio_util::sync::CancellationToken;

use super::frame::dress;
use crate::{
    app::{App, OIDC_CALLBACK_PATH},
    graphql::sampler::Sampler,
};

/// No form of the console sends more.
const MAX_FORM: usize = 16 * 1024;

/// What every page is given.
#[derive(Clone)]
struct Console {
    app: App,
    /// What stands before every path: that of `http.public_url`, and `/ops`.
    base: Arc<str>,
    sampler: Arc<Sampler>,
    shutdown: CancellationToken,
}

/// The console's routes.
pub fn router(app: &App, shutdown: CancellationToken) -> Router {
    let console = Console {
        app: app.clone(),
        base: format!("{}/ops", app.base_path()).into(),
        sampler: Sampler::new(app.clone()),
        shutdown,
    };
    let inside = Router::new()
        .route("/ops", get(overview::show))
        .route("/ops/", get(overview::moved))
        .route("/ops/live", get(live::stream))
        .route("/ops/find", get(overview::find))
        .route("/ops/queues/{queue}/{act}", on_post(overview::steer))
        .route("/ops/jobs", get(jobs::show))
        .route("/ops/jobs/{id}", get(job::show))
        .route("/ops/jobs/{id}/{act}", on_post(job::act))
        .route("/ops/posts", get(posts::show))
        .route("/ops/posts/{id}", get(post::show))
        .route("/ops/posts/{id}/settle", on_post(word::settle))
        .route("/ops/crons", get(crons::show))
        .route("/ops/bulk", get(bulk::show).post(bulk::start))
        .route("/ops/bulk/new", get(bulk::form))
        .route("/ops/bulk/{id}", get(bulk::one))
        .route("/ops/bulk/{id}/stop", on_post(bulk::stop))
        .route("/ops/erasures", get(erasures::show))
        .route("/ops/erasures/{id}", get(erasures::one))
        .route("/ops/deletions", get(deletions::show))
        .route("/ops/deletions/{id}", get(deletions::one))
        .route("/ops/deletions/{id}/approve", on_post(deletions::approve))
        .route("/ops/deletions/{id}/refuse", on_post(deletions::refuse))
        .route("/ops/retention", get(retention::show))
        .route("/ops/audit", get(audit::show))
        .route("/ops/sign-out", on_post(session::sign_out))
        .route("/ops/{*rest}", get(page::nothing_here))
        .route_layer(middleware::from_fn_with_state(
            console.clone(),
            session::require,
        ));
    let mut door = Router::new().route("/ops/sign-in", get(session::form).post(session::sign_in));
    if app.oidc.is_some() {
        door = door
            .route("/ops/oidc/start", get(oidc::start))
            .route(OIDC_CALLBACK_PATH, get(oidc::callback))
            .route("/ops/oidc/done", get(oidc::done));
    }
    door.merge(inside)
        .layer(middleware::from_fn_with_state(
            console.clone(),
            same_origin::require,
        ))
        .route("/ops/assets/{name}", get(assets::serve))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(middleware::from_fn(dress))
        .with_state(console)
}
