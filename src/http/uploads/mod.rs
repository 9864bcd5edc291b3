//! Resumable uploads: the tus protocol 1.0.0 at `/uploads`, with its extensions creation,
//! creation-with-upload, expiration, checksum and termination.
//!
//! A client announces a file with POST (its API key decides whose), sends it with PATCH in as many
//! pieces as its network needs, asks with HEAD where to go on, and may DELETE an unfinished upload.
//! An upload's address is either `/uploads/{media id}`, which needs the API key again, or
//! `/uploads/{capability}` as the application hands it out, which needs nothing else: that one is for
//! browsers. The PATCH that brings the last byte answers 204 when the file is ready and 422, with the
//! reasons, when TikTok would refuse it.
//! POST and DELETE with a key count as operations of the plan; the bytes do not.
//!
//! The bytes go through [`crate::media`], which knows nothing of HTTP. A connection that dies does not
//! end its append: the append runs on a task of its own, stores what arrived, and lets the upload go.

mod answer;
mod auth;
mod cors;
mod handlers;
mod headers;

use std::sync::Arc;

use axum::{Router, middleware, routing::any};

pub use answer::UploadError;
pub use auth::{Authorize, Refusal};
pub use cors::Origins;

use crate::{
    clock::Clock,
    http::rate,
    media::{Capabilities, MediaStore},
};

/// What the upload routes need.
#[derive(Clone)]
pub struct Uploads {
    /// The files.
    pub media: MediaStore,
    /// Who a request with an API key acts for.
    pub authorize: Arc<dyn Authorize>,
    /// Opens capability addresses.
    pub capabilities: Capabilities,
    /// When a capability ends.
    pub clock: Clock,
    /// Which browser pages may upload.
    pub origins: Origins,
    /// What stands before `/{upload}` in the address of a new upload: `/uploads`, or with the public
    /// address in front when a proxy changes paths.
    pub location_base: String,
}

impl std::fmt::Debug for Uploads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uploads")
            .field("media", &self.media)
            .field("origins", &self.origins)
            .field("location_base", &self.location_base)
            .finish_non_exhaustive()
    }
}

/// The routes `/uploads` and `/uploads/{upload}`.
pub fn router(state: Uploads) -> Router {
    Router::new()
        .route("/uploads", any(handlers::collection))
        .route("/uploads/", any(handlers::collection))
        .route("/uploads/{upload}", any(handlers::upload))
        .layer(middleware::from_fn(rate::layer))
        .layer(middleware::from_fn_with_state(state.clone(), cors::answer))
        .with_state(state)
}
