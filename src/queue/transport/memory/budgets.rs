//! Budgets and notes in memory.

use std::time::Duration;

use async_trait::async_trait;
use clipqueue_entities::Timestamp;

use super::MemoryTransport;
use crate::queue::transport::{Acquired, Budget, Budgets, Standing, TransportError, Use, Used};

#[async_trait]
impl Budgets for MemoryTransport {
    async fn acquire(
        &self,
        budgets: &[Budget],
        now: Option<Timestamp>,
    ) -> Result<Acquired, TransportError> {
        let now = now.unwrap_or_else(|| self.clock.now());
        Ok(self.state().windows.acquire(budgets, now))
    }

    async fn settle_use(
        &self,
        keys: &[String],
        of: Use,
        used: Used,
        now: Option<Timestamp>,
    ) -> Result<(), TransportError> {
        let now = now.unwrap_or_else(|| self.clock.now());
        self.state().windows.settle(keys, of, used, now);
        Ok(())
    }

    async fn spend(
        &self,
        budget: &Budget,
        wait: Duration,
        now: Option<Timestamp>,
    ) -> Result<(), TransportError> {
        let now = now.unwrap_or_else(|| self.clock.now());
        self.state().windows.spend(budget, wait, now);
        Ok(())
    }

    async fn standing(
        &self,
        budgets: &[Budget],
        now: Option<Timestamp>,
    ) -> Result<Vec<Standing>, TransportError> {
        let now = now.unwrap_or_else(|| self.clock.now());
        Ok(self.state().windows.standing(budgets, now))
    }

    async fn notes(&self, names: &[String]) -> Result<Vec<Option<String>>, TransportError> {
        let now = self.clock.now();
        let state = self.state();
        let read = |name: &String| {
            let (text, until) = state.notes.get(name)?;
            (*until > now).then(|| text.clone())
        };
        Ok(names.iter().map(read).collect())
    }

    async fn swap_note(
        &self,
        name: &str,
        old: Option<&str>,
        new: Option<&str>,
        life: Duration,
    ) -> Result<bool, TransportError> {
        let now = self.clock.now();
        let notes = &mut self.state().notes;
        notes.retain(|_, (_, until)| *until > now);
        if notes.get(name).map(|(text, _)| text.as_str()) != old {
            return Ok(false);
        }
        match new {
            Some(new) => {
                notes.insert(name.to_owned(), (new.to_owned(), now + life));
            }
            None => {
                notes.remove(name);
            }
        }
        Ok(true)
    }

    async fn forget_budgets(&self, keys: &[String]) -> Result<(), TransportError> {
        self.state().windows.forget(keys);
        Ok(())
    }
}
