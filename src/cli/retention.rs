//! `clipqueue retention`: what would be deleted by age, and deleting it before its hour.

use clap::Subcommand;
use clipqueue_entities::Timestamp;

use crate::{
    clock::Clock,
    config::Config,
    domain::retention::{self, Depth},
    service::{self, Role},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say for each rule how much would go now and how old the oldest of it is. Changes nothing.
    Plan {
        /// Look into the store of media, too: at every object, which may take a while.
        #[arg(long)]
        objects: bool,
    },
    /// Delete what is due now, log files of this machine among it, and say how much went by each rule.
    Prune,
}

pub(super) async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let app = service::prepare(&config, &Role::everything(), Clock::System).await?;
    match command {
        Command::Plan { objects } => {
            let depth = if objects { Depth::Objects } else { Depth::Rows };
            println!(
                "{:19} {:>9} {:>9}  {:25} {:28} what",
                "rule", "due", "kept", "oldest", "setting"
            );
            for due in retention::plan(&app, depth).await? {
                println!(
                    "{:19} {:>9} {:>8}h  {:25} {:28} {}",
                    due.rule.name,
                    due.due.count,
                    due.keep.as_secs() / 3600,
                    due.due.oldest.map(instant).unwrap_or_default(),
                    due.rule.setting.unwrap_or("fixed"),
                    due.rule.what,
                );
            }
        }
        Command::Prune => {
            for (rule, removed) in retention::prune(&app).await?.0 {
                println!("{rule:22} {removed:>9}");
            }
        }
    }
    Ok(())
}

fn instant(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_millis(at.as_millis())
        .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
        .unwrap_or_default()
}
