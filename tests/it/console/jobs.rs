//! Jobs in lists and by themselves: pages, filters, buttons, one at a time and many.

use std::collections::BTreeSet;

use clipqueue_entities::{JobId, job::JobState};
use sea_orm::ActiveValue::Set;

use super::{Desk, job_in, state_of};
use crate::{
    on_both_stacks,
    support::app::{Stack, TestApp},
};

on_both_stacks!(
    pages_follow_each_other_without_gap_or_double,
    many_jobs_are_cancelled_by_filter_after_a_preview,
);

/// The jobs that a page links to, in its order.
fn ids(page: &str) -> Vec<String> {
    page.match_indices("/ops/jobs/")
        .map(|(at, found)| {
            page[at + found.len()..]
                .split('"')
                .next()
                .unwrap()
                .to_owned()
        })
        .filter(|id| id.parse::<JobId>().is_ok())
        .collect()
}

/// Where a link with that relation leads.
fn link(page: &str, rel: &str) -> Option<String> {
    let at = page.find(&format!("rel=\"{rel}\" href=\""))?;
    let rest = &page[at..];
    let address = rest.split("href=\"").nth(1)?.split('"').next()?;
    Some(address.replace("&amp;", "&").replace("&#38;", "&"))
}

async fn pages_follow_each_other_without_gap_or_double(t: TestApp) {
    let mut made = Vec::new();
    for at in 0..125 {
        let state = if at % 5 == 0 {
            JobState::Held
        } else {
            JobState::Cancelled
        };
        made.push(job_in(&t, state, |_| {}).await);
    }
    made.reverse();
    let desk = Desk::open(&t, &t.key).await;
    for (path, expected) in [
        ("/ops/jobs?state=cancelled", 100),
        ("/ops/jobs?kind=expire_uploads", 125),
        ("/ops/jobs?queue=purge&state=held", 25),
    ] {
        let mut seen = Vec::new();
        let mut pages = Vec::new();
        let mut at = Some(path.to_owned());
        while let Some(path) = at {
            let page = desk.page(&path).await;
            seen.extend(ids(&page));
            at = link(&page, "next");
            pages.push((ids(&page), link(&page, "prev")));
        }
        assert_eq!(seen.len(), expected, "{path}");
        assert_eq!(
            seen.iter().collect::<BTreeSet<_>>().len(),
            expected,
            "{path}"
        );
        let order: Vec<String> = made
            .iter()
            .map(ToString::to_string)
            .filter(|id| seen.contains(id))
            .collect();
        assert_eq!(seen, order, "newest first");
        // And back.
        assert!(pages[0].1.is_none());
        for pair in pages.windows(2) {
            let back = desk.page(pair[1].1.as_ref().unwrap()).await;
            assert_eq!(ids(&back), pair[0].0);
        }
    }
}

#[tokio::test]
async fn a_filter_that_is_not_understood_admits_nothing() {
    let t = TestApp::start(Stack::Embedded).await;
    job_in(&t, JobState::Held, |_| {}).await;
    let desk = Desk::open(&t, &t.key).await;
    for path in [
        "/ops/jobs?state=lost",
        "/ops/jobs?after=x",
        "/ops/posts?state=lost",
        "/ops/bulk/new?action=burn&state=held",
    ] {
        let answer = desk.get(path).await;
        assert!(ids(&answer.body).is_empty(), "{path}");
        assert!(
            answer.status == 409 || answer.body.contains("role=\"alert\""),
            "{path}: {}",
            answer.body
        );
    }
    assert_eq!(
        ids(&desk
            .page("/ops/jobs?state=held&kind=&queue=&lane=&reason=test&error=")
            .await)
        .len(),
        1
    );
    assert!(
        desk.page("/ops/jobs?state=held&reason=other")
            .await
            .contains("class=\"empty\"")
    );
}

#[tokio::test]
async fn a_job_is_retried_released_and_cancelled_and_that_is_on_record() {
    let t = TestApp::start(Stack::Embedded).await;
    let desk = Desk::open(&t, &t.key).await;
    for (from, act, to) in [
        (JobState::Discarded, "retry", JobState::Available),
        (JobState::Held, "release", JobState::Available),
        (JobState::Retryable, "cancel", JobState::Cancelled),
    ] {
        let id = job_in(&t, from, |_| {}).await;
        let page = desk.page(&format!("/ops/jobs/{id}")).await;
        let action = format!("/ops/jobs/{id}/{act}");
        assert!(page.contains(&format!("action=\"{action}\"")), "{page}");
        let answer = desk.press(&action, "").await;
        assert_eq!(answer.status, 303);
        assert_eq!(
            answer.header("location"),
            format!("/ops/jobs/{id}?done={act}")
        );
        assert_eq!(state_of(&t, id).await, to);
        assert!(
            desk.page(answer.header("location"))
                .await
                .contains("role=\"status\"")
        );
        let log = desk.page("/ops/audit").await;
        assert!(
            log.contains(&format!("job.{act}")) && log.contains(&format!("job:{id}")),
            "{log}"
        );
    }
    // Twice is once, and says so.
    let id = job_in(&t, JobState::Completed, |_| {}).await;
    let answer = desk.press(&format!("/ops/jobs/{id}/cancel"), "").await;
    assert_eq!(answer.status, 409);
    assert!(answer.body.contains("COMPLETED"), "{}", answer.body);
    assert!(desk.page("/ops/audit").await.contains("wrong_state"));
    for path in ["/ops/jobs/none", &format!("/ops/jobs/{}", JobId::new())] {
        assert_eq!(desk.get(path).await.status, 404);
    }
    assert_eq!(
        desk.press(&format!("/ops/jobs/{id}/burn"), "").await.status,
        409
    );
}

