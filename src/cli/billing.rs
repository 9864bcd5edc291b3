//! `clipqueue billing`: what the books need of subscriptions whose users were erased.

use std::io::Write as _;

use clap::Subcommand;
use clipqueue_entities::Timestamp;
use serde_json::json;

use crate::{
    clock::Clock,
    config::Config,
    domain::{billing::keep, erasure::receipt::instant},
    service::{self, Role},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print each record as a JSON line: PayPal's id, status, and the ends of period, grace and access.
    Records,
}

pub(super) async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = service::prepare(&config, &Role::everything(), Clock::System).await?;
    let Command::Records = command;
    let at = |at: Option<Timestamp>| at.map(instant);
    let mut out = std::io::stdout().lock();
    for (record, keep_until) in keep::records(&app).await? {
        let line = json!({
            "paypal_id": record.paypal_id,
            "status": record.status,
            "paid_until": at(record.paid_until),
            "grace_until": at(record.grace_until),
            "cutoff_at": at(record.cutoff_at),
            "keep_until": instant(keep_until),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
