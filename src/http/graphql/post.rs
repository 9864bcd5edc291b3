//! GraphQL over plain HTTP: POST with a JSON body, and GET for queries.
//!
//! Statuses follow the GraphQL over HTTP draft. A request that cannot be read, or whose caller is not
//! let in, gets its status in either format. A request that can be read but not run gets 400 as
//! `application/graphql-response+json` and 200 as `application/json`. What ran gets 200.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::{
    Extension,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};

use super::accept::{self, MediaType};
use super::outcome::Outcome;
use super::params::{Body, Params};
use super::session::Session;
use super::{Endpoint, RequestId, admit, body, open, origin, rate, ws};
use crate::graphql::error::{ApiError, Code};

/// Everything at `/graphql`.
pub(super) async fn serve(
    State(endpoint): State<Arc<Endpoint>>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Response {
    if ws::is_upgrade(&request) {
        return ws::upgrade(endpoint, request_id, request).await;
    }
    let media = match MediaType::negotiate(request.headers()) {
        Ok(media) => media,
        Err(error) => return reject(&error, MediaType::Json),
    };
    let (parts, body) = request.into_parts();
    let served = match parts.method {
        Method::POST => post(&endpoint, &request_id, &parts, body, media).await,
        Method::GET if endpoint.settings.get_queries => {
            get(&endpoint, &request_id, &parts, media).await
        }
        _ => Err(method_not_allowed()),
    };
    served.unwrap_or_else(|error| reject(&error, media))
}

async fn post(
    endpoint: &Endpoint,
    request_id: &RequestId,
    parts: &Parts,
    body: axum::body::Body,
    media: MediaType,
) -> Result<Response, ApiError> {
    if open::is_stranger(endpoint, parts) {
        let (session, params) = open::receive(endpoint, parts, body).await?;
        let outcome = execute(endpoint, request_id, &session, params).await;
        return Ok(answer(&outcome, media));
    }
    let (session, bytes) = receive(endpoint, parts, body).await?;
    let session = open::located(session, endpoint, parts);
    match Body::parse(&bytes, endpoint.settings.max_batch)? {
        Body::One(params) => {
            let outcome = execute(endpoint, request_id, &session, params).await;
            Ok(answer(&outcome, media))
        }
        Body::Batch(batch) => {
            let mut answers = Vec::with_capacity(batch.len());
            // One after the other: the client wrote them in an order.
            for (place, params) in batch.into_iter().enumerate() {
                // The first was counted when the caller was let in.
                let counted = match place {
                    0 => Ok(()),
                    _ => rate::charge(&session, Some(&parts.extensions)).await,
                };
                let outcome = match counted {
                    Ok(()) => execute(endpoint, request_id, &session, params).await,
                    Err(error) => error.into(),
                };
                answers.push(outcome.to_json());
            }
            let json = format!("[{}]", answers.join(","));
            Ok(respond(StatusCode::OK, media, json))
        }
    }
}

async fn get(
    endpoint: &Endpoint,
    request_id: &RequestId,
    parts: &Parts,
    media: MediaType,
) -> Result<Response, ApiError> {
    origin::check_request(&parts.headers, &endpoint.settings)?;
    let shown = endpoint.shown(&parts.headers)?;
    let session = endpoint.authenticate(shown.as_ref()).await?;
    rate::charge(&session, Some(&parts.extensions)).await?;
    let params = Params::from_query_string(parts.uri.query().unwrap_or_default())?;
    let outcome = match admit::admit(params, &session, request_id, &endpoint.settings) {
        Ok(operation) if operation.kind != OperationType::Query => {
            return Err(method_not_allowed());
        }
        Ok(operation) => {
            let timeout = endpoint.settings.execution_timeout;
            endpoint
                .engine
                .once(operation, request_id.clone(), timeout)
                .await
        }
        Err(error) => error.into(),
    };
    Ok(answer(&outcome, media))
}

/// Lets the caller in and reads its body, in this order: strangers cannot make us read.
pub(super) async fn receive(
    endpoint: &Endpoint,
    parts: &Parts,
    body: axum::body::Body,
) -> Result<(Session, Vec<u8>), ApiError> {
    accept::check_content_type(&parts.headers)?;
    origin::check_request(&parts.headers, &endpoint.settings)?;
    let shown = endpoint.shown(&parts.headers)?;
    let session = endpoint.authenticate(shown.as_ref()).await?;
    rate::charge(&session, Some(&parts.extensions)).await?;
    let settings = &endpoint.settings;
    let bytes = body::read(body, settings.limits.body_bytes, settings.execution_timeout).await?;
    Ok((session, bytes))
}

async fn execute(
    endpoint: &Endpoint,
    request_id: &RequestId,
    session: &Session,
    params: Params,
) -> Outcome {
    let settings = &endpoint.settings;
    match admit::admit(params, session, request_id, settings) {
        Ok(operation) if operation.kind == OperationType::Subscription => ApiError::new(
            Code::WrongTransport,
            "Subscriptions run over a WebSocket at /graphql or an event stream at /graphql/stream.",
        )
        .into(),
        Ok(operation) => {
            endpoint
                .engine
                .once(operation, request_id.clone(), settings.execution_timeout)
                .await
        }
        Err(error) => error.into(),
    }
}

fn answer(outcome: &Outcome, media: MediaType) -> Response {
    let status = match (outcome, media) {
        (Outcome::Ran(_), _) | (Outcome::Refused(_), MediaType::Json) => StatusCode::OK,
        (Outcome::Refused(errors), MediaType::GraphqlResponse) => {
            let ours = |code: Code| {
                errors.iter().any(|error| {
                    error
                        .extensions
                        .as_ref()
                        .and_then(|extensions| extensions.get("code"))
                        .is_some_and(|found| *found == async_graphql::Value::from(code.as_str()))
                })
            };
            if ours(Code::Timeout) {
                StatusCode::GATEWAY_TIMEOUT
            } else if ours(Code::Internal) {
                StatusCode::INTERNAL_SERVER_ERROR
            } else {
                StatusCode::BAD_REQUEST
            }
        }
    };
    respond(status, media, outcome.to_json())
}

/// The answer to a request that was not read or not let in.
pub(super) fn reject(error: &ApiError, media: MediaType) -> Response {
    let status = match error.code() {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::Timeout => StatusCode::REQUEST_TIMEOUT,
        _ => StatusCode::BAD_REQUEST,
    };
    let json = Outcome::from(error.clone()).to_json();
    let mut response = respond(status, media, json);
    let headers = response.headers_mut();
    match error.code() {
        Code::Unauthenticated => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Code::MethodNotAllowed => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        _ => {}
    }
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What an unfit HTTP method gets.
pub(super) fn method_not_allowed() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "Send the operation by POST. GET carries queries only.",
    )
}

fn respond(status: StatusCode, media: MediaType, json: String) -> Response {
    (status, [(header::CONTENT_TYPE, media.content_type())], json).into_response()
}
