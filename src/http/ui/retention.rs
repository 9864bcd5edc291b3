//! What is deleted by age: how long each rule keeps things, how much would go now, and how much went lately.

use std::time::Duration;

use askama::Template;
use axum::{Extension, response::Response};

use super::{
    page::{self, Frame, Place},
    session::Visit,
    show::{Number, Span, When},
};
use crate::domain::{
    error::Result,
    retention::{self, Day, Depth},
};

/// Days that are counted together.
const DAYS: u64 = 7;

/// One rule.
struct Rule {
    name: &'static str,
    what: &'static str,
    /// The key of its setting, in the parts between which a line may break.
    setting: Option<Vec<&'static str>>,
    keep: Span,
    due: Number,
    oldest: When,
    went: Number,
}

#[derive(Template)]
#[template(path = "retention.html")]
struct RetentionPage {
    frame: Frame,
    days: u64,
    rules: Vec<Rule>,
}

/// The page.
pub(super) async fn show(Extension(visit): Extension<Visit>) -> Response {
    page::answer(&visit, read(&visit).await)
}

async fn read(visit: &Visit) -> Result<RetentionPage> {
    let app = &visit.console.app;
    let plan = retention::plan(app, Depth::Rows).await?;
    let days = retention::days(app, visit.now - Duration::from_secs((DAYS - 1) * 86_400)).await?;
    let went = |name: &str| {
        let of = |day: &&Day| day.rule == name;
        let removed: i64 = days.iter().filter(of).map(|day| day.removed).sum();
        Number::exact(u64::try_from(removed).unwrap_or(0))
    };
    Ok(RetentionPage {
        frame: Frame::new(visit, Place::Retention),
        days: DAYS,
        rules: plan
            .into_iter()
            .map(|due| Rule {
                name: due.rule.name,
                what: due.rule.what,
                setting: due
                    .rule
                    .setting
                    .map(|key| key.split_inclusive(['.', '_']).collect()),
                keep: Span(due.keep),
                due: Number::exact(due.due.count),
                oldest: When::new(due.due.oldest, visit.now),
                went: went(due.rule.name),
            })
            .collect(),
    })
}
