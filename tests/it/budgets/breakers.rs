//! TikTok in trouble is left alone, and costs nobody an attempt.

use std::time::Duration;

use clipqueue::calls::breaker::{Reason, State};
use clipqueue_entities::{AccountId, PostId, post::PostState};
use tiktok::Endpoint as Ours;
use tiktok_sim::{Endpoint, Fault, FaultKind};

use crate::support::{app::TestApp, flows::MINUTE};

crate::on_both_stacks!(
    tiktok_in_trouble_is_left_alone_and_costs_no_attempt,
    refusals_never_open_a_breaker,
    the_upload_host_has_a_breaker_of_its_own,
    a_creator_whose_calls_fail_is_parked_alone,
);

const STEP: Duration = Duration::from_secs(5);

/// Posts of three creators, two each, all due now.
async fn six_posts(t: &TestApp) -> (Vec<AccountId>, Vec<PostId>) {
    let media = t.upload().await;
    let (mut accounts, mut posts) = (Vec::new(), Vec::new());
    for name in ["a", "b", "c"] {
        let account = t.connect(name).await.id;
        accounts.push(account);
        for number in 0..2 {
            let new = TestApp::captioned(account, media, &format!("{name}{number}"));
            posts.push(t.post(new).await.id);
        }
    }
    (accounts, posts)
}

async fn steps(t: &mut TestApp, time: Duration) {
    let steps = u32::try_from(time.as_secs() / STEP.as_secs()).unwrap();
    t.pass(time, steps).await;
}

async fn all_published(t: &mut TestApp, ids: &[PostId]) {
    for id in ids {
        t.run_until(*id, PostState::Published).await;
        t.assert_published_once(*id).await;
    }
}

async fn tiktok_in_trouble_is_left_alone_and_costs_no_attempt(mut t: TestApp) {
    let fault = t.fault_always(Endpoint::VideoInit, FaultKind::Status { status: 503 });
    let (accounts, posts) = six_posts(&t).await;
    t.drain().await;
    steps(&mut t, MINUTE).await;
    let breaker = t.breaker(Ours::VideoInit).await;
    assert_ne!(breaker.state, State::Closed);
    assert_eq!(breaker.reason, Some(Reason::Failing));
    assert_eq!(breaker.parked, 0);
    let spent = |t: &TestApp| {
        let (t, posts) = (t.app.queue.clone(), posts.clone());
        async move {
            let mut spent = 0;
            for id in posts {
                let filter = clipqueue::queue::ledger::JobFilter {
                    kind: Some("upload_post".to_owned()),
                    ..Default::default()
                };
                let page = clipqueue::queue::ledger::PageRequest {
                    limit: 100,
                    after: None,
                    before: None,
                };
                let jobs = t.jobs(&filter, page).await.unwrap().jobs;
                let of_post = jobs
                    .iter()
                    .find(|job| job.args["post_id"] == id.to_string());
                spent += of_post.unwrap().attempt;
            }
            spent
        }
    };
    let (before, asked) = (spent(&t).await, t.calls(Endpoint::VideoInit).len());
    assert!(asked <= 8, "{asked} inits until it was noticed");
    for post in t.reload_all(&posts).await {
        assert_eq!(
            post.wait_reason.as_deref(),
            Some("tiktok_trouble"),
            "{post:?}"
        );
        assert!(post.wait_until.is_some());
    }
    steps(&mut t, MINUTE * 20).await;
    assert_eq!(spent(&t).await, before, "waiting costs no attempt");
    let probes = t.calls(Endpoint::VideoInit).len() - asked;
    assert!(
        (3..=9).contains(&probes),
        "{probes} probes in twenty minutes"
    );

    // Another endpoint is another matter.
    let draft = t
        .post(TestApp::inbox(accounts[0], t.own_file(1).await))
        .await;
    t.run_until(draft.id, PostState::InInbox).await;

    t.sim.clear_faults(Some(fault));
    all_published(&mut t, &posts).await;
    assert!(t.all_breakers_are_closed().await);
}

async fn refusals_never_open_a_breaker(mut t: TestApp) {
    let refusal = FaultKind::ApiCode {
        code: "invalid_params".to_owned(),
        status: 400,
    };
    let fault = t.fault_always(Endpoint::VideoInit, refusal);
    let (_, posts) = six_posts(&t).await;
    t.drain().await;
    for post in t.reload_all(&posts).await {
        assert_eq!(post.state, PostState::Failed);
    }
    t.sim.clear_faults(Some(fault));
    assert!(t.all_breakers_are_closed().await);
}

async fn the_upload_host_has_a_breaker_of_its_own(mut t: TestApp) {
    let fault = t.fault_always(Endpoint::Upload, FaultKind::Status { status: 502 });
    let (_, posts) = six_posts(&t).await;
    t.drain().await;
    steps(&mut t, MINUTE * 2).await;
    let breaker = t.breaker(Ours::ChunkUpload).await;
    assert_ne!(breaker.state, State::Closed);
    assert_eq!(t.breaker(Ours::VideoInit).await.state, State::Closed);
    let (inits, puts) = (
        t.calls(Endpoint::VideoInit).len(),
        t.calls(Endpoint::Upload).len(),
    );
    // While the bytes have nowhere to go, no init is spent either.
    let media = t.upload().await;
    let account = t.connect("late").await.id;
    let late = t.post(TestApp::captioned(account, media, "late")).await;
    steps(&mut t, MINUTE * 10).await;
    let waiting = t.reload(late.id).await;
    assert_eq!(waiting.wait_reason.as_deref(), Some("tiktok_trouble"));
    let inits = t.calls(Endpoint::VideoInit).len() - inits;
    assert!(inits <= 2, "{inits} inits into the void");
    let puts = t.calls(Endpoint::Upload).len() - puts;
    assert!(puts <= 8, "{puts} chunks into the void");

    t.sim.clear_faults(Some(fault));
    all_published(&mut t, &posts).await;
    all_published(&mut t, &[late.id]).await;
    assert!(t.all_breakers_are_closed().await);
}

async fn a_creator_whose_calls_fail_is_parked_alone(mut t: TestApp) {
    let failing = FaultKind::Status { status: 500 };
    let fault = Fault::once(Endpoint::VideoInit, failing).account("cursed");
    let fault = t.sim.fault(fault.times(None));
    let (cursed, neighbour) = (t.connect("cursed").await.id, t.connect("fine").await.id);
    let media = t.upload().await;
    let (mut theirs, mut others) = (Vec::new(), Vec::new());
    for number in 0..5 {
        let new = TestApp::captioned(cursed, media, &format!("cursed {number}"));
        theirs.push(t.post(new).await.id);
    }
    t.drain().await;
    steps(&mut t, MINUTE).await;
    let breaker = t.breaker(Ours::VideoInit).await;
    assert_eq!(breaker.state, State::Closed);
    assert_eq!(breaker.parked, 1, "{breaker:?}");
    for number in 0..5 {
        let new = TestApp::captioned(neighbour, media, &format!("fine {number}"));
        others.push(t.post(new).await.id);
    }
    t.drain().await;
    t.advance(STEP);
    t.drain().await;
    for post in t.reload_all(&others).await {
        assert_eq!(post.state, PostState::Published, "{post:?}");
    }
    for post in t.reload_all(&theirs).await {
        assert_eq!(
            post.wait_reason.as_deref(),
            Some("tiktok_trouble"),
            "{post:?}"
        );
    }
    t.sim.clear_faults(Some(fault));
    all_published(&mut t, &theirs).await;
}
