//! Answers and refusals, and the two JSON shapes TikTok gives them: wrapped for the API, flat for OAuth.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::config::QuirkConfig;
use crate::endpoint::Endpoint;

/// A refused call: HTTP status, TikTok's code, and the message.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    /// 400 `invalid_params`, the code that hides most causes in its message.
    pub(crate) fn params(message: &str) -> Self {
        Self::new(400, "invalid_params", message)
    }

    /// 401 for a token that is missing, unknown, expired or dead.
    pub(crate) fn token() -> Self {
        Self::new(
            401,
            "access_token_invalid",
            "The access token is invalid or not found in the request.",
        )
    }

    /// 401 for a scope that the user did not grant or the app does not have.
    pub(crate) fn scope() -> Self {
        Self::new(
            401,
            "scope_not_authorized",
            "The user did not authorize the scope required for completing this request.",
        )
    }

    /// 429 over the rate limit.
    pub(crate) fn rate_limit() -> Self {
        Self::new(
            429,
            "rate_limit_exceeded",
            "The API rate limit was exceeded. Please try again later.",
        )
    }

    /// 403 with the generic message TikTok puts under many different codes.
    pub(crate) fn forbidden(code: &str) -> Self {
        Self::new(
            403,
            code,
            "Please review our integration guidelines at https://developers.tiktok.com/doc/content-sharing-guidelines/",
        )
    }

    /// A flat OAuth error; its HTTP status is a knob.
    pub(crate) fn oauth(error: &str, description: &str) -> Self {
        Self::new(0, error, description)
    }
}

/// A rendered answer: what goes over the wire and what the ledger says of it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) body: String,
    pub(crate) content_type: &'static str,
    /// Progress header of an upload answer.
    pub(crate) range: Option<String>,
    pub(crate) log_id: String,
}

const JSON: &str = "application/json; charset=utf-8";

impl Answer {
    /// Success in the API envelope. `data` null leaves the field out.
    pub(crate) fn ok(data: &Value, log_id: &str) -> Self {
        let error = json!({"code": "ok", "message": "", "log_id": log_id});
        let body = if data.is_null() {
            json!({ "error": error })
        } else {
            json!({"data": data, "error": error})
        };
        Self::json(200, "ok", &body, log_id)
    }

    /// Success of an OAuth call: flat.
    pub(crate) fn flat(body: &Value, log_id: &str) -> Self {
        Self::json(200, "ok", body, log_id)
    }

    /// An error in the shape and spelling of its endpoint.
    pub(crate) fn refused(
        refusal: &Refusal,
        endpoint: Endpoint,
        quirks: &QuirkConfig,
        log_id: &str,
    ) -> Self {
        if endpoint.is_oauth() {
            let status = match refusal.status {
                0 => quirks.oauth_error_status,
                given => given,
            };
            let body = json!({
                "error": refusal.code,
                "error_description": refusal.message,
                "log_id": log_id,
            });
            return Self::json(status, &refusal.code, &body, log_id);
        }
        let documented = quirks.documented_invalid_param && endpoint.is_posting();
        let code = match refusal.code.as_str() {
            "invalid_params" if documented => "invalid_param",
            other => other,
        };
        let error = json!({"code": code, "message": refusal.message, "log_id": log_id});
        Self::json(
            refusal.status,
            code,
            &json!({"data": {}, "error": error}),
            log_id,
        )
    }

    /// An answer without JSON: the upload host's, a gateway's, or a page.
    pub(crate) fn plain(
        status: u16,
        code: &str,
        body: &str,
        content_type: &'static str,
        log_id: &str,
    ) -> Self {
        Self {
            status,
            code: code.to_owned(),
            body: body.to_owned(),
            content_type,
            range: None,
            log_id: log_id.to_owned(),
        }
    }

    fn json(status: u16, code: &str, body: &Value, log_id: &str) -> Self {
        Self::plain(status, code, &body.to_string(), JSON, log_id)
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Ok(log_id) = HeaderValue::from_str(&self.log_id) {
            headers.insert(HeaderName::from_static("x-tt-logid"), log_id);
        }
        if let Some(Ok(range)) = self.range.map(|range| HeaderValue::from_str(&range)) {
            headers.insert(CONTENT_RANGE, range);
        }
        response
    }
}
