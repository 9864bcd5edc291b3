//! From a raw answer to data or refusal: the three shapes of TikTok's errors, decided by the body and
//! only then by the HTTP status.
//!
//! API endpoints wrap: `{"data": …, "error": {"code": "ok", …}}`. OAuth endpoints are flat, and there
//! `error` is a string. One page shows the API error without its wrapper. Gateways send anything.

use serde_json::{Map, Value};

use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorCode, LogIds, Malformed, OAuthCode};
use crate::fields::Fields;
use crate::ids::LogId;
use crate::text::clean;

/// Longest message of TikTok's that is kept, in characters.
const MESSAGE_MAX_CHARS: usize = 300;

/// An answer as it came.
pub(crate) struct RawAnswer {
    pub(crate) endpoint: Endpoint,
    pub(crate) http_status: u16,
    pub(crate) header_log_id: Option<LogId>,
    pub(crate) body: Vec<u8>,
}

/// A success: the fields, and where they come from.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) endpoint: Endpoint,
    pub(crate) fields: Fields,
    pub(crate) http_status: u16,
    pub(crate) logs: LogIds,
}

impl Opened {
    pub(crate) fn malformed(&self, problem: Malformed) -> Error {
        Error::Decode {
            endpoint: self.endpoint,
            problem,
            http_status: self.http_status,
            logs: self.logs.clone(),
        }
    }
}

impl RawAnswer {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.http_status)
    }

    pub(crate) fn is_empty_success(&self) -> bool {
        self.is_success() && self.body.trim_ascii().is_empty()
    }

    fn logs(&self) -> LogIds {
        LogIds {
            body: None,
            header: self.header_log_id.clone(),
        }
    }

    /// Opens an API answer: a success holds what was in `data`.
    pub(crate) fn open_wrapped(self) -> Result<Opened, Error> {
        let mut opened = self.open_flat()?;
        let data = opened.fields.take_object("data");
        let code_ok = opened.fields.0.get("error").is_some_and(Value::is_object);
        match data {
            Some(data) => opened.fields = data,
            // `cancel` answers without data; that there is nothing to find is the reader's matter.
            None if code_ok => opened.fields = Fields::default(),
            None => return Err(opened.malformed(Malformed::Missing("data"))),
        }
        Ok(opened)
    }

    /// Opens an answer whose fields lie at the top.
    pub(crate) fn open_flat(self) -> Result<Opened, Error> {
        let mut logs = self.logs();
        let (endpoint, http_status) = (self.endpoint, self.http_status);
        let top = match parse(&self.body) {
            Ok(top) => top,
            Err(problem) if self.is_success() => {
                return Err(Error::Decode {
                    endpoint,
                    problem,
                    http_status,
                    logs,
                });
            }
            Err(_) => {
                return Err(Error::Status {
                    endpoint,
                    http_status,
                    logs,
                });
            }
        };
        logs.body = body_log_id(&top);
        match refusal(&top) {
            Some(Refusal::Api { code, message }) => Err(Error::Api {
                endpoint,
                code: ErrorCode::from_wire(code, message),
                message: clean(message, MESSAGE_MAX_CHARS),
                http_status,
                logs,
            }),
            Some(Refusal::OAuth { code, message }) => Err(Error::OAuth {
                endpoint,
                code: OAuthCode::from_wire(code),
                message: clean(message, MESSAGE_MAX_CHARS),
                http_status,
                logs,
            }),
            None if self.is_success() => Ok(Opened {
                endpoint,
                fields: top,
                http_status,
                logs,
            }),
            None => Err(Error::Status {
                endpoint,
                http_status,
                logs,
            }),
        }
    }
}

enum Refusal<'a> {
    Api { code: &'a str, message: &'a str },
    OAuth { code: &'a str, message: &'a str },
}

/// The refusal that a body expresses, in whichever shape.
fn refusal(top: &Fields) -> Option<Refusal<'_>> {
    match top.0.get("error") {
        Some(Value::Object(error)) => api_refusal(error),
        Some(Value::String(code)) if !code.is_empty() => Some(Refusal::OAuth {
            code,
            message: top.text("error_description").unwrap_or_default(),
        }),
        Some(_) => None,
        None if top.0.contains_key("data") => None,
        None => api_refusal(&top.0),
    }
}

fn api_refusal(error: &Map<String, Value>) -> Option<Refusal<'_>> {
    let text = |name| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = text("code");
    (!code.is_empty() && code != "ok").then(|| Refusal::Api {
        code,
        message: text("message"),
    })
}

/// The log id of the body, in either spelling, inside the error object or beside it.
fn body_log_id(top: &Fields) -> Option<LogId> {
    let inner = top.0.get("error").and_then(Value::as_object);
    inner
        .into_iter()
        .chain([&top.0])
        .flat_map(|object| [object.get("log_id"), object.get("logid")])
        .flatten()
        .filter_map(Value::as_str)
        .find_map(|text| LogId::parse(text).ok())
}

