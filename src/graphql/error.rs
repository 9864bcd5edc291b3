//! The errors of the GraphQL API: a code for programs, a sentence for people.
//!
//! Every error that leaves the process carries `extensions.code`. A resolver says which by returning
//! an [`ApiError`]; whatever else a resolver returns counts as internal and its text stays inside.

use std::{borrow::Cow, time::Duration};

use async_graphql::{ErrorExtensionValues, Pos, ServerError};

/// What went wrong, as a program reads it (`extensions.code`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// No usable credential: send one, or a newer one.
    Unauthenticated,
    /// The credential is good but does not allow this.
    Forbidden,
    /// An argument or a variable has an unusable value.
    BadUserInput,
    /// It does not exist, or not for this caller.
    NotFound,
    /// It changed meanwhile: read it again.
    Conflict,
    /// Too many requests: wait for `extensions.retryAfter` seconds.
    RateLimited,
    /// Our fault. `extensions.errorId` finds it in the log.
    Internal,
    /// A part of the service is away: repeat later.
    Unavailable,
    /// The events after this cursor are no longer kept: read the present state, then subscribe anew.
    CursorExpired,
    /// The client reads slower than events come: resume after the last cursor seen.
    SlowConsumer,
    /// The operation took too long.
    Timeout,
    /// The request is not a GraphQL request.
    BadRequest,
    /// The HTTP method cannot carry this operation.
    MethodNotAllowed,
    /// None of the answer formats that `Accept` names is spoken here.
    NotAcceptable,
    /// The request body has a content type other than `application/json`.
    UnsupportedMediaType,
    /// The request body is too long.
    PayloadTooLarge,
    /// The document is not GraphQL.
    GraphqlParseFailed,
    /// The document does not fit the schema.
    GraphqlValidationFailed,
    /// `operationName` picks no operation of the document.
    OperationResolutionFailure,
    /// The operation cannot run over this transport.
    WrongTransport,
    /// Introspection is off for this caller.
    IntrospectionDisabled,
    /// The document is too long.
    DocumentLimit,
    /// The document has too many tokens.
    TokenLimit,
    /// The document or a variable is nested too deeply.
    DepthLimit,
    /// Too many aliases.
    AliasLimit,
    /// Too many fields at the root.
    RootFieldLimit,
    /// Too many directives.
    DirectiveLimit,
    /// The operation asks for too much.
    CostLimit,
    /// Fragments spread each other too deeply or in a circle.
    RecursionLimit,
    /// Too many operations in one request.
    BatchLimit,
    /// Too many operations at once on one socket.
    SubscriptionLimit,
}

impl Code {
    /// The spelling on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::RateLimited => "RATE_LIMITED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::CursorExpired => "CURSOR_EXPIRED",
            Self::SlowConsumer => "SLOW_CONSUMER",
            Self::Timeout => "TIMEOUT",
            Self::BadRequest => "BAD_REQUEST",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::NotAcceptable => "NOT_ACCEPTABLE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::GraphqlParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::GraphqlValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::OperationResolutionFailure => "OPERATION_RESOLUTION_FAILURE",
            Self::WrongTransport => "WRONG_TRANSPORT",
            Self::IntrospectionDisabled => "INTROSPECTION_DISABLED",
            Self::DocumentLimit => "DOCUMENT_LIMIT",
            Self::TokenLimit => "TOKEN_LIMIT",
            Self::DepthLimit => "DEPTH_LIMIT",
            Self::AliasLimit => "ALIAS_LIMIT",
            Self::RootFieldLimit => "ROOT_FIELD_LIMIT",
            Self::DirectiveLimit => "DIRECTIVE_LIMIT",
            Self::CostLimit => "COST_LIMIT",
            Self::RecursionLimit => "RECURSION_LIMIT",
            Self::BatchLimit => "BATCH_LIMIT",
            Self::SubscriptionLimit => "SUBSCRIPTION_LIMIT",
        }
    }
}

/// An error that a client may read: its code, one or two sentences, and where useful a delay.
///
/// Turns into an `async_graphql::Error` by `?`, code included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    code: Code,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    pos: Option<Pos>,
}

impl ApiError {
    /// An error with this code and text. The text is shown to the caller.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after: None,
            pos: None,
        }
    }

    /// NOT_FOUND for `what` ("Post", "Job"); the same for what another tenant owns.
    pub fn not_found(what: &str) -> Self {
        Self::new(
            Code::NotFound,
            format!("{what} not found. Check the id and the account that the key belongs to."),
        )
    }

    /// Says when a repetition may succeed (`extensions.retryAfter`, whole seconds, rounded up).
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Points at a place in the document.
    #[must_use]
    pub fn at(mut self, pos: Pos) -> Self {
        self.pos = Some(pos);
        self
    }

    /// What a program reads.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What a person reads.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whole seconds to wait, if the error names a delay.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after
            .map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    fn extensions(&self) -> ErrorExtensionValues {
        let mut values = ErrorExtensionValues::default();
        values.set("code", self.code.as_str());
        if let Some(seconds) = self.retry_after_seconds() {
            values.set("retryAfter", seconds);
        }
        values
    }

    /// The form that goes into a response's `errors`.
    pub fn to_server_error(&self) -> ServerError {
        let mut error = ServerError::new(self.message.as_ref(), self.pos);
        error.extensions = Some(self.extensions());
        error
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(error: ApiError) -> Self {
        let extensions = Some(error.extensions());
        Self {
            message: error.message.into_owned(),
            source: None,
            extensions,
        }
    }
}
