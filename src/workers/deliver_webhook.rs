//! `DeliverWebhook`: tells a user's address of an event, again and again for three days.

use clipqueue_entities::WebhookDeliveryId;
use tokio::time::Instant;

use super::{Halt, Step, prove};
use crate::{
    app::App,
    domain::webhooks::deliver::{self, Next, Prepared},
    queue::Lease,
};

pub(super) async fn run(app: &App, lease: &Lease, id: WebhookDeliveryId) -> Step {
    let message = match deliver::prepare(app, id).await? {
        Prepared::Over => return Ok(()),
        Prepared::Wait(wait) => return Err(Halt::snooze(wait)),
        Prepared::Send(message) => message,
    };
    // A worker that lost its job would tell the same twice at the same time.
    prove(lease, app).await?;
    let begun = Instant::now();
    let (headers, body) = (&message.headers, message.body.clone());
    let answer = app.fetch.post(&message.url, headers, body).await;
    match deliver::record(app, *message, answer, begun.elapsed()).await? {
        Next::Over => Ok(()),
        Next::Again(wait) => Err(Halt::snooze(wait)),
    }
}
