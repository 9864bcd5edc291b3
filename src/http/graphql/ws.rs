//! GraphQL over WebSocket by `graphql-transport-ws`: the life of one socket.
//!
//! A socket is new until `connection_init`, is checked while its credential is looked up, and then is
//! open. Queries, mutations and subscriptions run on it alike. It is closed by the code that the
//! protocol gives for each mistake, with 4403 when the session ends, and with 1001 when the server
//! stops. What it says is queued in `ws_outbox`, so that a client that does not read holds up nobody
//! but itself.

use std::{future::pending, sync::Arc, time::Duration};

use async_graphql::parser::types::OperationType;
use axum::{
    extract::{
        FromRequestParts, Request,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
};
use futures::{
    FutureExt, SinkExt, StreamExt,
    future::BoxFuture,
    stream::{SplitSink, SplitStream},
};
use http::{Method, header};
use secrecy::SecretString;
use tokio::time::{Instant, MissedTickBehavior};

use super::accept::MediaType;
use super::params::Params;
use super::session::{self, Session};
use super::ws_operation::{Operations, Refused};
use super::ws_outbox::Outbox;
use super::ws_protocol::{self as protocol, ClientMessage, Close};
use super::{Endpoint, RequestId, admit, origin, post};
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
        .and_then(|()| session::bearer(&parts.headers));
    let token = match allowed {
        Ok(token) => token,
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
        .on_upgrade(move |socket| serve(socket, endpoint, request_id, token))
}

/// How a socket comes to its end.
enum Ending {
    /// We close it.
    Close(Close),
    /// The client closed it, or is gone.
    Gone,
}

async fn serve(
    socket: WebSocket,
    endpoint: Arc<Endpoint>,
    request_id: RequestId,
    header_token: Option<SecretString>,
) {
    let agreed = socket.protocol().is_some();
    let (sink, mut incoming) = socket.split();
    let outbox = Arc::new(Outbox::new(endpoint.settings.outgoing_queue));
    let mut writer = tokio::spawn(write(sink, outbox.clone()));

    let ending = if agreed {
        Connection::new(endpoint, request_id, header_token, outbox.clone())
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

type Check = BoxFuture<'static, Result<(Session, Option<SecretString>), ApiError>>;

enum Phase {
    New,
    Checking,
    Open(Session),
}

struct Connection {
    endpoint: Arc<Endpoint>,
    request_id: RequestId,
    header_token: Option<SecretString>,
    outbox: Arc<Outbox>,
    operations: Operations,
    phase: Phase,
    /// The credential being looked up; pending while there is none.
    check: Check,
    /// The end of the session; pending until the socket is open.
    over: BoxFuture<'static, ()>,
}

impl Connection {
    fn new(
        endpoint: Arc<Endpoint>,
        request_id: RequestId,
        header_token: Option<SecretString>,
        outbox: Arc<Outbox>,
    ) -> Self {
        let settings = &endpoint.settings;
        Self {
            operations: Operations::new(
                outbox.clone(),
                settings.socket.operations,
                settings.slow_consumer_after,
            ),
            endpoint,
            request_id,
            header_token,
            outbox,
            phase: Phase::New,
            check: pending().boxed(),
            over: pending().boxed(),
        }
    }

    async fn run(mut self, incoming: &mut SplitStream<WebSocket>) -> Ending {
        let rules = self.endpoint.settings.socket.clone();
        let shutdown = self.endpoint.shutdown.clone();
        let outbox = self.outbox.clone();
        let init_deadline = Instant::now() + rules.init_timeout;
        let mut pings =
            tokio::time::interval_at(Instant::now() + rules.ping_every, rules.ping_every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unanswered = 0;
        loop {
            let received = async {
                outbox.has_room().await;
                incoming.next().await
            };
            tokio::select! {
                () = shutdown.cancelled() => return Ending::Close(Close::going_away()),
                () = tokio::time::sleep_until(init_deadline), if matches!(self.phase, Phase::New) => {
                    return Ending::Close(Close::init_timeout());
                }
                checked = &mut self.check => {
                    if let Err(close) = self.open(checked) {
                        return Ending::Close(close);
                    }
                }
                () = &mut self.over => return Ending::Close(Close::forbidden()),
                _ = pings.tick() => {
                    if unanswered >= rules.missed_pongs {
                        return Ending::Gone;
                    }
                    unanswered += 1;
                    outbox.ping();
                }
                message = received => {
                    unanswered = 0;
                    let handled = match message {
                        Some(Ok(Message::Text(text))) if text.len() > rules.message_bytes => {
                            Err(Close::too_big(rules.message_bytes))
                        }
                        Some(Ok(Message::Text(text))) => self.receive(text.as_str()),
                        Some(Ok(Message::Binary(_))) => Err(Close::bad_message("Messages are text")),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                        Some(Ok(Message::Close(_))) | None => return Ending::Gone,
                        Some(Err(_)) => Err(Close::protocol_error()),
                    };
                    if let Err(close) = handled {
                        return Ending::Close(close);
                    }
                }
            }
        }
    }

    fn receive(&mut self, text: &str) -> Result<(), Close> {
        match ClientMessage::parse(text)? {
            ClientMessage::Init(payload) => match self.phase {
                Phase::New => {
                    let token = protocol::token(&payload).map_err(|()| Close::forbidden())?;
                    let token = token.or_else(|| self.header_token.clone());
                    let endpoint = self.endpoint.clone();
                    self.check = async move {
                        let session = endpoint.authenticate(token.as_ref()).await?;
                        Ok((session, token))
                    }
                    .boxed();
                    self.phase = Phase::Checking;
                }
                Phase::Checking | Phase::Open(_) => return Err(Close::too_many_inits()),
            },
            ClientMessage::Ping(payload) => self.outbox.control(protocol::pong(payload)),
            ClientMessage::Pong => {}
            ClientMessage::Subscribe { id, params } => self.subscribe(id, params)?,
            ClientMessage::Complete { id } => self.operations.stop(&id),
        }
        Ok(())
    }

    fn open(
        &mut self,
        checked: Result<(Session, Option<SecretString>), ApiError>,
    ) -> Result<(), Close> {
        self.check = pending().boxed();
        let (session, token) = checked.map_err(|error| match error.code() {
            Code::Unavailable | Code::RateLimited => Close::try_later(),
            _ => Close::forbidden(),
        })?;
        self.over = self
            .endpoint
            .clone()
            .session_over(token, session.clone())
            .boxed();
        self.phase = Phase::Open(session);
        self.outbox.control(protocol::ack());
        Ok(())
    }

    fn subscribe(&mut self, id: String, params: Params) -> Result<(), Close> {
        let Phase::Open(session) = &self.phase else {
            return Err(Close::unauthorized());
        };
        let settings = &self.endpoint.settings;
        let refused = match self.operations.check(&id) {
            Ok(()) => None,
            Err(Refused::Duplicate) => return Err(Close::duplicate(&id)),
            Err(Refused::TooMany) => Some(ApiError::new(
                Code::SubscriptionLimit,
                format!(
                    "A socket carries {} operations at once. Complete one first.",
                    settings.socket.operations
                ),
            )),
        };
        let admitted = match refused {
            Some(error) => Err(error),
            None => admit::admit(params, session, &self.request_id, settings),
        };
        match admitted {
            Ok(operation) => {
                let streams = operation.kind == OperationType::Subscription;
                let outcomes = self.endpoint.engine.any(
                    operation,
                    self.request_id.clone(),
                    settings.execution_timeout,
                );
                self.operations.start(id, outcomes, streams);
            }
            Err(error) => self
                .outbox
                .control(protocol::error(&id, &[error.to_server_error()])),
        }
        Ok(())
    }
}
