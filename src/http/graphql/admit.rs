//! From parameters to an operation that may run: parsed, picked by name, within the limits.
//!
//! What needs the schema (validation, variables, cost) is left to `guard`.

use async_graphql::Request;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationType};
use async_graphql::parser::{self, parse_query};

use super::guard::Admission;
use super::params::Params;
use super::session::Session;
use super::settings::Settings;
use super::{request_id::RequestId, scan, shape};
use crate::graphql::error::{ApiError, Code};

/// An operation that may run.
pub(super) struct Admitted {
    pub(super) request: Request,
    pub(super) kind: OperationType,
    pub(super) admission: Admission,
}

/// Checks `params` and makes them a request of `session`.
pub(super) fn admit(
    params: Params,
    session: &Session,
    request_id: &RequestId,
    settings: &Settings,
) -> Result<Admitted, ApiError> {
    scan::scan(&params.query, &settings.limits)?;
    let document = parse_query(&params.query).map_err(syntax_error)?;
    let introspection = settings.introspection || session.may_introspect();
    shape::check(&document, &settings.limits, introspection)?;

    let operation = pick(&document, params.operation_name.as_deref())?;
    let kind = operation.ty;
    let admission = Admission::new(
        operation.clone(),
        document.fragments.clone(),
        params.variables.clone(),
        settings.limits.cost,
    );

    let mut request = Request::new(params.query).variables(params.variables);
    request.operation_name = params.operation_name;
    session.attach(&mut request.data);
    request.data.insert(request_id.clone());
    request.data.insert(admission.clone());
    request.set_parsed_query(document);
    Ok(Admitted {
        request,
        kind,
        admission,
    })
}

fn pick<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a parser::types::OperationDefinition, ApiError> {
    let unresolved = |message: String| ApiError::new(Code::OperationResolutionFailure, message);
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(&operation.node),
        (DocumentOperations::Single(_), Some(name)) => Err(unresolved(format!(
            "The document has no operation named \"{name}\"; its only one has no name."
        ))),
        (DocumentOperations::Multiple(operations), Some(name)) => operations
            .get(name)
            .map(|operation| &operation.node)
            .ok_or_else(|| unresolved(format!("The document has no operation named \"{name}\"."))),
        // A single operation with a name is stored like several.
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.values();
            match (all.next(), all.next()) {
                (Some(only), None) => Ok(&only.node),
                _ => Err(unresolved(
                    "The document has several operations. Say which by \"operationName\"."
                        .to_owned(),
                )),
            }
        }
    }
}

fn syntax_error(error: parser::Error) -> ApiError {
    let pos = error.positions().next();
    let message = match &error {
        // The parser draws a picture of the place; its last line says what was expected.
        parser::Error::Syntax { message, .. } => {
            let expected = message
                .lines()
                .last()
                .and_then(|line| line.trim().strip_prefix("= "))
                .unwrap_or("unexpected text");
            format!("Syntax error: {expected}.")
        }
        parser::Error::RecursionLimitExceeded => {
            return ApiError::new(
                Code::DepthLimit,
                "The document nests selections too deeply.",
            );
        }
        other => format!("Syntax error: {other}."),
    };
    let error = ApiError::new(Code::GraphqlParseFailed, message);
    match pos {
        Some(pos) => error.at(pos),
        None => error,
    }
}
