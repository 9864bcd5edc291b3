//! GraphQL over WebSocket by `graphql-transport-ws`: from the handshake to the last frame.
//!
//! `connection` lives the protocol, `operation` runs what a client subscribes to, `outbox` holds what
//! waits to be written, `protocol` names messages and close codes. A client that does not read holds
//! up nobody but itself.

mod connection;
mod operation;
mod outbox;
mod protocol;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{
        FromRequestParts, Request,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use http::{Method, header};

use self::connection::{Connection, Ending};
use self::outbox::Outbox;
use self::protocol::Close;
use super::accept::MediaType;
use super::{Endpoint, RequestId, origin, post, session::Shown};
use crate::graphql::error::{ApiError, Code};

/// Longer messages than allowed are still read up to this many times the limit, so that the client gets
/// a close code instead of a broken connection.
const READ_BEYOND: usize = 4;
/// How long a closed socket may take to leave.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// Whether a request wants to become a socket.
pub(super) fn is_upgrade(request: &Request) -> bool {
    request.method() == Method::GET
        && request
            .headers()
            .get(header::UPGRADE)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Makes the request a socket, if its page may.
pub(super) async fn upgrade(
    endpoint: Arc<Endpoint>,
    request_id: RequestId,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let allowed = origin::check_upgrade(&parts.headers, &endpoint.settings)
        .and_then(|()| endpoint.shown(&parts.headers));
    let shown = match allowed {
        Ok(shown) => shown,
        Err(error) => return post::reject(&error, MediaType::Json),
    };
    let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else {
        let error = ApiError::new(Code::BadRequest, "The WebSocket handshake is incomplete.");
        return post::reject(&error, MediaType::Json);
    };
    let readable = endpoint.settings.socket.message_bytes * READ_BEYOND;
    upgrade
        .protocols([protocol::PROTOCOL])
        .max_message_size(readable)
        .max_frame_size(readable)
        .on_upgrade(move |socket| serve(socket, endpoint, request_id, shown))
}

async fn serve(
    socket: WebSocket,
    endpoint: Arc<Endpoint>,
    request_id: RequestId,
    shown: Option<Shown>,
) {
    let agreed = socket.protocol().is_some();
    let (sink, mut incoming) = socket.split();
    let outbox = Arc::new(Outbox::new(endpoint.settings.outgoing_queue));
    let mut writer = tokio::spawn(write(sink, outbox.clone()));

    let ending = if agreed {
        Connection::new(endpoint, request_id, shown, outbox.clone())
            .run(&mut incoming)
            .await
    } else {
        Ending::Close(Close::wrong_subprotocol())
    };
    if let Ending::Close(close) = ending {
        outbox.close(close);
        // The client answers a close frame with its own; leaving earlier could cut ours off.
        let leaving = async {
            let _ = (&mut writer).await;
            drain(&mut incoming).await;
        };
        let _ = tokio::time::timeout(CLOSE_TIME, leaving).await;
    } else {
        // Reading to the end also sends the answer to the client's close frame.
        let _ = tokio::time::timeout(CLOSE_TIME, drain(&mut incoming)).await;
    }
    writer.abort();
}

async fn write(mut sink: SplitSink<WebSocket, Message>, outbox: Arc<Outbox>) {
    while let Some(message) = outbox.next().await {
        let written = if outbox.is_empty() {
            sink.send(message).await
        } else {
            sink.feed(message).await
        };
        if written.is_err() {
            // The reading side sees the same end.
            return;
        }
    }
}

async fn drain(incoming: &mut SplitStream<WebSocket>) {
    while let Some(Ok(_)) = incoming.next().await {}
}
