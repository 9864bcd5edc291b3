//! The command line: one subcommand a file, and the options that all of them share.

mod audit;
mod billing;
mod check;
mod deletion;
mod doctor;
mod erasure;
mod health;
mod key;
mod migrate;
mod operator;
mod receipt;
mod retention;
mod roles;
mod user;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::{
    config::{self, Config, Sources},
    telemetry,
};

/// A self-hosted backend for posting to TikTok: a durable job daemon and a GraphQL API.
#[derive(Debug, Parser)]
#[command(name = "clipqueue", version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Args)]
struct Options {
    /// A configuration file; may be given several times, later files win.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "CLIPQUEUE_CONFIG",
        value_delimiter = ':'
    )]
    config: Vec<PathBuf>,
    /// One setting, such as --set http.listen=127.0.0.1:9000; wins over files and environment.
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API and work on every queue, in one process.
    Serve,
    /// Serve the API only; workers run elsewhere.
    Api,
    /// Work on queues only.
    Worker {
        /// The queues, separated by commas; all of them by default.
        #[arg(long, value_delimiter = ',')]
        queues: Vec<String>,
    },
    /// Run the whole product against the simulator and post a video, in one command.
    Demo(crate::demo::Options),
    /// Run the TikTok simulator as a process of its own.
    Sim(roles::SimOptions),
    /// Break everything by a seed, on this machine, and let the simulator judge.
    Torture(crate::torture::Options),
    /// Apply, take back or list database migrations.
    #[command(subcommand)]
    Migrate(migrate::Command),
    /// Print the GraphQL schema.
    Schema,
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Key(key::Command),
    /// Say who runs the installation, and how much each may do.
    #[command(subcommand)]
    Operator(operator::Command),
    /// Give users plans.
    #[command(subcommand)]
    User(user::Command),
    /// Delete people's data, search for what is left, apply tombstones again.
    #[command(subcommand)]
    Erasure(erasure::Command),
    /// Look at requests for deletion by people who cannot sign in, and approve or refuse them.
    #[command(subcommand)]
    Deletion(deletion::Command),
    /// See what is kept of the subscriptions of erased users.
    #[command(subcommand)]
    Billing(billing::Command),
    /// Verify receipts of erasures.
    #[command(subcommand)]
    Receipt(receipt::Command),
    /// Verify and export the record of what operators did.
    #[command(subcommand)]
    Audit(audit::Command),
    /// See what would be deleted by age.
    #[command(subcommand)]
    Retention(retention::Command),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(check::Command),
    /// Check everything that the server needs, and say what to do about what is wrong.
    Doctor,
    /// Measure the queue.
    #[command(subcommand)]
    Bench(crate::bench::Command),
    /// Ask the server of this configuration whether it is ready; fails when it is not. For containers.
    Healthcheck(health::Options),
}

/// Runs the command.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(dispatch(cli))
}

async fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let options = cli.options;
    match cli.command {
        Command::Schema => {
            print!("{}", crate::graphql::sdl());
            Ok(())
        }
        Command::Sim(sim) => roles::sim(sim).await,
        Command::Demo(demo) => Box::pin(crate::demo::run(demo)).await,
        Command::Torture(torture) => Box::pin(crate::torture::run(torture)).await,
        Command::Config(command) => check::run(&command, &options),
        Command::Serve => Box::pin(roles::serve(load_to_stay(&options)?)).await,
        Command::Api => Box::pin(roles::api(load_to_stay(&options)?)).await,
        Command::Worker { queues } => {
            Box::pin(roles::worker(load_to_stay(&options)?, queues)).await
        }
        Command::Migrate(command) => migrate::run(&load(&options)?, command).await,
        Command::Key(command) => Box::pin(key::run(load(&options)?, command)).await,
        Command::Operator(command) => Box::pin(operator::run(load(&options)?, command)).await,
        Command::User(command) => Box::pin(user::run(load(&options)?, command)).await,
        Command::Erasure(command) => Box::pin(erasure::run(load(&options)?, command)).await,
        Command::Deletion(command) => Box::pin(deletion::run(load(&options)?, command)).await,
        Command::Billing(command) => Box::pin(billing::run(load(&options)?, command)).await,
        Command::Receipt(command) => receipt::run(&command),
        Command::Audit(command) => Box::pin(audit::run(load(&options)?, command)).await,
        Command::Retention(command) => Box::pin(retention::run(load(&options)?, command)).await,
        Command::Bench(command) => crate::bench::run(command).await,
        Command::Doctor => Box::pin(doctor::run(load(&options)?)).await,
        Command::Healthcheck(ask) => health::run(&load(&options)?, &ask).await,
    }
}

impl Options {
    fn sources(&self) -> Sources {
        Sources {
            files: self.config.clone(),
            environment: true,
            settings: self.set.clone(),
        }
    }
}

/// For a command that answers on standard output and ends.
fn load(options: &Options) -> anyhow::Result<Config> {
    let config = config::load(&options.sources())?;
    telemetry::init_beside_output(&config.log)?;
    Ok(config)
}

/// For a command that stays, whose output is its log.
fn load_to_stay(options: &Options) -> anyhow::Result<Config> {
    let config = config::load(&options.sources())?;
    telemetry::init(&config.log)?;
    Ok(config)
}

fn setting(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "it must be KEY=VALUE, such as http.listen=127.0.0.1:9000".to_owned())
}
