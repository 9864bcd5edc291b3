//! `clipqueue migrate`: the schema, up, down, and how it stands.

use clap::Subcommand;
use secrecy::ExposeSecret as _;

use crate::{
    config::Config,
    db::Db,
    migrate::{self, Direction},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Apply every pending migration.
    Up,
    /// Take the newest migrations back. What they stored is lost.
    Down {
        /// How many.
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// List pending migrations; fails when there are some.
    Status,
}

pub(super) async fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Up => {
            migrate::run(&config.database.url, Direction::Up).await?;
            println!("The schema is up to date.");
        }
        Command::Down { steps } => {
            migrate::run(&config.database.url, Direction::Down(steps)).await?;
            println!("{steps} migration(s) were taken back.");
        }
        Command::Status => {
            let db = Db::connect(config.database.url.expose_secret(), 2).await?;
            let pending = migrate::pending(&db).await?;
            anyhow::ensure!(
                pending.is_empty(),
                "pending: {}; run `clipqueue migrate up`",
                pending.join(", ")
            );
            println!("Nothing is pending.");
        }
    }
    Ok(())
}
