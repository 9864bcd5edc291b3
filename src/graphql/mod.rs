//! What the API offers: the types, the operations and the errors that a client sees.
//!
//! A resolver parses its arguments, calls the domain and wraps what comes back; it decides nothing
//! and reads no table. It knows nothing of HTTP, WebSocket or SSE; [`crate::http::graphql`] speaks
//! those and puts the caller's [`Actor`](crate::domain::actor::Actor) into each operation's data.
//!
//! - The roots: `query`, `mutation`, `subscription`, put together in [`schema`]
//! - What they give: `types`
//! - Manners: `ids`, `scalars`, `pagination`, `user_error`, `guard`, [`cost`], [`error`]
//! - Reading well: `loaders` (many rows in one query), `feed` (events by cursor), `sampler` (queues)

pub mod cost;
pub mod error;
mod feed;
mod guard;
mod ids;
mod loaders;
mod mutation;
mod pagination;
mod query;
mod restricted;
pub(crate) mod sampler;
mod scalars;
pub mod schema;
mod subscription;
mod types;
mod user_error;

pub(crate) use guard::Source;
pub use schema::sdl;
