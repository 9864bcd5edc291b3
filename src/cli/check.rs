//! `clipqueue config`: is the configuration valid, and what is in force?

use clap::Subcommand;

use super::Options;
use crate::config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read every layer and report every problem, each with its source.
    Check,
}

pub(super) fn run(command: &Command, options: &Options) -> anyhow::Result<()> {
    match command {
        Command::Check => {
            let config = config::load(&options.sources())?;
            for warning in &config.warnings {
                println!("warning: {warning}");
            }
            println!("The configuration is valid.");
            Ok(())
        }
    }
}
