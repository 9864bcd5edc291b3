//! `BulkAct`: carries an operator's act on many jobs out, batch after batch.

use std::time::Duration;

use clipqueue_entities::BulkActId;
use serde_json::json;

use super::{Halt, Step};
use crate::{app::App, domain::bulk, queue::Lease};

/// Batches of one run. The rest follows at once; meanwhile other jobs of the queue get a turn.
const BATCHES: usize = 50;

pub(super) async fn run(app: &App, lease: &Lease, id: BulkActId) -> Step {
    for _ in 0..BATCHES {
        if lease.is_cancelled() {
            return Err(Halt::retry(anyhow::anyhow!(
                "told to stop between two batches"
            )));
        }
        let advanced = bulk::advance(app, lease, id).await?;
        let act = advanced.act;
        let progress = json!({ "done": act.done, "failed": act.failed, "total": act.matched });
        lease
            .progress(progress)
            .await
            .map_err(anyhow::Error::from)?;
        if advanced.over {
            return Ok(());
        }
    }
    Err(Halt::snooze(Duration::ZERO))
}
