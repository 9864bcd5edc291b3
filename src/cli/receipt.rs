//! `clipqueue receipt`: verifying receipts without asking anybody.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::Value;

use crate::domain::erasure::receipt;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Verify a signed receipt. Needs no server, no database and no configuration.
    Verify {
        /// The receipt, as the status page gives it.
        file: PathBuf,
        /// The issuer's keys, saved from /.well-known/clipqueue-receipt-keys.json.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    let Command::Verify { file, keys } = command;
    let document = read(file)?;
    // What the status page answers holds the signed receipt.
    let document = match &document["receipt"] {
        inner if inner.get("signature").is_some() => inner.clone(),
        _ => document,
    };
    let body = receipt::verify(&document, &read(keys)?)?;
    println!(
        "The receipt is genuine: {}",
        body["issuer"].as_str().unwrap_or_default()
    );
    for step in body["steps"].as_array().into_iter().flatten() {
        let (name, at) = (step["step"].as_str(), step["done_at"].as_str());
        println!(
            "  {}  {:14}  {}",
            at.unwrap_or_default(),
            name.unwrap_or_default(),
            step["counts"]
        );
    }
    let handed = body["handed_to_tiktok_before"]
        .as_array()
        .map_or(0, Vec::len);
    println!("Handed to TikTok before, and still there: {handed}");
    for stays in body["stays"].as_array().into_iter().flatten() {
        println!(
            "Stays until {}: {}",
            stays["until"].as_str().unwrap_or("no set time"),
            stays["what"].as_str().unwrap_or_default()
        );
    }
    Ok(())
}

pub(super) fn read(path: &Path) -> anyhow::Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}
