//! `SendMail`: hands a letter to the mail server.

use clipqueue_entities::MailId;

use super::{Halt, Step, prove};
use crate::{
    app::App,
    domain::mails::{self, Next},
    queue::Lease,
};

pub(super) async fn run(app: &App, lease: &Lease, id: MailId, is_last: bool) -> Step {
    let Some(letter) = mails::prepare(app, id).await? else {
        return Ok(());
    };
    // A worker that lost its job would hand over the same letter at the same time.
    prove(lease, app).await?;
    let ended = app.mail.send(&letter).await;
    match (mails::record(app, id, &ended, is_last).await?, ended) {
        (Next::Again, Err(error)) => Err(Halt::retry(error)),
        _ => Ok(()),
    }
}
