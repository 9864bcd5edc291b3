//! The parameters of a GraphQL request, checked for their JSON types.
//!
//! The same shape comes as an HTTP body, as the payload of `subscribe` on a socket, and, for queries
//! only, as the query string of a GET.

use async_graphql::Variables;
use serde_json::{Map, Value};

use crate::graphql::error::{ApiError, Code};

/// One operation as a client sent it. Nothing is known yet but the JSON types.
#[derive(Debug)]
pub(super) struct Params {
    pub(super) query: String,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Variables,
}

/// What a body holds: one operation, or several in an array.
pub(super) enum Body {
    One(Params),
    Batch(Vec<Params>),
}

impl Body {
    /// Reads a JSON body with at most `max_batch` operations, if it is an array.
    pub(super) fn parse(bytes: &[u8], max_batch: usize) -> Result<Self, ApiError> {
        let value = serde_json::from_slice(bytes).map_err(|error| malformed_json(&error))?;
        let items = match value {
            Value::Array(items) => items,
            value => return Params::from_json(value).map(Self::One),
        };
        if items.len() > max_batch {
            return Err(ApiError::new(
                Code::BatchLimit,
                match max_batch {
                    0 => "Batches are off. Send each operation as a request of its own.".to_owned(),
                    _ => format!(
                        "A batch may hold {max_batch} operations, not {}.",
                        items.len()
                    ),
                },
            ));
        }
        if items.is_empty() {
            return Err(bad("The batch is empty."));
        }
        items
            .into_iter()
            .map(Params::from_json)
            .collect::<Result<_, _>>()
            .map(Self::Batch)
    }
}

impl Params {
    /// Reads the parameters of one operation.
    pub(super) fn from_json(value: Value) -> Result<Self, ApiError> {
        let Value::Object(mut fields) = value else {
            return Err(bad("A GraphQL request is a JSON object with a \"query\"."));
        };
        let query = match fields.remove("query") {
            Some(Value::String(query)) => query,
            Some(_) => return Err(bad("\"query\" must be a string.")),
            None => return Err(bad("\"query\" is missing.")),
        };
        let operation_name = match fields.remove("operationName") {
            Some(Value::String(name)) if !name.is_empty() => Some(name),
            None | Some(Value::Null | Value::String(_)) => None,
            Some(_) => return Err(bad("\"operationName\" must be a string or null.")),
        };
        let variables = object(&mut fields, "variables")?;
        // Nothing here reads extensions, but a wrong type is the client's mistake and is told.
        object(&mut fields, "extensions")?;
        Ok(Self {
            query,
            operation_name,
            variables: Variables::from_json(Value::Object(variables)),
        })
    }

    /// Reads the query string of a GET, in which `variables` and `extensions` are JSON.
    pub(super) fn from_query_string(query: &str) -> Result<Self, ApiError> {
        let mut fields = Map::new();
        for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = match name.as_ref() {
                "query" | "operationName" => Value::String(text.into_owned()),
                "variables" | "extensions" => {
                    serde_json::from_str(&text).map_err(|error| malformed_json(&error))?
                }
                _ => continue,
            };
            if fields.insert(name.clone().into_owned(), value).is_some() {
                return Err(bad(format!("\"{name}\" comes twice.")));
            }
        }
        Self::from_json(Value::Object(fields))
    }
}

fn object(fields: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, ApiError> {
    match fields.remove(name) {
        Some(Value::Object(map)) => Ok(map),
        None | Some(Value::Null) => Ok(Map::new()),
        Some(_) => Err(bad(format!("\"{name}\" must be a JSON object or null."))),
    }
}

fn malformed_json(error: &serde_json::Error) -> ApiError {
    // serde_json stops at 128 levels and has no kind for it.
    if error.to_string().starts_with("recursion limit exceeded") {
        return ApiError::new(
            Code::DepthLimit,
            "The JSON has more than 128 levels of lists and objects.",
        );
    }
    bad(format!(
        "The body is not valid JSON in UTF-8 (line {}, column {}).",
        error.line(),
        error.column()
    ))
}

fn bad(message: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::new(Code::BadRequest, message)
}
