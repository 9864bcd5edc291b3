//! What runs by itself: when each cron fired, what came of it, and when it fires next.

use askama::Template;
use axum::{Extension, response::Response};

use super::{
    page::{self, Frame, Place},
    session::Visit,
    show::When,
};
use crate::domain::{error::Result, inspect};

/// A slot that passed.
struct Slot {
    when: When,
    job: Option<String>,
}

/// One cron.
struct Cron {
    name: String,
    expression: String,
    next: When,
    last: When,
    slots: Vec<Slot>,
}

#[derive(Template)]
#[template(path = "crons.html")]
struct CronsPage {
    frame: Frame,
    crons: Vec<Cron>,
}

/// The page.
pub(super) async fn show(Extension(visit): Extension<Visit>) -> Response {
    page::answer(&visit, read(&visit).await)
}

async fn read(visit: &Visit) -> Result<CronsPage> {
    let when = |at| When::new(at, visit.now);
    let crons = inspect::crons(&visit.console.app).await?;
    Ok(CronsPage {
        frame: Frame::new(visit, Place::Crons),
        crons: crons
            .into_iter()
            .map(|cron| Cron {
                name: cron.name,
                expression: cron.expression,
                next: when(cron.next),
                last: when(
                    cron.slots
                        .iter()
                        .find(|slot| slot.job.is_some())
                        .map(|slot| slot.fire_at),
                ),
                slots: cron
                    .slots
                    .into_iter()
                    .map(|slot| Slot {
                        when: when(Some(slot.fire_at)),
                        job: slot.job.map(|id| id.to_string()),
                    })
                    .collect(),
            })
            .collect(),
    })
}
