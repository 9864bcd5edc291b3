//! GraphQL over HTTP, WebSocket and server-sent events.
//!
//! It knows the protocols and their limits, and nothing of the schema: an [`Engine`] is built from any
//! `async_graphql` schema. The stock adapter of async-graphql-axum is not used. It runs mutations by
//! GET, has no limits and breaks the close codes of `graphql-transport-ws`.
//!
//! The life of an operation: `post` or `ws` or `sse` receives it; `params` reads its JSON
//! types; `scan` looks at the text, the parser reads it, `shape` measures it; `admit` makes it a
//! request of a [`Session`]; `guard` validates variables and cost inside the [`Engine`]; `plan`
//! gives the response its nulls and its order; `outcome` codes the errors on the way out.
//!
//! Served: `/graphql` (POST; GET for queries and for sockets) and `/graphql/stream` (POST, event
//! stream, the distinct connections mode of graphql-sse).

mod accept;
mod admit;
mod body;
mod engine;
mod guard;
mod open;
mod origin;
mod outcome;
mod params;
mod plan;
mod post;
mod rate;
mod request_id;
mod scan;
mod session;
mod settings;
mod shape;
mod sse;
mod variables;
mod ws;

use std::sync::Arc;

use axum::{Router, middleware, routing::any};
use tokio_util::sync::CancellationToken;

pub use engine::Engine;
pub use request_id::RequestId;
pub use session::{AuthFailure, Authenticate, Credentials, Session};
pub use settings::{Limits, Settings, SocketSettings};

use crate::clock::Clock;

/// Everything that the GraphQL routes need.
pub struct Endpoint {
    /// What runs operations.
    pub engine: Engine,
    /// What knows callers.
    pub auth: Arc<dyn Authenticate>,
    /// What the operator tuned.
    pub settings: Settings,
    /// What knows when sessions expire.
    pub clock: Clock,
    /// Cancelled when the process stops: sockets close with 1001, event streams end, and new
    /// requests are still answered.
    pub shutdown: CancellationToken,
}

/// The routes `/graphql` and `/graphql/stream`.
pub fn router(endpoint: Endpoint) -> Router {
    Router::new()
        .route("/graphql", any(post::serve))
        .route("/graphql/stream", any(sse::serve))
        .layer(middleware::from_fn(crate::http::rate::layer))
        .layer(middleware::from_fn(request_id::layer))
        .with_state(Arc::new(endpoint))
}
