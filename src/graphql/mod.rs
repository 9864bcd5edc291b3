//! What the API offers: the types, the operations and the errors that a client sees.
//!
//! It knows nothing of HTTP, WebSocket or SSE; [`crate::http::graphql`] speaks those.

pub mod error;
pub mod schema;
pub fn sdl() -> String {
    String::new()
}
