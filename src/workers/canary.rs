//! `Canary`: proves that its queue runs what it is given, and says how long that took.

use super::Step;
use crate::{app::App, domain::canaries, queue::Claimed, telemetry::CANARY_SECONDS};

pub(super) async fn run(app: &App, queue: &str, job: &Claimed) -> Step {
    let latency = canaries::came_back(app, queue, job.created_at, job.started_at).await?;
    metrics::histogram!(CANARY_SECONDS, "queue" => queue.to_owned()).record(latency);
    Ok(())
}
