//! The queue's moves one at a time, for tests and fault harnesses that choose their order. They are
//! the functions that the daemon's loops call.

use std::sync::Arc;

use clipqueue_entities::{JobId, job::JobState};

use super::{
    Queue, audit,
    core::Core,
    drain::DrainError,
    due,
    execute::{self, Ticket},
    heartbeat,
    lease::Lease,
    policy::{Catalogue, QueueSpec},
    relay::Relay,
    rescue::Rescuer,
    settle,
    shortcut::{self, Told},
    transport::{Delivery, Pointer},
    work::{Claimed, Ran},
};

/// One process, moved by hand.
pub struct Steps {
    core: Core,
    catalogue: Arc<dyn Catalogue>,
    queues: Vec<(Relay, Arc<QueueSpec>)>,
    rescuer: Rescuer,
}

/// A job that was taken and claimed. Dropping it is what a crash does: its row stays running until
/// its lease runs out.
#[derive(Debug)]
pub struct HeldJob {
    ticket: Ticket,
}

impl HeldJob {
    /// The job.
    pub fn job(&self) -> &Claimed {
        &self.ticket.job
    }

    /// Its lease, as a handler would have it.
    pub fn lease(&self) -> Lease {
        self.ticket.live.lease.clone()
    }
}

impl Steps {
    /// A process over the rows and the transport of `queue`.
    pub fn new(queue: &Queue, catalogue: Arc<dyn Catalogue>) -> Self {
        Self {
            core: queue.core.clone(),
            queues: catalogue
                .queues()
                .iter()
                .map(|spec| (Relay::new(spec.clone()), Arc::new(spec.clone())))
                .collect(),
            catalogue,
            rescuer: Rescuer::default(),
        }
    }

    /// One pass of every relay. Gives the number of pointers delivered.
    pub async fn relay(&mut self) -> Result<u64, DrainError> {
        let mut delivered = 0;
        for (relay, _) in &mut self.queues {
            delivered += relay.pass(&self.core, None).await?.delivered;
        }
        Ok(delivered)
    }

    /// Takes up to `limit` pointers of each queue and claims their rows.
    pub async fn fetch(&mut self, limit: usize) -> Result<Vec<HeldJob>, DrainError> {
        let mut held = Vec::new();
        for (_, spec) in &self.queues {
            let fetched = execute::fetch(&self.core, self.catalogue.as_ref(), spec, limit).await?;
            held.extend(fetched.tickets.into_iter().map(|ticket| HeldJob { ticket }));
        }
        Ok(held)
    }

    /// Claims the rows of pointers of `queue` that somebody took before.
    pub async fn claim(
        &mut self,
        queue: &str,
        taken: Vec<Delivery>,
    ) -> Result<Vec<HeldJob>, DrainError> {
        let spec = self.queues.iter().find(|(_, spec)| spec.name == queue);
        let Some((_, spec)) = spec else {
            return Ok(Vec::new());
        };
        let catalogue = self.catalogue.as_ref();
        let tickets = execute::claim_all(&self.core, catalogue, spec, taken).await?;
        Ok(tickets
            .into_iter()
            .map(|ticket| HeldJob { ticket })
            .collect())
    }

    /// One beat of the heartbeat. Whether the database renewed what had to be.
    pub async fn beat(&self) -> bool {
        let writer = heartbeat::Writer::shared(&self.core.db);
        heartbeat::renew(&self.core.live, &writer, &self.core.clock).await
    }

    /// Starts what is due of each queue by the short way, when that is not more than `limit`.
    pub async fn start_few(&mut self, limit: usize) -> Result<Vec<HeldJob>, DrainError> {
        let mut held = Vec::new();
        for (_, spec) in &self.queues {
            let rows = shortcut::look(&self.core, &spec.name, limit)
                .await
                .map_err(|error| DrainError::Away(error.into()))?;
            let Some(mut rows) = rows else { continue };
            if rows.is_empty() {
                let now = self.core.clock.now();
                rows = due::look(&self.core, &spec.name, now)
                    .await
                    .map_err(|error| DrainError::Away(error.into()))?;
            }
            if rows.is_empty() || rows.len() > limit {
                continue;
            }
            let catalogue = self.catalogue.as_ref();
            let tickets = shortcut::claim(&self.core, catalogue, spec, &rows).await?;
            held.extend(tickets.into_iter().map(|ticket| HeldJob { ticket }));
        }
        Ok(held)
    }

    /// Claims a row that the process was told of while it asks for leave.
    pub async fn start_told(
        &mut self,
        queue: &str,
        row: &Pointer,
    ) -> Result<Option<HeldJob>, DrainError> {
        let spec = self.queues.iter().find(|(_, spec)| spec.name == queue);
        let Some((_, spec)) = spec else {
            return Ok(None);
        };
        match shortcut::claim_told(&self.core, self.catalogue.as_ref(), spec, row).await? {
            Told::Starts(ticket) => Ok(Some(HeldJob { ticket })),
            Told::Waits(ended) => {
                settle::write(&self.core, vec![ended]).await;
                Ok(None)
            }
            Told::Gone => Ok(None),
        }
    }

    /// Ends an attempt as if its handler had answered `ran`. Gives the job's new state; none when
    /// the attempt was not the newest any more.
    pub async fn end(&mut self, held: HeldJob, ran: Ran) -> Option<JobState> {
        let runner: super::Runner = {
            let ran = std::sync::Mutex::new(Some(ran));
            Arc::new(move |_| {
                let ran = ran
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .take();
                Box::pin(async move { ran.unwrap_or(Ok(super::Outcome::Done)) })
            })
        };
        let id: JobId = held.job().id;
        let ended = execute::run(&self.core, self.catalogue.as_ref(), &runner, held.ticket).await;
        settle::write(&self.core, vec![ended])
            .await
            .into_iter()
            .find(|(settlement, _)| settlement.job.id == id)
            .and_then(|(_, state)| state)
    }

    /// One look of the rescuer; what was expired at the last look too is rescued. Gives the number.
    pub async fn rescue(&mut self) -> Result<usize, DrainError> {
        self.rescuer
            .look(&self.core)
            .await
            .map_err(|error| DrainError::Away(error.into()))
    }

    /// Both audits of every queue. Gives the number of rows that will be dispatched again.
    pub async fn audit(&mut self) -> Result<u64, DrainError> {
        let mut rows = 0;
        for (_, spec) in &self.queues {
            rows += audit::epoch(&self.core, spec.channel(), &mut None).await?;
            rows += audit::pointers(&self.core, &spec.name).await?;
        }
        Ok(rows)
    }
}
