//! Budgets and notes in Redis: a sorted set of uses a budget, a string a note.

use std::time::Duration;

use async_trait::async_trait;
use clipqueue_entities::Timestamp;

use super::{RedisTransport, millis};
use crate::queue::transport::{Acquired, Budget, Budgets, Standing, TransportError, Use, Used};

#[async_trait]
impl Budgets for RedisTransport {
    async fn acquire(
        &self,
        budgets: &[Budget],
        now: Option<Timestamp>,
    ) -> Result<Acquired, TransportError> {
        let mut call = self.scripts.acquire.prepare_invoke();
        for budget in budgets {
            call.key(self.key("budget", &budget.key));
        }
        let of = Use::new();
        call.arg(given(now)).arg(of.0.as_bytes().as_slice());
        for budget in budgets {
            call.arg(budget.limit).arg(millis(budget.window));
        }
        let wait: u64 = self.invoke("acquire a budget", &call).await?;
        Ok(match wait {
            0 => Acquired::Granted(of),
            wait => Acquired::Wait(Duration::from_millis(wait)),
        })
    }

    async fn settle_use(
        &self,
        keys: &[String],
        of: Use,
        used: Used,
        now: Option<Timestamp>,
    ) -> Result<(), TransportError> {
        let mut call = self.scripts.settle_use.prepare_invoke();
        for key in keys {
            call.key(self.key("budget", key));
        }
        call.arg(given(now))
            .arg(of.0.as_bytes().as_slice())
            .arg(i32::from(used == Used::Made));
        self.invoke::<()>("settle a use", &call).await
    }

    async fn spend(
        &self,
        budget: &Budget,
        wait: Duration,
        now: Option<Timestamp>,
    ) -> Result<(), TransportError> {
        let mut call = self.scripts.spend.prepare_invoke();
        call.key(self.key("budget", &budget.key))
            .arg(given(now))
            .arg(Use::new().0.as_bytes().as_slice())
            .arg(budget.limit)
            .arg(millis(budget.window))
            .arg(millis(wait));
        self.invoke::<()>("spend a budget", &call).await
    }

    async fn standing(
        &self,
        budgets: &[Budget],
        now: Option<Timestamp>,
    ) -> Result<Vec<Standing>, TransportError> {
        let mut call = self.scripts.standing.prepare_invoke();
        for budget in budgets {
            call.key(self.key("budget", &budget.key));
        }
        call.arg(given(now));
        for budget in budgets {
            call.arg(budget.limit).arg(millis(budget.window));
        }
        let flat: Vec<i64> = self.invoke("read budgets", &call).await?;
        Ok(flat
            .chunks_exact(2)
            .map(|pair| Standing {
                used: u32::try_from(pair[0]).unwrap_or_default(),
                next_in: u64::try_from(pair[1]).ok().map(Duration::from_millis),
            })
            .collect())
    }

    async fn notes(&self, names: &[String]) -> Result<Vec<Option<String>>, TransportError> {
        let mut command = redis::cmd("MGET");
        for name in names {
            command.arg(self.key("note", name));
        }
        self.query("read notes", &command).await
    }

    async fn swap_note(
        &self,
        name: &str,
        old: Option<&str>,
        new: Option<&str>,
        life: Duration,
    ) -> Result<bool, TransportError> {
        let mut call = self.scripts.swap_note.prepare_invoke();
        call.key(self.key("note", name));
        for text in [old, new] {
            call.arg(i32::from(text.is_some()))
                .arg(text.unwrap_or_default());
        }
        call.arg(millis(life));
        self.invoke::<bool>("write a note", &call).await
    }

    async fn forget_budgets(&self, keys: &[String]) -> Result<(), TransportError> {
        if keys.is_empty() {
            return Ok(());
        }
        // A cluster holds them all in one place: they share their hash tag.
        let mut command = redis::cmd("DEL");
        for key in keys {
            command.arg(self.key("budget", key));
        }
        self.query("forget budgets", &command).await
    }
}

/// The caller's time as a script reads it; nothing stands for the server's own.
fn given(now: Option<Timestamp>) -> String {
    now.map(|now| now.to_string()).unwrap_or_default()
}
