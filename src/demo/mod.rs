//! `clipqueue demo`: the whole product against the simulator, in one command.
//!
//! It starts TikTok's simulator and the daemon, then does what a front end does, over the wire:
//! connects a creator through the consent page, uploads a video and a photo by tus, asks for an inbox
//! draft, a direct post, a photo post and a scheduled one, and shows their timelines from a GraphQL
//! subscription, and the counters of what was published. Then another user posts once and deletes their
//! account: the demo verifies the receipt and searches for what may have stayed. With `--exit` it ends
//! by itself, with an error unless everything went as it should and the simulator saw no broken rule.
//!
//! Everything is kept in a directory of its own that is removed afterwards. `DATABASE_URL` and
//! `REDIS_URL` switch to real servers.

mod client;
mod counters;
mod events;
mod leaving;
mod stage;
mod story;

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use stage::Stage;

/// What has not ended by then has failed the demo.
const PATIENCE: Duration = Duration::from_secs(90);

/// Options of `clipqueue demo`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// End when every post has ended, with an error unless each ended as it should.
    #[arg(long)]
    exit: bool,
    /// PostgreSQL or SQLite to use instead of a fresh SQLite file.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Redis to use instead of the memory transport.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// The port of the API; any free one when it is taken.
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

/// Runs the demo.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let stage = Stage::set(&options).await?;
    stage.introduce();
    let told = tokio::time::timeout(PATIENCE, async {
        story::tell(&stage).await?;
        leaving::tell(&stage).await
    })
    .await
    .context("the demo did not end in time")
    .and_then(|told| told);
    if let Err(error) = &told {
        eprintln!("\nThe demo failed: {error:#}");
    }
    let verdict = stage.verdict();
    if options.exit {
        stage.leave().await?;
        told?;
        return verdict;
    }
    println!("\nStill running; the addresses:");
    stage.introduce();
    println!("Press Ctrl-C to end.");
    crate::service::stop_signal().await;
    stage.leave().await?;
    told?;
    verdict
}
