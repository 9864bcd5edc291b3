//! `AuditDrift`: compares rows, transport and TikTok, and writes down what it found.

use super::Step;
use crate::{app::App, domain::drift, queue::Lease};

pub(super) async fn run(app: &App, lease: &Lease) -> Step {
    drift::audit(app, lease).await?;
    Ok(())
}
