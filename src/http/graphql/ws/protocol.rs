//! The messages and close codes of `graphql-transport-ws`, as graphql-ws's PROTOCOL.md names them.
//!
//! Nothing here has a state: text becomes a [`ClientMessage`] or the [`Close`] that it deserves.

use std::borrow::Cow;

use async_graphql::ServerError;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::super::{outcome::Outcome, params::Params, session::bearer_token};

/// The name of the subprotocol.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";
/// Bytes of text that fit into a close frame beside its code (RFC 6455, section 5.5).
const MAX_REASON: usize = 123;

/// Why the server closes a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

impl Close {
    fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        let mut reason = reason.into();
        if reason.len() > MAX_REASON {
            let end = reason.floor_char_boundary(MAX_REASON);
            reason = reason[..end].to_owned().into();
        }
        Self { code, reason }
    }

    pub(super) fn going_away() -> Self {
        Self::new(1001, "The server is stopping")
    }

    pub(super) fn protocol_error() -> Self {
        Self::new(1002, "A frame breaks the WebSocket protocol")
    }

    pub(super) fn too_big(limit: usize) -> Self {
        Self::new(1009, format!("A message may have {limit} bytes"))
    }

    pub(super) fn try_later() -> Self {
        Self::new(1013, "Try again later")
    }

    pub(super) fn bad_message(why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(4400, why)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(4401, "Unauthorized")
    }

    pub(super) fn forbidden() -> Self {
        Self::new(4403, "Forbidden")
    }

    pub(super) fn wrong_subprotocol() -> Self {
        Self::new(4406, "Subprotocol not acceptable")
    }

    pub(super) fn init_timeout() -> Self {
        Self::new(4408, "Connection initialisation timeout")
    }

    pub(super) fn duplicate(id: &str) -> Self {
        Self::new(4409, format!("Subscriber for {id} already exists"))
    }

    pub(super) fn too_many_inits() -> Self {
        Self::new(4429, "Too many initialisation requests")
    }
}

/// What a client may say.
#[derive(Debug)]
pub(super) enum ClientMessage {
    Init(Map<String, Value>),
    Ping(Option<Value>),
    Pong,
    Subscribe { id: String, params: Params },
    Complete { id: String },
}

impl ClientMessage {
    /// Reads a message; what is not one closes the socket.
    pub(super) fn parse(text: &str) -> Result<Self, Close> {
        let bad = |why: &'static str| Close::bad_message(why);
        let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
            return Err(bad("A message is a JSON object"));
        };
        let payload = message
            .remove("payload")
            .filter(|payload| !payload.is_null());
        let id = message.remove("id");
        let id = || match id {
            Some(Value::String(id)) if !id.is_empty() => Ok(id),
            _ => Err(bad("\"id\" must be a string that is not empty")),
        };
        match message.get("type").and_then(Value::as_str) {
            Some("connection_init") => match payload {
                None => Ok(Self::Init(Map::new())),
                Some(Value::Object(payload)) => Ok(Self::Init(payload)),
                Some(_) => Err(bad("The payload of connection_init must be an object")),
            },
            Some("ping") => match payload {
                None | Some(Value::Object(_)) => Ok(Self::Ping(payload)),
                Some(_) => Err(bad("The payload of ping must be an object")),
            },
            Some("pong") => Ok(Self::Pong),
            Some("subscribe") => {
                let id = id()?;
                let params = Params::from_json(payload.unwrap_or_default())
                    .map_err(|error| Close::bad_message(error.message().to_owned()))?;
                Ok(Self::Subscribe { id, params })
            }
            Some("complete") => Ok(Self::Complete { id: id()? }),
            Some(_) => Err(bad("This message type is not part of graphql-transport-ws")),
            None => Err(bad("\"type\" must be a string")),
        }
    }
}

/// The token in the payload of `connection_init`: `Authorization` as in the header, or `apiKey` bare.
///
/// `Err` if there is one in a form that cannot be read.
pub(super) fn token(payload: &Map<String, Value>) -> Result<Option<SecretString>, ()> {
    let header = payload
        .get("Authorization")
        .or_else(|| payload.get("authorization"));
    match (header, payload.get("apiKey")) {
        (Some(Value::String(text)), _) => bearer_token(text)
            .map(|token| Some(SecretString::from(token)))
            .ok_or(()),
        (None, Some(Value::String(key))) if !key.is_empty() => {
            Ok(Some(SecretString::from(key.as_str())))
        }
        (None | Some(Value::Null), None | Some(Value::Null)) => Ok(None),
        _ => Err(()),
    }
}

pub(super) fn ack() -> String {
    r#"{"type":"connection_ack"}"#.to_owned()
}

/// The answer to a ping carries what the ping carried.
pub(super) fn pong(payload: Option<Value>) -> String {
    match payload {
        Some(payload) => json!({ "type": "pong", "payload": payload }).to_string(),
        None => r#"{"type":"pong"}"#.to_owned(),
    }
}

pub(super) fn next(id: &str, outcome: &Outcome) -> String {
    format!(
        r#"{{"id":{},"type":"next","payload":{}}}"#,
        Value::from(id),
        outcome.to_json()
    )
}

pub(super) fn error(id: &str, errors: &[ServerError]) -> String {
    json!({ "id": id, "type": "error", "payload": errors }).to_string()
}

pub(super) fn complete(id: &str) -> String {
    json!({ "id": id, "type": "complete" }).to_string()
}
