//! The connection that listens for signals, made anew for as long as it takes.

use std::time::Duration;

use futures::StreamExt;
use redis::Client;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::CONNECTING;
use crate::queue::transport::Signal;

/// The pause between attempts to connect: well within the 5 s in which work must resume.
const RELISTEN: Duration = Duration::from_millis(250);
/// How often the listener asks whether its connection still lives.
const LISTEN_PING: Duration = Duration::from_secs(2);

/// Listens for signals until stopped, over as many connections as it takes.
pub(super) async fn listen(
    client: Client,
    timeout: Duration,
    channel: String,
    signals: broadcast::Sender<Signal>,
    stop: CancellationToken,
) {
    let listening = async {
        loop {
            if let Err(error) = listen_once(&client, timeout, &channel, &signals).await {
                tracing::debug!(%error, "not listening to Redis");
            }
            tokio::time::sleep(RELISTEN).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = listening => {}
    }
}

async fn listen_once(
    client: &Client,
    timeout: Duration,
    channel: &str,
    signals: &broadcast::Sender<Signal>,
) -> anyhow::Result<()> {
    let mut pubsub =
        tokio::time::timeout(timeout / CONNECTING, client.get_async_pubsub()).await??;
    tokio::time::timeout(timeout, pubsub.subscribe(channel)).await??;
    let (mut sink, mut stream) = pubsub.split();
    // Whoever hears this looks for itself, since signals were missed.
    let _ = signals.send(Signal::Reconnected);
    let mut ping = tokio::time::interval(LISTEN_PING);
    loop {
        tokio::select! {
            message = stream.next() => {
                let Some(message) = message else { anyhow::bail!("the connection ended") };
                let payload: String = message.get_payload()?;
                if let Some(signal) = signal(&payload) {
                    let _ = signals.send(signal);
                }
            }
            _ = ping.tick() => {
                tokio::time::timeout(timeout, sink.ping::<redis::Value>()).await??;
            }
        }
    }
}

fn signal(payload: &str) -> Option<Signal> {
    if let Some(queue) = payload.strip_prefix('w') {
        return Some(Signal::Work(queue.to_owned()));
    }
    let (topic, payload) = payload.strip_prefix('t')?.split_once('\n')?;
    Some(Signal::Message {
        topic: topic.to_owned(),
        payload: payload.to_owned(),
    })
}
