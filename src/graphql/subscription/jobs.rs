//! Jobs as they change. Notices say where to look; what is given is always read from the table.

use std::{collections::VecDeque, time::Duration};

use async_graphql::Result;
use clipqueue_entities::{JobId, Timestamp};
use futures::{StreamExt as _, stream, stream::BoxStream};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    app::App,
    domain::{error::Error, operators},
    graphql::{types::job::Job, user_error::raise},
    queue::{JobChange, ledger::JobFilter},
};

/// A job is looked at again after this time without a notice.
const NET: Duration = Duration::from_secs(15);
/// Jobs looked at when it is not told which of many changed.
const GLANCE: u64 = 100;

struct Watch {
    app: App,
    id: Option<JobId>,
    queue: Option<String>,
    changes: Receiver<JobChange>,
    /// Jobs that were read and not given yet.
    ready: VecDeque<Job>,
    /// What was given last of the one job.
    last: Option<Job>,
    /// Changes before this instant were given, or came before the start.
    seen: Timestamp,
}

/// What a notice says to do.
enum Look {
    At(JobId),
    Around,
}

/// The job `id` at once and after each change, or every job of `queue` that changes, or every job.
pub(super) async fn watch(
    app: App,
    id: Option<JobId>,
    queue: Option<String>,
) -> Result<BoxStream<'static, Result<Job>>> {
    let mut watch = Watch {
        changes: app.queue.changes(),
        seen: app.clock.now(),
        ready: VecDeque::new(),
        last: None,
        app,
        id,
        queue,
    };
    if let Some(id) = id {
        let job = operators::job(&watch.app, id).await;
        let job = Job(job.map_err(|error| raise("Job", error))?);
        watch.last = Some(job.clone());
        watch.ready.push_back(job);
    }
    Ok(stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        match watch.next().await {
            Ok(job) => Some((Ok(job), Some(watch))),
            Err(error) => Some((Err(raise("Job", error)), None)),
        }
    })
    .boxed())
}

impl Watch {
    async fn next(&mut self) -> Result<Job, Error> {
        loop {
            if let Some(job) = self.ready.pop_front() {
                return Ok(job);
            }
            match self.notice().await {
                Look::At(id) => self.read(id).await?,
                Look::Around => match self.id {
                    Some(id) => self.read(id).await?,
                    None => self.glance().await?,
                },
            }
        }
    }

    async fn read(&mut self, id: JobId) -> Result<(), Error> {
        match operators::job(&self.app, id).await {
            Ok(row) if self.last.as_ref().is_none_or(|last| last.0 != row) => {
                let job = Job(row);
                self.last = self.id.map(|_| job.clone());
                self.ready.push_back(job);
                Ok(())
            }
            // Unchanged, or deleted by age.
            Ok(_) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads the newest jobs and takes those that changed since the last look.
    async fn glance(&mut self) -> Result<(), Error> {
        let filter = JobFilter {
            queue: self.queue.clone(),
            ..JobFilter::default()
        };
        let seen = self.seen;
        self.seen = self.app.clock.now();
        let rows = operators::jobs(&self.app, &filter, None, false, GLANCE).await?;
        let changed = rows.into_iter().filter(|row| row.updated_at >= seen);
        self.ready.extend(changed.map(Job));
        Ok(())
    }

    /// Waits for a reason to look.
    async fn notice(&mut self) -> Look {
        let net = self.app.clock.sleep(NET);
        tokio::pin!(net);
        loop {
            let change = tokio::select! {
                // Without a notice only the one job is worth a look.
                () = &mut net, if self.id.is_some() => return Look::Around,
                change = self.changes.recv() => change,
            };
            match change {
                Ok(change) => {
                    let here = self
                        .queue
                        .as_ref()
                        .is_none_or(|queue| *queue == change.queue);
                    match (change.id, self.id) {
                        _ if !here => {}
                        (Some(id), None) => return Look::At(id),
                        (Some(id), Some(wanted)) if id == wanted => return Look::At(id),
                        (Some(_), Some(_)) => {}
                        (None, _) => return Look::Around,
                    }
                }
                Err(RecvError::Lagged(_)) => return Look::Around,
                // The queue is gone: nothing more can be told.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
