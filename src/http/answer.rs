//! Answers that belong to no route: JSON with a code for programs and a sentence for people.

use std::any::Any;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Nothing is at this address.
pub(super) async fn not_found() -> Response {
    refusal(
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        "There is nothing at this address. The API is at /graphql, uploads are at /uploads.",
    )
}

/// Something is at this address, but not for this method.
pub(super) async fn method_not_allowed() -> Response {
    refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        "This address does not take this method. The header Allow lists those that it takes.",
    )
}

/// A handler panicked; the panic itself is in the log.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    refusal(
        StatusCode::INTERNAL_SERVER_ERROR,
        "INTERNAL",
        "Something went wrong here. The log has it under the request's x-request-id.",
    )
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let body = Json(json!({ "code": code, "message": message }));
    (status, body).into_response()
}