fn parse(body: &[u8]) -> Result<Fields, Malformed> {
    if body.trim_ascii().is_empty() {
        return Err(Malformed::Empty);
    }
    // serde_json's own message can quote the body, so only the place is kept.
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(Fields(object)),
        Ok(_) => Err(Malformed::NotAnObject),
        Err(e) if e.is_eof() => Err(Malformed::Truncated {
            line: e.line(),
            column: e.column(),
        }),
        Err(e) => Err(Malformed::NotJson {
            line: e.line(),
            column: e.column(),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::{Class, Outcome};
    use proptest::prelude::*;

    fn raw(http_status: u16, body: &str) -> RawAnswer {
        RawAnswer {
            endpoint: Endpoint::VideoInit,
            http_status,
            header_log_id: LogId::parse("HEADER").ok(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn success_needs_status_and_code() {
        let opened = raw(
            200,
            r#"{"data":{"a":"b"},"error":{"code":"ok","log_id":"L1"}}"#,
        )
        .open_wrapped()
        .unwrap();
        assert_eq!(opened.fields.text("a"), Some("b"));
        assert_eq!(opened.logs.body.as_ref().unwrap().as_str(), "L1");
        assert_eq!(opened.logs.header.as_ref().unwrap().as_str(), "HEADER");

        let error = raw(500, r#"{"data":{"a":"b"},"error":{"code":"ok"}}"#)
            .open_wrapped()
            .unwrap_err();
        assert!(matches!(
            error,
            Error::Status {
                http_status: 500,
                ..
            }
        ));
        assert_eq!(error.outcome(), Outcome::Unknown);
    }

    #[test]
    fn a_code_in_a_200_is_a_refusal() {
        let error = raw(
            200,
            r#"{"data":{},"error":{"code":"reached_active_user_cap","message":"m","logid":"L2"}}"#,
        )
        .open_wrapped()
        .unwrap_err();
        assert_eq!(error.class(), Class::AppUserCap);
        assert_eq!(error.logs().unwrap().any().unwrap().as_str(), "L2");
    }

    #[test]
    fn the_other_shapes() {
        let bare = raw(
            400,
            r#"{"code":"invalid_params","message":"m","log_id":"L3"}"#,
        )
        .open_wrapped()
        .unwrap_err();
        assert_eq!(bare.class(), Class::BadRequest);
        assert_eq!(bare.logs().unwrap().any().unwrap().as_str(), "L3");
        let flat = raw(
            200,
            r#"{"error":"invalid_grant","error_description":"d","log_id":"L4"}"#,
        )
        .open_flat()
        .unwrap_err();
        assert_eq!(flat.class(), Class::GrantDead);
        assert_eq!(flat.logs().unwrap().any().unwrap().as_str(), "L4");
    }

    #[test]
    fn data_without_an_error_object_counts_so_that_no_publish_id_is_lost() {
        let opened = raw(200, r#"{"data":{"publish_id":"p"}}"#)
            .open_wrapped()
            .unwrap();
        assert_eq!(opened.fields.text("publish_id"), Some("p"));
        for body in [
            "{}",
            r#"{"error":null}"#,
            r#"{"error":""}"#,
            r#"{"data":null}"#,
        ] {
            let error = raw(200, body).open_wrapped().unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::Decode {
                        problem: Malformed::Missing("data"),
                        ..
                    }
                ),
                "{body}"
            );
        }
        assert!(
            raw(200, r#"{"error":{"code":"ok"}}"#)
                .open_wrapped()
                .is_ok()
        );
    }

    #[test]
    fn unreadable_bodies_never_show_themselves() {
        let cases = [
            ("", 200),
            ("<html>secret</html>", 200),
            (r#"{"data":{"t":"secret"#, 200),
            ("[1]", 200),
            ("secret", 502),
            ("", 503),
        ];
        for (body, status) in cases {
            let error = raw(status, body).open_wrapped().unwrap_err();
            assert_eq!(error.class(), Class::Ambiguous, "{body}");
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
        let error = raw(404, "<html>").open_wrapped().unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotProcessed);
    }

    proptest! {
        #[test]
        fn a_cut_answer_is_never_a_success(cut in 1usize..76) {
            let whole = r#"{"data":{"publish_id":"v_pub_file~v2-1.7"},"error":{"code":"ok","log_id":"x"}}"#;
            let error = raw(200, &whole[..cut]).open_wrapped().unwrap_err();
            prop_assert_eq!(error.class(), Class::Ambiguous);
        }

        #[test]
        fn no_body_panics(body in any::<Vec<u8>>(), status in 100u16..600) {
            let answer = RawAnswer { endpoint: Endpoint::VideoList, http_status: status, header_log_id: None, body };
            let _ = answer.open_wrapped();
        }
    }
}
