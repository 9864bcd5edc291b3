//! The background task: keeps the pipeline moving while nobody calls, and sends webhooks that are due.
//!
//! Deliveries go one after the other, so that their order is the outbox's.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::SECOND;
use crate::state::{Core, State};
use crate::webhook::{Delivery, sign};

/// A receiver that takes longer is treated as one that does not answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Runs until cancelled.
pub(crate) async fn run(core: Arc<Core>, stop: CancellationToken) {
    let mut wake = core.clock.subscribe();
    loop {
        let (ready, wait) = core.look(|state, now| {
            let ready = take(state, now);
            let next = [state.timeline.next_due(), state.outbox.next_due()];
            let wait = next.into_iter().flatten().min().map(|due| due - now);
            (ready, wait)
        });
        if let Some((delivery, url)) = ready {
            tokio::select! {
                () = send(&core, delivery, &url) => {}
                () = stop.cancelled() => return,
            }
            continue;
        }
        let pause = async {
            match wait {
                Some(ms) => {
                    // At least a millisecond: a due step was settled just now.
                    let ms = u64::try_from(ms.max(1)).unwrap_or(1);
                    tokio::time::sleep(core.clock.real(ms)).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = pause => {}
            changed = wake.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
        }
    }
}

/// The next delivery, signed, and where it goes. Without a URL it is dropped; the log keeps the event.
fn take(state: &mut State, now: i64) -> Option<(Delivery, String)> {
    let mut delivery = state.outbox.take_due(now)?;
    let config = &state.config.webhooks;
    let url = config.url.clone()?;
    if delivery.signed.is_none() || config.resign_retries {
        let secret = if config.bad_signature {
            "a secret of someone else"
        } else {
            state.config.client_secret.as_str()
        };
        delivery.signed = Some(sign(secret, now / SECOND, &delivery.body));
    }
    Some((delivery, url))
}

async fn send(core: &Core, delivery: Delivery, url: &str) {
    let signature = delivery.signed.clone().unwrap_or_default();
    let sent = core
        .http
        .post(url)
        .timeout(ANSWER_WITHIN)
        .header("Content-Type", "application/json")
        .header("TikTok-Signature", signature)
        .body(delivery.body.clone())
        .send()
        .await;
    let status = match sent {
        Ok(response) => Some(response.status().as_u16()),
        Err(error) => {
            tracing::debug!(%error, "webhook not delivered");
            None
        }
    };
    core.look(|state, now| state.delivered(delivery, status, now));
}
