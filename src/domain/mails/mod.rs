//! Letters to people: written in the transaction of their cause, sent by a job.
//!
//! A cause has one letter, whoever writes it how often. Address and text lie sealed in the row until a
//! server took the letter, and are gone with it. A try whose answer was lost is repeated under the same
//! name (`Message-ID`), by which servers and readers know it for the same letter. Where letters are files
//! ([`files`]), those go with their rows. This knows no rule about when somebody is written to.

pub mod files;
pub mod letters;

use clipqueue_entities::{
    MailId, Sealed, UserId,
    mail::{self, MailState},
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QuerySelect as _, sea_query::OnConflict,
};
use secrecy::{ExposeSecret as _, SecretString};

use self::letters::Content;
use super::error::Result;
use crate::{
    app::App,
    job::{Job, OUTBOUND},
    mail::{Letter, NotSent},
    secrets::Place,
};

/// Letters whose jobs are asked for in one go.
const BATCH: u64 = 200;

/// Whom a letter is for and about.
#[derive(Clone, Debug)]
pub struct To<'a> {
    /// The address.
    pub address: &'a SecretString,
    /// The user whom it is about, if it is one.
    pub user: Option<UserId>,
}

/// Writes a letter, unless this cause has one. After the commit nudge the queue of what goes out.
pub async fn write_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    cause: &str,
    to: To<'_>,
    content: &Content,
) -> Result<()> {
    let (id, now) = (MailId::new(), app.clock.now());
    let name = id.to_string();
    let text = serde_json::to_vec(content).map_err(anyhow::Error::from)?;
    let key = app.vault.application();
    let address = to.address.expose_secret().as_bytes();
    let row = mail::Model {
        id,
        cause: cause.to_owned(),
        kind: content.kind().to_owned(),
        user_id: to.user,
        recipient_sealed: Some(key.seal(place(&name, "recipient"), address)),
        content_sealed: Some(key.seal(place(&name, "content"), &text)),
        state: MailState::Waiting,
        last_error: None,
        created_at: now,
        ended_at: None,
    };
    let written = mail::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(
            OnConflict::column(mail::Column::Cause)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    if written == 1 {
        app.enqueue_in_tx(tx, Job::SendMail { mail_id: id }, None)
            .await?;
    }
    Ok(())
}

/// Wakes the workers after letters were committed.
pub fn written(app: &App) {
    app.nudge(OUTBOUND);
}

/// A letter that is to be handed over; nothing, when it was or nobody wants it any more.
pub async fn prepare(app: &App, id: MailId) -> Result<Option<Letter>> {
    let row = mail::Entity::find_by_id(id).one(app.db.read()).await?;
    let Some(row) = row.filter(|row| row.state == MailState::Waiting) else {
        return Ok(None);
    };
    let (Some(recipient), Some(content)) = (&row.recipient_sealed, &row.content_sealed) else {
        return Ok(None);
    };
    let name = id.to_string();
    let to = open(app, &name, "recipient", recipient)?;
    let content = open(app, &name, "content", content)?;
    let content: Content =
        serde_json::from_str(content.expose_secret()).map_err(anyhow::Error::from)?;
    Ok(Some(Letter {
        to: to.expose_secret().to_owned(),
        subject: content.subject().to_owned(),
        text: content.text()?,
        name,
    }))
}

/// What becomes of a letter after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing more.
    Over,
    /// It is tried again.
    Again,
}

/// Writes down how a try ended. After the last one a letter is given up.
pub async fn record(
    app: &App,
    id: MailId,
    ended: &std::result::Result<(), NotSent>,
    is_last: bool,
) -> Result<Next> {
    let (state, word) = match ended {
        Ok(()) => (MailState::Sent, None),
        Err(error @ NotSent::Never(_)) => (MailState::Failed, Some(error.word())),
        Err(error) if is_last => (MailState::Failed, Some(error.word())),
        Err(error) => (MailState::Waiting, Some(error.word())),
    };
    let mut change = mail::ActiveModel {
        state: Set(state),
        last_error: Set(word.map(str::to_owned)),
        ..Default::default()
    };
    if state != MailState::Waiting {
        change.recipient_sealed = Set(None);
        change.content_sealed = Set(None);
        change.ended_at = Set(Some(app.clock.now()));
    }
    mail::Entity::update_many()
        .set(change)
        .filter(mail::Column::Id.eq(id))
        .filter(mail::Column::State.eq(MailState::Waiting))
        .exec(app.db.write())
        .await?;
    let outcome = match state {
        MailState::Sent => "sent",
        MailState::Failed => "failed",
        MailState::Waiting => "again",
    };
    metrics::counter!("clipqueue_mails_total", "outcome" => outcome).increment(1);
    if state == MailState::Failed {
        tracing::error!(mail.id = %id, why = word, "a letter was given up");
    }
    Ok(match state {
        MailState::Waiting => Next::Again,
        MailState::Sent | MailState::Failed => Next::Over,
    })
}

/// Sees to it that every letter that waits has its job.
pub async fn sweep(app: &App) -> Result<()> {
    let waiting: Vec<MailId> = mail::Entity::find()
        .select_only()
        .column(mail::Column::Id)
        .filter(mail::Column::State.eq(MailState::Waiting))
        .limit(BATCH)
        .into_tuple()
        .all(app.db.read())
        .await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let tx = app.db.begin().await?;
    let jobs = waiting
        .into_iter()
        .map(|mail_id| (Job::SendMail { mail_id }, None));
    // One that is live already is not enqueued again.
    app.enqueue_many_in_tx(&tx, jobs.collect()).await?;
    tx.commit().await?;
    written(app);
    Ok(())
}

fn open(app: &App, row: &str, column: &'static str, sealed: &Sealed) -> Result<SecretString> {
    let opened = app
        .vault
        .application()
        .open_text(place(row, column), sealed);
    Ok(opened.map_err(anyhow::Error::from)?)
}

fn place<'a>(row: &'a str, column: &'static str) -> Place<'a> {
    Place {
        table: "mails",
        column,
        row,
        version: 0,
    }
}
