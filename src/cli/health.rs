//! `clipqueue healthcheck`: asks the running server over HTTP, for images without a shell or curl.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::config::Config;

/// A server that takes longer is not healthy.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer is some hundred bytes; a stranger at the port may send more.
const LONGEST: u64 = 64 * 1024;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Ask only whether the process answers, not whether it can do its work.
    #[arg(long)]
    live: bool,
}

pub(super) async fn run(config: &Config, options: &Options) -> anyhow::Result<()> {
    let address = reachable(config.http.admin_listen.unwrap_or(config.http.listen));
    let path = if options.live { "/livez" } else { "/readyz" };
    let answer = tokio::time::timeout(PATIENCE, ask(address, path))
        .await
        .with_context(|| format!("no answer from {address} within {PATIENCE:?}"))?
        .with_context(|| format!("asking {address}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let healthy = head.split(' ').nth(1) == Some("200");
    anyhow::ensure!(healthy, "{address}{path} says: {}", body.trim());
    println!("{}", body.trim());
    Ok(())
}

async fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Where a server that listens at `address` can be asked from this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}
