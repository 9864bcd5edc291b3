//! The schema, ready to run admitted operations, whatever its types are.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_graphql::parser::types::OperationType;
use async_graphql::{ObjectType, Request, Response, SchemaBuilder, SubscriptionType};
use futures::stream::{self, BoxStream, StreamExt};

use super::admit::Admitted;
use super::guard::Guard;
use super::outcome::Outcome;
use super::request_id::RequestId;
use super::shape;
use crate::graphql::error::{ApiError, Code};

type Run = dyn Fn(Request) -> BoxStream<'static, Response> + Send + Sync;

/// A schema with the guard built in. Clones share it.
#[derive(Clone)]
pub struct Engine {
    run: Arc<Run>,
    sdl: Arc<str>,
}

impl Engine {
    /// Finishes a schema: suggestions off, recursion bounded, the guard installed.
    pub fn new<Q, M, S>(builder: SchemaBuilder<Q, M, S>) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        let schema = builder
            .disable_suggestions()
            .limit_recursive_depth(shape::RECURSION_LIMIT)
            .extension(Guard)
            .finish();
        Self {
            sdl: schema.sdl().into(),
            run: Arc::new(move |request| schema.execute_stream(request)),
        }
    }

    /// The schema in its definition language.
    pub fn sdl(&self) -> &str {
        &self.sdl
    }

    /// Runs an operation: one outcome for a query or mutation, any number for a subscription.
    ///
    /// Dropping the stream stops the work. A panic in a resolver ends the stream with an error.
    pub(super) fn stream(
        &self,
        operation: Admitted,
        request_id: RequestId,
    ) -> BoxStream<'static, Outcome> {
        let Admitted {
            request, admission, ..
        } = operation;
        let responses = (self.run)(request);
        AssertUnwindSafe(responses)
            .catch_unwind()
            .map(move |response| match response {
                Ok(response) => Outcome::new(response, admission.passed(), &request_id),
                Err(_) => Outcome::broken("a resolver panicked", &request_id),
            })
            .boxed()
    }

    /// Runs a query or a mutation for at most `timeout`.
    pub(super) async fn once(
        &self,
        operation: Admitted,
        request_id: RequestId,
        timeout: Duration,
    ) -> Outcome {
        let kind = operation.kind;
        let mut stream = self.stream(operation, request_id.clone());
        match tokio::time::timeout(timeout, stream.next()).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Outcome::broken("the engine gave no response", &request_id),
            Err(_) => timed_out(kind, timeout).into(),
        }
    }

    /// Runs any operation: a query or mutation for at most `timeout`, a subscription without end.
    pub(super) fn any(
        &self,
        operation: Admitted,
        request_id: RequestId,
        timeout: Duration,
    ) -> BoxStream<'static, Outcome> {
        if operation.kind == OperationType::Subscription {
            return self.stream(operation, request_id);
        }
        let engine = self.clone();
        stream::once(async move { engine.once(operation, request_id, timeout).await }).boxed()
    }
}

fn timed_out(kind: OperationType, timeout: Duration) -> ApiError {
    let advice = match kind {
        OperationType::Mutation => {
            "It may still have taken effect: repeat it with the same idempotencyKey."
        }
        _ => "Ask for fewer fields or smaller pages.",
    };
    ApiError::new(
        Code::Timeout,
        format!(
            "The operation took longer than {} ms. {advice}",
            timeout.as_millis()
        ),
    )
}
