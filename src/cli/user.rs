//! `clipqueue user`: what users may use.

use anyhow::Context as _;
use clap::Subcommand;

use crate::{
    clock::Clock,
    config::{Config, PlanName, parse_duration, plans::plan},
    domain::{
        error::Error,
        plans::{self, Standing, usage},
    },
    service::{self, Role},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Give a user a plan, or show the one there is.
    Plan {
        /// The user's name.
        #[arg(long)]
        user: String,
        /// free, trial or paid; without it the plan is only shown.
        #[arg(value_parser = name)]
        plan: Option<PlanName>,
        /// How long the user has it, such as 14d; for good by default. Afterwards it is free.
        #[arg(long = "for", value_parser = duration, requires = "plan")]
        lasts: Option<std::time::Duration>,
    },
}

pub(super) async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = service::prepare(&config, &Role::everything(), Clock::System).await?;
    let Command::Plan { user, plan, lasts } = command;
    let (of, standing) = match plan {
        Some(plan) => {
            let end = lasts.map(|lasts| app.clock.now() + lasts);
            plans::set(&app, None, &user, plan, end).await
        }
        None => plans::of_name(&app, &user).await,
    }
    .map_err(|error| match error {
        Error::NotFound => {
            anyhow::anyhow!("there is no user {user}; `clipqueue key create` makes users")
        }
        other => other.into(),
    })?;
    let usage = usage::of(&app, of.id).await.context("counting the usage")?;
    println!("{user} has the plan {}.", shown(&standing));
    println!(
        "Posts today: {}. Stored: {} bytes in {} files.",
        of_limit(usage.posts),
        of_limit(usage.bytes),
        of_limit(usage.files)
    );
    Ok(())
}

fn shown(standing: &Standing) -> String {
    match standing.ends_at {
        Some(end) => format!(
            "{} until {} (milliseconds of UTC)",
            standing.word(),
            end.as_millis()
        ),
        None => standing.word().to_owned(),
    }
}

fn of_limit(counter: usage::Counter) -> String {
    match counter.limit {
        Some(limit) => format!("{} of {limit}", counter.used),
        None => format!("{}, without a limit", counter.used),
    }
}

fn name(text: &str) -> Result<PlanName, String> {
    plan(text).ok_or_else(|| format!("`{text}` is not free, trial or paid"))
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    parse_duration(text).ok_or_else(|| format!("`{text}` is not a duration such as 14d or 12h"))
}
