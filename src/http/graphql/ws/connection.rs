//! The life of one socket.
//!
//! It is new until `connection_init`, is checked while its credential is looked up, and then is open.
//! Queries, mutations and subscriptions run on it alike. It is closed by the code that the protocol
//! gives for each mistake, with 4403 when the session ends, and with 1001 when the server stops.

use std::{future::pending, sync::Arc};

use async_graphql::parser::types::OperationType;
use axum::extract::ws::{Message, WebSocket};
use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream, SplitStream},
};
use tokio::time::{Instant, MissedTickBehavior};

use super::super::{
    Endpoint, RequestId,
    admit::{self, Admitted},
    outcome::Outcome,
    params::Params,
    rate,
    session::{Session, Shown},
};
use super::operation::{Operations, Refused};
use super::outbox::Outbox;
use super::protocol::{self, ClientMessage, Close};
use crate::graphql::error::{ApiError, Code};

/// How a socket comes to its end.
pub(super) enum Ending {
    /// We close it.
    Close(Close),
    /// The client closed it, or is gone.
    Gone,
}

type Check = BoxFuture<'static, Result<(Session, Option<Shown>), ApiError>>;

enum Phase {
    New,
    Checking,
    Open(Session),
}

pub(super) struct Connection {
    endpoint: Arc<Endpoint>,
    request_id: RequestId,
    shown: Option<Shown>,
    outbox: Arc<Outbox>,
    operations: Operations,
    phase: Phase,
    /// The credential being looked up; pending while there is none.
    check: Check,
    /// The end of the session; pending until the socket is open.
    over: BoxFuture<'static, ()>,
}

impl Connection {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        request_id: RequestId,
        shown: Option<Shown>,
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
            shown,
            outbox,
            phase: Phase::New,
            check: pending().boxed(),
            over: pending().boxed(),
        }
    }

    /// Lives until the socket has a reason to end.
    pub(super) async fn run(mut self, incoming: &mut SplitStream<WebSocket>) -> Ending {
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
                    let shown = token.map(Shown::Token).or_else(|| self.shown.clone());
                    let endpoint = self.endpoint.clone();
                    self.check = async move {
                        let session = endpoint.authenticate(shown.as_ref()).await?;
                        Ok((session, shown))
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

    fn open(&mut self, checked: Result<(Session, Option<Shown>), ApiError>) -> Result<(), Close> {
        self.check = pending().boxed();
        let (session, shown) = checked.map_err(|error| match error.code() {
            Code::Unavailable | Code::RateLimited => Close::try_later(),
            _ => Close::forbidden(),
        })?;
        self.over = self
            .endpoint
            .clone()
            .session_over(shown, session.clone())
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
                let outcomes = self.counted(session.clone(), operation);
                self.operations.start(id, outcomes, streams);
            }
            Err(error) => self
                .outbox
                .control(protocol::error(&id, &[error.to_server_error()])),
        }
        Ok(())
    }

    /// Runs an operation once it was counted.
    fn counted(&self, session: Session, operation: Admitted) -> BoxStream<'static, Outcome> {
        let engine = self.endpoint.engine.clone();
        let request_id = self.request_id.clone();
        let timeout = self.endpoint.settings.execution_timeout;
        stream::once(async move {
            match rate::charge(&session, None).await {
                Ok(()) => engine.any(operation, request_id, timeout),
                Err(error) => stream::once(async move { error.into() }).boxed(),
            }
        })
        .flatten()
        .boxed()
    }
}
