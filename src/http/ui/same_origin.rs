//! Whoever presses a button must be on a page of ours. The cookie is `SameSite=Strict` besides.

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};

use super::{Console, page};
use crate::http::same_origin::is_ours;

/// Refuses requests that would change something and come from elsewhere.
pub(super) async fn require(
    State(console): State<Console>,
    request: Request,
    next: Next,
) -> Response {
    if request.method().is_safe() || is_ours(&console.app, request.headers()) {
        return next.run(request).await;
    }
    page::plain(
        &console,
        StatusCode::FORBIDDEN,
        "That did not come from this console",
        "Nothing was done. Open the console and press the button there.",
    )
}
