//! stub
#![allow(missing_docs)]
#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(long)]
    exit: bool,
}
pub async fn run(_options: Options) -> anyhow::Result<()> {
    Ok(())
}