#[tokio::test]
async fn queues_are_paused_drained_and_resumed() {
    let t = TestApp::start(Stack::Embedded).await;
    let desk = Desk::open(&t, &t.key).await;
    for (act, word) in [
        ("pause", "paused"),
        ("drain", "drained"),
        ("resume", "open"),
    ] {
        let path = format!("/ops/queues/uploads/{act}");
        // With scripts a part of the page comes back, without them the page.
        let part = desk
            .ask("POST", &path, &[super::OURS, ("hx-request", "true")], "")
            .await;
        assert_eq!(part.status, 200);
        assert!(
            part.body.contains(word) && !part.body.contains("<html"),
            "{}",
            part.body
        );
        let whole = desk.press(&path, "").await;
        assert_eq!((whole.status, whole.header("location")), (303, "/ops"));
        let stats = clipqueue::domain::operators::queues(&t.app).await.unwrap();
        assert_eq!(stats[0].paused, act != "resume");
    }
    assert_eq!(desk.press("/ops/queues/none/pause", "").await.status, 409);
    assert_eq!(desk.press("/ops/queues/uploads/burn", "").await.status, 409);
}

/// The value of a hidden field.
fn field(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let at = page.rfind(&start).unwrap() + start.len();
    page[at..].split('"').next().unwrap().to_owned()
}

async fn many_jobs_are_cancelled_by_filter_after_a_preview(mut t: TestApp) {
    let mut meant = Vec::new();
    for _ in 0..12 {
        meant.push(job_in(&t, JobState::Held, |_| {}).await);
    }
    let other = job_in(&t, JobState::Held, |row| {
        row.hold_reason = Set(Some("else".into()))
    })
    .await;
    let desk = Desk::open(&t, &t.key).await;
    let list = desk.page("/ops/jobs?state=held&reason=test").await;
    assert!(
        list.contains("/ops/bulk/new?action=cancel&amp;state=held&#38;reason=test")
            || list.contains("action=cancel&amp;state=held&amp;reason=test"),
        "{list}"
    );
    let preview = desk
        .page("/ops/bulk/new?action=cancel&state=held&reason=test")
        .await;
    assert!(
        preview.contains("<span class=\"num\">12</span> jobs to cancel"),
        "{preview}"
    );
    assert_eq!(ids(&preview).len(), 10, "a sample is shown");
    // A slip is refused before anything is asked.
    let all = desk.page("/ops/bulk/new?action=cancel").await;
    assert!(
        all.contains("must narrow") || all.contains("Must narrow"),
        "{all}"
    );

    let form = format!(
        "action=cancel&state=held&kind=&queue=&lane=&reason=test&error=&as_of={}&key={}",
        field(&preview, "as_of"),
        field(&preview, "key")
    );
    let started = desk.press("/ops/bulk", &form).await;
    assert_eq!(started.status, 303, "{}", started.body);
    let again = desk.press("/ops/bulk", &form).await;
    assert_eq!(
        again.header("location"),
        started.header("location"),
        "one form is one act"
    );
    let place = started.header("location");
    let waiting = desk.page(place).await;
    assert!(
        waiting.contains("hx-trigger=\"every 1s\"") && waiting.contains("http-equiv=\"refresh\"")
    );
    t.drain().await;
    let part = desk.ask("GET", place, &[("hx-request", "true")], "").await;
    assert!(
        part.body.contains("completed") && !part.body.contains("hx-trigger"),
        "{}",
        part.body
    );
    assert!(
        part.body
            .contains("<strong class=\"num\">12</strong> of <span class=\"num\">12</span> done")
    );
    for id in meant {
        assert_eq!(state_of(&t, id).await, JobState::Cancelled);
    }
    assert_eq!(state_of(&t, other).await, JobState::Held);
    assert!(desk.page("/ops/bulk").await.contains("12 of 12"));
    assert!(desk.page("/ops/audit").await.contains("bulk.start"));
}
