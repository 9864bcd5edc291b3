//! Breakers that all processes share: notes in the transport, changed by compare and swap.
//!
//! A note may be lost, and the transport may be away. This process's own memory stands in then: it is
//! what the last note said, and what this process heard since.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tiktok::Endpoint;

use super::breaker::Breaker;
use crate::queue::{Queue, transport::TransportError};

/// A breaker that nobody asks about for this long is forgotten, which closes it.
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// How often a change is tried when others change the same breaker.
const TRIES: u32 = 8;

/// All breakers.
#[derive(Clone, Debug)]
pub(super) struct Breakers {
    queue: Queue,
    own: Arc<Mutex<HashMap<Endpoint, Breaker>>>,
}

impl Breakers {
    pub(super) fn new(queue: Queue) -> Self {
        Self {
            queue,
            own: Arc::default(),
        }
    }

    /// How the breaker of an endpoint stands.
    pub(super) async fn read(&self, endpoint: Endpoint) -> Breaker {
        match self.shared(&[endpoint]).await {
            Ok(mut read) => match read.pop() {
                Some((breaker, _)) => {
                    self.remember(endpoint, &breaker);
                    breaker
                }
                None => Breaker::default(),
            },
            Err(_) => self.own(endpoint),
        }
    }

    /// How several breakers stand, in their order.
    pub(super) async fn read_all(&self, endpoints: &[Endpoint]) -> Vec<Breaker> {
        match self.shared(endpoints).await {
            Ok(read) => read.into_iter().map(|(breaker, _)| breaker).collect(),
            Err(_) => endpoints.iter().map(|one| self.own(*one)).collect(),
        }
    }

    /// Changes a breaker. `change` may run more than once, each time on a fresh copy, and must depend on
    /// nothing else. A breaker that it leaves as it was is not written.
    pub(super) async fn change<T, E>(
        &self,
        endpoint: Endpoint,
        mut change: impl FnMut(&mut Breaker) -> Result<T, E>,
    ) -> Result<T, E> {
        for _ in 0..TRIES {
            let Ok(mut read) = self.shared(&[endpoint]).await else {
                break;
            };
            let (before, note) = read.pop().unwrap_or_default();
            let mut after = before.clone();
            let given = change(&mut after)?;
            if after == before {
                self.remember(endpoint, &after);
                return Ok(given);
            }
            match self.write(endpoint, note.as_deref(), &after).await {
                Ok(true) => {
                    self.remember(endpoint, &after);
                    return Ok(given);
                }
                Ok(false) => {}
                Err(_) => break,
            }
        }
        let mut own = self.own(endpoint);
        let given = change(&mut own)?;
        self.remember(endpoint, &own);
        Ok(given)
    }

    async fn shared(
        &self,
        endpoints: &[Endpoint],
    ) -> Result<Vec<(Breaker, Option<String>)>, TransportError> {
        let names: Vec<String> = endpoints.iter().map(|one| name(*one)).collect();
        let notes = self.queue.transport().notes(&names).await?;
        Ok(notes
            .into_iter()
            .map(|note| {
                // What another version wrote and this one cannot read is overwritten.
                let breaker = note
                    .as_deref()
                    .and_then(|note| serde_json::from_str(note).ok());
                (breaker.unwrap_or_default(), note)
            })
            .collect())
    }

    async fn write(
        &self,
        endpoint: Endpoint,
        old: Option<&str>,
        breaker: &Breaker,
    ) -> Result<bool, TransportError> {
        let new = match breaker.is_pristine() {
            true => None,
            false => serde_json::to_string(breaker).ok(),
        };
        let transport = self.queue.transport();
        let name = name(endpoint);
        transport.swap_note(&name, old, new.as_deref(), LIFE).await
    }

    fn own(&self, endpoint: Endpoint) -> Breaker {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.get(&endpoint).cloned().unwrap_or_default()
    }

    fn remember(&self, endpoint: Endpoint, breaker: &Breaker) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.insert(endpoint, breaker.clone());
    }
}

fn name(endpoint: Endpoint) -> String {
    format!("breaker:{endpoint}")
}
