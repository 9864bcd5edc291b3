//! An operator's browser: signing in, a queue that is seen to pause, a job retried, jobs cancelled by
//! filter. Nothing on the way may make the browser complain.

use std::time::Duration;

use clipqueue::{domain::operators, queue::Mode};
use clipqueue_entities::job::JobState;
use sea_orm::ActiveValue::Set;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{devtools::Browser, job_in, state_of};
use crate::support::app::{Stack, TestApp};

/// The product served on an address of its own.
pub(crate) struct Site {
    pub(crate) base: String,
    _stop: DropGuard,
}

/// Serves `t` until the site is dropped.
pub(crate) async fn serve(t: &TestApp) -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let router = clipqueue::http::router(&t.app, None, CancellationToken::new(), stop.clone());
    tokio::spawn(clipqueue::http::serve(listener, router, stop.clone()));
    Site {
        base,
        _stop: stop.drop_guard(),
    }
}

/// Signs in by the form, as a person does.
pub(crate) async fn sign_in(browser: &mut Browser, site: &Site, key: &str) {
    browser.open(&format!("{}/ops", site.base)).await;
    browser
        .wait(
            "document.activeElement.id === 'key'",
            "the form has the focus",
            || {},
        )
        .await;
    browser.type_text(key).await;
    browser.press("Enter", 13).await;
    browser
        .wait(
            "document.querySelector('#queues article')",
            "the overview is there",
            || {},
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_watches_and_steers_in_a_browser() {
    let mut t = TestApp::start(Stack::Embedded).await;
    let site = serve(&t).await;
    let discarded = job_in(&t, JobState::Discarded, |row| {
        row.last_error = Set(Some("the file is gone".to_owned()));
    })
    .await;
    let mut meant = Vec::new();
    for _ in 0..3 {
        meant.push(job_in(&t, JobState::Held, |_| {}).await);
    }
    let mut browser = Browser::start().await;
    sign_in(&mut browser, &site, &t.key).await;
    let hidden = browser.eval("document.cookie").await;
    assert_eq!(hidden, "", "no script sees the cookie");

    // A colleague pauses a queue elsewhere; the page shows it without being touched.
    let clock = t.clock.clone();
    let tick = || clock.advance(Duration::from_secs(1));
    browser.eval("window.untouched = true").await;
    operators::set_mode(&t.app, &t.actor, "uploads", Mode::Paused)
        .await
        .unwrap();
    let paused =
        "document.querySelector('[aria-labelledby=queue-uploads] .chip').textContent === 'paused'";
    browser.wait(paused, "the pause is seen", tick).await;
    // The operator lets it go again; the page stays, and the button keeps the focus.
    browser
        .eval("document.querySelector('#steer-uploads').focus()")
        .await;
    browser.click("#steer-uploads").await;
    let open =
        "document.querySelector('[aria-labelledby=queue-uploads] .chip').textContent === 'open'";
    browser.wait(open, "the queue is open", || {}).await;
    let stats = operators::queues(&t.app).await.unwrap();
    assert!(!stats[0].paused);
    assert_eq!(browser.eval("window.untouched").await, true);
    assert_eq!(
        browser.eval("document.activeElement.id").await,
        "steer-uploads"
    );

    // A job that was given up is tried again.
    browser
        .click("nav a[href='/ops/jobs?state=discarded']")
        .await;
    browser
        .wait(
            "document.querySelector('h1').textContent === 'Discarded jobs'",
            "the list is there",
            || {},
        )
        .await;
    browser
        .click(&format!("a[href='/ops/jobs/{discarded}']"))
        .await;
    browser
        .wait(
            "document.body.innerText.includes('the file is gone')",
            "the job is there",
            || {},
        )
        .await;
    browser.click("#retry").await;
    browser
        .wait(
            "document.querySelector('[role=status]')",
            "the retry is told",
            || {},
        )
        .await;
    assert_eq!(state_of(&t, discarded).await, JobState::Available);

    // Held jobs are cancelled by filter, after a look at which.
    browser.click("nav a[href='/ops/jobs?state=held']").await;
    browser
        .click("a[href*='/ops/bulk/new?action=cancel']")
        .await;
    browser
        .wait(
            "document.querySelector('#preview .num').textContent === '3'",
            "the preview counts",
            || {},
        )
        .await;
    browser.click("#start").await;
    browser
        .wait(
            "document.querySelector('#progress .chip').textContent === 'running'",
            "the act runs",
            || {},
        )
        .await;
    t.drain().await;
    browser
        .wait(
            "document.querySelector('#progress .chip').textContent === 'completed'",
            "the act ends",
            || {},
        )
        .await;
    for id in meant {
        assert_eq!(state_of(&t, id).await, JobState::Cancelled);
    }

    // Every other page loads without a word from the browser, too.
    for path in ["/ops/posts", "/ops/crons", "/ops/audit", "/ops/bulk"] {
        browser.open(&format!("{}{path}", site.base)).await;
        browser
            .wait("document.querySelector('main h1')", path, || {})
            .await;
    }
    browser.click("header form button").await;
    browser
        .wait(
            "document.body.innerText.includes('signed out')",
            "the operator is out",
            || {},
        )
        .await;
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_watches_stops_when_its_session_ends() {
    let t = TestApp::start(Stack::Embedded).await;
    let site = serve(&t).await;
    let mut browser = Browser::start().await;
    sign_in(&mut browser, &site, &t.key).await;
    let closed = "window.closed_by_server = false; \
        document.body.addEventListener('htmx:sseClose', () => { window.closed_by_server = true; })";
    browser.eval(closed).await;
    // A session that ends before the stream is there has no stream that could say so.
    let streams = "document.querySelector('[sse-connect]')['htmx-internal-data']\
        ?.sseEventSource?.readyState === EventSource.OPEN";
    browser.wait(streams, "the page watches", || {}).await;
    let id = t.actor.key_id.unwrap();
    clipqueue::domain::api_keys::revoke(&t.app, t.actor.user_id, id)
        .await
        .unwrap();
    let clock = t.clock.clone();
    let tick = || clock.advance(Duration::from_secs(1));
    browser
        .wait("window.closed_by_server", "the stream ends", tick)
        .await;
    // A button leads to the form, whole page and all.
    browser.click("#steer-uploads").await;
    browser
        .wait(
            "location.pathname === '/ops/sign-in'",
            "the form is there",
            || {},
        )
        .await;
    let stats = operators::queues(&t.app).await.unwrap();
    assert!(!stats[0].paused, "nothing was done");
}
