//! GraphQL over server-sent events: graphql-sse's distinct connections mode, one operation per POST.
//!
//! Each result is an event `next`, the end is an event `complete`. A request that can be read but not
//! run also gets its errors as a `next`, as the protocol asks. When the process stops, the stream ends
//! without `complete`, which tells clients to connect again.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use futures::{
    FutureExt, Stream, StreamExt,
    stream::{self, BoxStream},
};
use http::{HeaderName, Method, header};
use tokio::sync::{mpsc, oneshot};

use super::accept::{self, MediaType};
use super::outcome::Outcome;
use super::params::{Body, Params};
use super::session::Session;
use super::{Endpoint, RequestId, admit, post};
use crate::graphql::error::{ApiError, Code};

/// Everything at `/graphql/stream`.
pub(super) async fn serve(
    State(endpoint): State<Arc<Endpoint>>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Response {
    match open(endpoint, request_id, request).await {
        Ok(response) => response,
        Err(error) => post::reject(&error, MediaType::Json),
    }
}

async fn open(
    endpoint: Arc<Endpoint>,
    request_id: RequestId,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return Err(post::method_not_allowed());
    }
    accept::takes_event_stream(&parts.headers)?;
    let (session, bytes) = post::receive(&endpoint, &parts, body).await?;
    let params = match Body::parse(&bytes, 0)? {
        Body::One(params) => params,
        Body::Batch(_) => {
            return Err(ApiError::new(
                Code::BatchLimit,
                "A stream has one operation.",
            ));
        }
    };
    let shown = endpoint.shown(&parts.headers)?;
    let outcomes = operate(&endpoint, request_id, &session, params);

    let (results, waiting) = mpsc::channel(endpoint.settings.outgoing_queue.max(1));
    let (last, ending) = oneshot::channel();
    let comment_every = endpoint.settings.sse_comment_every;
    tokio::spawn(async move {
        let over = endpoint.clone().session_over(shown, session);
        let end = pump(&endpoint, outcomes, over, results).await;
        // The receiver is gone when the client is; then nobody waits for the ending.
        let _ = last.send(end);
    });
    let events = with_comments(events(waiting, ending), comment_every);
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        // nginx would otherwise collect the events.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, axum::body::Body::from_stream(events)).into_response())
}

fn operate(
    endpoint: &Endpoint,
    request_id: RequestId,
    session: &Session,
    params: Params,
) -> BoxStream<'static, Outcome> {
    let settings = &endpoint.settings;
    match admit::admit(params, session, &request_id, settings) {
        Ok(operation) => endpoint
            .engine
            .any(operation, request_id, settings.execution_timeout),
        Err(error) => stream::once(async move { error.into() }).boxed(),
    }
}

/// How a stream ends.
enum End {
    /// The operation is done.
    Complete,
    /// The server ended it, and says why.
    Failed(ApiError),
    /// The connection ends, the operation does not: the client should come back.
    Broken,
}

/// Carries results towards the client until something ends the stream.
async fn pump(
    endpoint: &Endpoint,
    mut outcomes: BoxStream<'static, Outcome>,
    over: impl Future<Output = ()>,
    results: mpsc::Sender<String>,
) -> End {
    let settings = &endpoint.settings;
    let forward = async {
        while let Some(outcome) = outcomes.next().await {
            let sent = tokio::time::timeout(
                settings.slow_consumer_after,
                results.send(outcome.to_json()),
            );
            match sent.await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return End::Broken,
                Err(_) => {
                    return End::Failed(ApiError::new(
                        Code::SlowConsumer,
                        "Results were read too slowly. Subscribe again after the last cursor seen.",
                    ));
                }
            }
        }
        End::Complete
    };
    tokio::select! {
        end = forward => end,
        () = over => End::Failed(ApiError::new(
            Code::Unauthenticated,
            "The session ended. Authenticate anew.",
        )),
        () = results.closed() => End::Broken,
        () = endpoint.shutdown.cancelled() => End::Broken,
    }
}

fn events(
    mut waiting: mpsc::Receiver<String>,
    ending: oneshot::Receiver<End>,
) -> impl Stream<Item = String> {
    let results = stream::poll_fn(move |cx| waiting.poll_recv(cx)).map(|json| next(&json));
    let closing = ending.into_stream().filter_map(async |end| match end {
        Ok(End::Complete) => Some(COMPLETE.to_owned()),
        Ok(End::Failed(error)) => Some(next(&Outcome::from(error).to_json()) + COMPLETE),
        Ok(End::Broken) | Err(_) => None,
    });
    results.chain(closing)
}

/// Begins with a comment, since some clients and proxies show an answer only after its first bytes,
/// and adds one whenever the events are silent for `every`.
fn with_comments(
    events: impl Stream<Item = String> + Send + 'static,
    every: Duration,
) -> impl Stream<Item = Result<String, Infallible>> + Send {
    let kept_alive = stream::unfold(events.boxed(), move |mut events| async move {
        match tokio::time::timeout(every, events.next()).await {
            Ok(event) => event.map(|event| (event, events)),
            Err(_) => Some((COMMENT.to_owned(), events)),
        }
    });
    stream::once(async { COMMENT.to_owned() })
        .chain(kept_alive)
        .map(Ok)
}

/// A line that clients skip.
const COMMENT: &str = ":\n\n";
/// The end of an operation. Browsers drop events without data, so it is there and empty.
const COMPLETE: &str = "event: complete\ndata: \n\n";

/// JSON has no line breaks, so one `data` line holds it.
fn next(json: &str) -> String {
    format!("event: next\ndata: {json}\n\n")
}
