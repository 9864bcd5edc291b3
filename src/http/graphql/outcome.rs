//! What an operation came to, in the form in which it leaves the process.
//!
//! The last place that errors pass: each leaves with a code, and an internal one leaves without its
//! text, which goes to the log under the id that the client is told.

use async_graphql::{Response, ServerError};
use serde::{Serialize, Serializer, ser::SerializeMap};
use uuid::Uuid;

use super::request_id::RequestId;
use crate::graphql::error::{ApiError, Code};

/// How the engine words an input value that a scalar, a validator or a range refuses.
const INPUT_ERRORS: [&str; 2] = ["Failed to parse \"", "Expected input type \""];

/// Errors that a refused request is told at most; a hostile one could otherwise cause thousands.
const MAX_ERRORS: usize = 20;

/// The result of an operation, or one result of a subscription.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It did not run: there are errors and no data.
    Refused(Vec<ServerError>),
    /// It ran: there is data, possibly null, possibly with errors.
    Ran(Response),
}

impl Outcome {
    /// Sorts a response of the engine and codes its errors.
    pub(super) fn new(mut response: Response, passed: bool, request_id: &RequestId) -> Self {
        if passed {
            for error in &mut response.errors {
                code_field_error(error, request_id);
            }
            return Self::Ran(response);
        }
        response.errors.truncate(MAX_ERRORS);
        for error in &mut response.errors {
            if !has_code(error) {
                let message = std::mem::take(&mut error.message);
                *error = ServerError {
                    locations: std::mem::take(&mut error.locations),
                    ..ApiError::new(Code::GraphqlValidationFailed, message).to_server_error()
                };
            }
        }
        Self::Refused(response.errors)
    }

    /// An operation that broke off for a reason of ours, which goes to the log.
    pub(super) fn broken(why: &str, request_id: &RequestId) -> Self {
        Self::Refused(vec![internal(why, &[], request_id)])
    }

    /// Whether it is nothing but an error, so that a stream that ends after it has failed.
    pub(super) fn is_failure(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Ran(response) => {
                !response.errors.is_empty() && response.data == async_graphql::Value::Null
            }
        }
    }

    /// Its errors alone.
    pub(super) fn into_errors(self) -> Vec<ServerError> {
        match self {
            Self::Refused(errors) => errors,
            Self::Ran(response) => response.errors,
        }
    }

    /// Its JSON.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a response has only string keys and finite numbers")
    }
}

impl From<ApiError> for Outcome {
    fn from(error: ApiError) -> Self {
        Self::Refused(vec![error.to_server_error()])
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Refused(errors) => map.serialize_entry("errors", errors)?,
            Self::Ran(response) => {
                if !response.errors.is_empty() {
                    map.serialize_entry("errors", &response.errors)?;
                }
                map.serialize_entry("data", &response.data)?;
                if !response.extensions.is_empty() {
                    map.serialize_entry("extensions", &response.extensions)?;
                }
            }
        }
        map.end()
    }
}

fn has_code(error: &ServerError) -> bool {
    error
        .extensions
        .as_ref()
        .is_some_and(|extensions| extensions.get("code").is_some())
}

fn code_field_error(error: &mut ServerError, request_id: &RequestId) {
    if has_code(error) {
        return;
    }
    // An error that a resolver's `?` converted has a source; the engine's own words have none.
    let about_input = error.source.is_none()
        && INPUT_ERRORS
            .iter()
            .any(|start| error.message.starts_with(start));
    let mut coded = if about_input {
        ApiError::new(Code::BadUserInput, std::mem::take(&mut error.message)).to_server_error()
    } else {
        internal(&error.message, &error.path, request_id)
    };
    coded.locations = std::mem::take(&mut error.locations);
    coded.path = std::mem::take(&mut error.path);
    *error = coded;
}

fn internal(
    text: &str,
    path: &[async_graphql::PathSegment],
    request_id: &RequestId,
) -> ServerError {
    let error_id = Uuid::new_v4().to_string();
    tracing::error!(
        %error_id,
        request_id = request_id.as_str(),
        ?path,
        error = text,
        "a GraphQL operation failed inside"
    );
    let mut error = ApiError::new(
        Code::Internal,
        format!("Something failed on our side. Tell the operator this id: {error_id}."),
    )
    .to_server_error();
    error
        .extensions
        .get_or_insert_default()
        .set("errorId", error_id);
    error
}
