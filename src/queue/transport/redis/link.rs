//! The connection that carries calls: made when it is needed, dropped when it fails.

use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, aio::MultiplexedConnection};
use tokio::{sync::Mutex, time::Instant};

use super::CONNECTING;
use crate::queue::transport::TransportError;

/// After a failed attempt to connect, callers are refused at once for this long: they do not wait in
/// line for one timeout after another.
pub(super) const RECONNECT: Duration = Duration::from_millis(200);

/// One multiplexed connection that is made when it is needed and dropped when it fails.
pub(super) struct Link {
    client: Client,
    timeout: Duration,
    current: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// How many connections there were: tells which one a failed call used.
    made: u64,
    failed: Option<Instant>,
}

impl Link {
    pub(super) fn new(client: Client, timeout: Duration) -> Self {
        Self {
            client,
            timeout,
            current: Mutex::new(State::default()),
        }
    }

    async fn connection(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        // Callers queue up here while one of them connects.
        let mut state = self.current.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((state.made, connection.clone()));
        }
        if state.failed.is_some_and(|at| at.elapsed() < RECONNECT) {
            return Err(std::io::Error::from(std::io::ErrorKind::NotConnected).into());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout / CONNECTING))
            .set_response_timeout(Some(self.timeout));
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        match connecting.await {
            Ok(connection) => {
                state.connection = Some(connection.clone());
                state.made += 1;
                state.failed = None;
                Ok((state.made, connection))
            }
            Err(error) => {
                state.failed = Some(Instant::now());
                Err(error)
            }
        }
    }

    /// Runs `call`. Any failure drops the connection: a fail-over shows as READONLY, a dead peer as
    /// a timeout, and a new connection costs less than telling them apart.
    pub(super) async fn call<T>(
        &self,
        doing: &'static str,
        call: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, TransportError> {
        let failed = |error: RedisError| TransportError::new(doing, error);
        let (number, mut connection) = self.connection().await.map_err(failed)?;
        match call(&mut connection).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let mut state = self.current.lock().await;
                if state.made == number {
                    state.connection = None;
                }
                Err(failed(error))
            }
        }
    }
}
