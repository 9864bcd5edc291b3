//! The term of a request: reminders before it ends, and the end of what nobody proved.

use std::time::Duration;

use clipqueue_entities::{
    DeletionRequestId, Timestamp,
    deletion_request::{self as request, RequestState},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
};
use secrecy::SecretString;

use super::{cause, code, day, email, proof};
use crate::{
    app::App,
    domain::{
        error::Result,
        mails::{self, To, letters::Content},
    },
    job::{Job, STATUS},
};

/// Days before the end at which reminders go out, the last first.
pub const REMINDERS: [i32; 3] = [1, 3, 7];
/// Requests that are read at once.
const BATCH: u64 = 200;
/// The sweep looks every minute; what is still there after this it could not mend.
const LATE: Duration = Duration::from_secs(600);

/// Sees to everything whose time has come. A request that cannot be seen to keeps no other waiting.
pub async fn sweep(app: &App) -> Result<()> {
    let now = app.clock.now();
    let soon = now + Duration::from_secs(7 * 86_400);
    let (mut failure, mut after) = (None, None);
    // Those that wait for their next reminder stay among them: every page has its turn.
    'all: loop {
        let page = page(app, &[RequestState::Open, RequestState::Proven], after).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = Some((last.due_at, last.id));
        for row in page {
            if row.due_at > soon {
                break 'all;
            }
            let seen = if row.state == RequestState::Open && row.due_at <= now {
                lapse(app, &row).await
            } else {
                remind(app, &row, now).await
            };
            if let Err(error) = seen {
                tracing::error!(request.id = %row.id, ?error, "a request for deletion could not be seen to");
                failure.get_or_insert(error);
            }
        }
    }
    look_on(app).await?;
    match failure {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

/// The next requests in these states, those whose term ends first before others.
async fn page(
    app: &App,
    states: &[RequestState],
    after: Option<(Timestamp, DeletionRequestId)>,
) -> Result<Vec<request::Model>> {
    let mut requests = request::Entity::find()
        .filter(request::Column::State.is_in(states.iter().copied()))
        .cursor_by((request::Column::DueAt, request::Column::Id));
    if let Some(last) = after {
        requests.after(last);
    }
    Ok(requests.first(BATCH).all(app.db.read()).await?)
}

/// Sees to it that every open request has its job.
async fn look_on(app: &App) -> Result<()> {
    let mut after = None;
    loop {
        let page = page(app, &[RequestState::Open], after).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some((last.due_at, last.id));
        let open = page.iter().filter(|row| row.details_sealed.is_some());
        let jobs: Vec<_> = open
            .map(|row| {
                let first = row.requested_at + super::look::FIRST;
                (Job::LookAtProfile { request_id: row.id }, Some(first))
            })
            .collect();
        if jobs.is_empty() {
            continue;
        }
        let tx = app.db.begin().await?;
        // One that is live already is not enqueued again.
        app.enqueue_many_in_tx(&tx, jobs).await?;
        tx.commit().await?;
        app.nudge(STATUS);
    }
}

/// The smallest of the reminders whose time has come.
fn stage(due: Timestamp, now: Timestamp) -> Option<i32> {
    REMINDERS.into_iter().find(|days| {
        let before = Duration::from_secs(u64::from(days.unsigned_abs()) * 86_400);
        due <= now + before
    })
}

async fn remind(app: &App, row: &request::Model, now: Timestamp) -> Result<()> {
    let Some(stage) = stage(row.due_at, now) else {
        return Ok(());
    };
    if row.reminded.is_some_and(|last| last <= stage) {
        return Ok(());
    }
    let is_proven = row.state == RequestState::Proven;
    let due = day(row.due_at);
    let page: String = app.deletion_request_url(&code(app, row.id)).into();
    let tx = app.db.begin().await?;
    if let Some(address) = email(app, row)? {
        let content = match is_proven {
            true => Content::DeletionRuns {
                page,
                due: due.clone(),
            },
            false => Content::DeletionUnproven {
                page,
                proof: proof(app, row.id),
                due: due.clone(),
            },
        };
        let to = To {
            address: &address,
            user: None,
        };
        let cause = cause(row.id, &format!("reminder:{stage}"));
        mails::write_in_tx(app, &tx, &cause, to, &content).await?;
    }
    let content = Content::DeletionDue {
        request: row.id.to_string(),
        due,
        proven: is_proven,
    };
    for (at, operator) in app.config.mail.operators.iter().enumerate() {
        let address = SecretString::from(operator.clone());
        let to = To {
            address: &address,
            user: None,
        };
        let cause = cause(row.id, &format!("operator:{at}:{stage}"));
        mails::write_in_tx(app, &tx, &cause, to, &content).await?;
    }
    request::Entity::update_many()
        .set(request::ActiveModel {
            reminded: Set(Some(stage)),
            ..Default::default()
        })
        .filter(request::Column::Id.eq(row.id))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    mails::written(app);
    tracing::warn!(request.id = %row.id, days = stage, proven = is_proven, "a request for deletion comes due");
    Ok(())
}

async fn lapse(app: &App, row: &request::Model) -> Result<()> {
    let again = app.deletion_form_url().into();
    let letter = Content::DeletionLapsed { again };
    let lapsed = (RequestState::Lapsed, "lapsed");
    end(app, app.db.begin().await?, row, lapsed, &letter).await?;
    Ok(())
}

/// Ends an open request that nothing is deleted for, tells its sender, and deletes what they wrote.
/// False, and nothing done, when it is not open any more.
pub(super) async fn end(
    app: &App,
    tx: sea_orm::DatabaseTransaction,
    row: &request::Model,
    (state, word): (RequestState, &str),
    letter: &Content,
) -> Result<bool> {
    let changed = request::Entity::update_many()
        .set(request::ActiveModel {
            state: Set(state),
            details_sealed: Set(None),
            email_sealed: Set(None),
            name_hash: Set(None),
            ended_at: Set(Some(app.clock.now())),
            ..Default::default()
        })
        .filter(request::Column::Id.eq(row.id))
        .filter(request::Column::State.eq(RequestState::Open))
        .exec(&tx)
        .await?;
    if changed.rows_affected != 1 {
        tx.rollback().await?;
        return Ok(false);
    }
    if let Some(address) = email(app, row)? {
        let to = To {
            address: &address,
            user: None,
        };
        mails::write_in_tx(app, &tx, &cause(row.id, word), to, letter).await?;
    }
    let job = Job::LookAtProfile { request_id: row.id };
    app.cancel_job_in_tx(&tx, &job).await?;
    tx.commit().await?;
    mails::written(app);
    tracing::info!(request.id = %row.id, state = word, "a request for deletion is over");
    Ok(true)
}

/// Requests that are past their term and not over.
pub async fn overdue(app: &App) -> Result<u64> {
    Ok(request::Entity::find()
        .filter(request::Column::State.is_in([RequestState::Open, RequestState::Proven]))
        .filter(request::Column::DueAt.lt(app.clock.now() - LATE))
        .count(app.db.read())
        .await?)
}

/// Requests that are not over, by whether they were proved.
pub async fn pending(app: &App) -> Result<[(&'static str, u64); 2]> {
    let count = |state: RequestState| {
        request::Entity::find()
            .filter(request::Column::State.eq(state))
            .count(app.db.read())
    };
    Ok([
        ("open", count(RequestState::Open).await?),
        ("proven", count(RequestState::Proven).await?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reminders_come_a_week_three_days_and_a_day_before() {
        let at = |days: i64| Timestamp::from_secs(days * 86_400);
        let stages: Vec<_> = (20..32).map(|now| stage(at(30), at(now))).collect();
        let week = Some(7);
        assert_eq!(stages[..3], [None, None, None]);
        assert_eq!(stages[3..7], [week; 4]);
        assert_eq!(stages[7..9], [Some(3); 2]);
        assert_eq!(stages[9..], [Some(1); 3]);
    }
}
