//! Callers without a key, and the few mutations that are open to them.
//!
//! A stranger's request is one small document that calls open mutations and nothing else. Whatever else it
//! is, or is not, gets the one answer that a key is needed: nobody learns anything by trying.

use async_graphql::parser::{
    parse_query,
    types::{DocumentOperations, OperationType, Selection},
};
use axum::body::Body as RawBody;
use http::request::Parts;

use super::{
    Endpoint, accept, body, origin,
    params::{Body, Params},
    scan,
    session::{self, Session},
};
use crate::{
    graphql::{Source, error::ApiError},
    http::caller,
};

/// What an open mutation needs at most.
const MAX_BODY: usize = 16 * 1024;

/// Whether a request shows nothing and there is something that it may ask.
pub(super) fn is_stranger(endpoint: &Endpoint, parts: &Parts) -> bool {
    let settings = &endpoint.settings;
    !settings.anonymous
        && !settings.open_mutations.is_empty()
        && matches!(endpoint.shown(&parts.headers), Ok(None))
}

/// The session with the place that the request came from.
pub(super) fn located(session: Session, endpoint: &Endpoint, parts: &Parts) -> Session {
    let proxies = endpoint.settings.proxies;
    let source = Source(caller::source(&parts.headers, &parts.extensions, proxies));
    session.with(move |data| data.insert(source))
}

/// A stranger's operation, if it is one that strangers may ask for.
pub(super) async fn receive(
    endpoint: &Endpoint,
    parts: &Parts,
    body: RawBody,
) -> Result<(Session, Params), ApiError> {
    accept::check_content_type(&parts.headers)?;
    origin::check_request(&parts.headers, &endpoint.settings)?;
    // Not drained: a body that is too long is a stranger's own trouble.
    let bytes = axum::body::to_bytes(body, MAX_BODY);
    let bytes = tokio::time::timeout(body::PATIENCE, bytes).await;
    let params = match bytes {
        Ok(Ok(bytes)) => Body::parse(&bytes, 0).ok(),
        _ => None,
    };
    match params {
        Some(Body::One(params)) if is_open(endpoint, &params) => {
            let session = located(Session::anonymous(), endpoint, parts);
            Ok((session, params))
        }
        _ => Err(session::key_needed()),
    }
}

/// Whether every operation of the document is a mutation of open fields alone.
fn is_open(endpoint: &Endpoint, params: &Params) -> bool {
    let settings = &endpoint.settings;
    if scan::scan(&params.query, &settings.limits).is_err() {
        return false;
    }
    let Ok(document) = parse_query(&params.query) else {
        return false;
    };
    // A single operation with a name is stored like several.
    let operation = match &document.operations {
        DocumentOperations::Single(operation) => operation,
        DocumentOperations::Multiple(all) => match all.values().next() {
            Some(only) if all.len() == 1 => only,
            _ => return false,
        },
    };
    let fields = &operation.node.selection_set.node.items;
    operation.node.ty == OperationType::Mutation
        && fields.len() == 1
        && fields.iter().all(|field| match &field.node {
            Selection::Field(field) => {
                let name = field.node.name.node.as_str();
                settings.open_mutations.contains(&name)
            }
            Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
        })
}
