//! Ending the jobs of whom is erased: those that wait are cancelled, those that run are asked to stop and
//! waited for.

use clipqueue_entities::erasure;
use serde_json::{Value, json};

use super::lanes;
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{error::Result, exports},
    job::Job,
    queue::ledger,
};

/// Whether anything still runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Quiet {
    /// Nothing does. What was done, in numbers.
    Yes(Value),
    /// So many jobs do; look again soon.
    NotYet(u64),
}

/// A refresh that was sent is never stopped: its answer holds the only pair of tokens that can still be
/// revoked. One that waits ends by itself at the fence.
fn stopped_kinds() -> Vec<&'static str> {
    let kept = ["refresh_token"];
    Job::KINDS
        .into_iter()
        .filter(|kind| !kept.contains(kind))
        .collect()
}

/// Cancels what waits and asks what runs to stop. Repeat it until it is quiet.
pub async fn cancel_jobs(app: &App, erasure: &erasure::Model) -> Result<Quiet> {
    let kinds = stopped_kinds();
    // Archives hold what is to be erased; whoever writes one finds that nobody wants it.
    if let Some(user) = erasure.user_id {
        exports::wipe(app, user).await?;
    }
    let mut running = 0;
    let lanes = lanes(app, erasure).await?;
    for lane in &lanes {
        let tx = app.db.begin().await?;
        let asked = ledger::cancel_lane(&tx, app.clock.now(), lane, &kinds).await?;
        crash::commit(tx, Commit::RowsErased).await?;
        app.queue.announce_stops(&asked).await;
        running += ledger::running_in_lane(app.db.read(), lane).await?;
    }
    if running > 0 {
        return Ok(Quiet::NotYet(running));
    }
    Ok(Quiet::Yes(json!({ "lanes": lanes.len() })))
}
