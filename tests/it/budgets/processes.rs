//! Three processes' worth of handles on one database and one transport.

use std::time::Duration;

use clipqueue::{app::App, clock::Clock, job::Jobs, service};
use clipqueue_entities::{PostId, post::PostState};
use tiktok_sim::Endpoint;

use crate::support::app::{Stack, TestApp};

crate::on_both_stacks_by_hand!(three_processes_stay_within_every_limit);

const CREATORS: usize = 3;
const POSTS: usize = 9;
const STEP: Duration = Duration::from_secs(5);

/// Another process: with Redis a real one's worth, with memory a clone, which is all there can be.
async fn process(t: &TestApp, stack: Stack) -> App {
    match stack {
        Stack::Embedded => t.app.clone(),
        Stack::Servers => {
            let config = (*t.app.config).clone();
            let clock = Clock::Manual(t.clock.clone());
            App::build(config, clock).await.unwrap()
        }
    }
}

async fn drain(app: &App) {
    let catalogue = Jobs::new(&app.config.queue);
    let runner = service::runner(app.clone());
    app.queue.drain(&catalogue, &runner).await.unwrap();
}

async fn three_processes_stay_within_every_limit(stack: Stack) {
    let mut t = TestApp::start_with(stack, &[]).await;
    let (two, three) = (process(&t, stack).await, process(&t, stack).await);
    let media = t.upload().await;
    let mut posts: Vec<PostId> = Vec::new();
    for creator in 0..CREATORS {
        let account = t.connect(&format!("creator{creator}")).await.id;
        for number in 0..POSTS {
            let caption = format!("{creator} of {number}");
            let new = TestApp::captioned(account, media, &caption);
            posts.push(t.post(new).await.id);
        }
    }
    let mut waited = 0;
    let mut left = 120;
    loop {
        let one = t.app.clone();
        tokio::join!(drain(&one), drain(&two), drain(&three));
        t.drain().await;
        let now = t.reload_all(&posts).await;
        waited += now.iter().filter(|p| p.wait_reason.is_some()).count();
        if now.iter().all(|post| post.state == PostState::Published) {
            break;
        }
        left -= 1;
        assert!(left > 0, "not all were posted: {now:?}");
        t.advance(STEP);
    }
    assert!(waited > 0, "nine posts at once must wait for six places");
    for endpoint in [Endpoint::VideoInit, Endpoint::CreatorInfo, Endpoint::Status] {
        for creator in 0..CREATORS {
            let name = format!("creator{creator}");
            let mut calls = t.calls(endpoint);
            calls.retain(|call| call.account.as_deref() == Some(&name));
            let most = calls
                .iter()
                .map(|first| {
                    let within = |at: i64| at >= first.at_ms && at < first.at_ms + 60_000;
                    calls.iter().filter(|call| within(call.at_ms)).count()
                })
                .max();
            let limit = match endpoint {
                Endpoint::VideoInit => 6,
                Endpoint::CreatorInfo => 20,
                _ => 30,
            };
            assert!(most.unwrap() <= limit, "{endpoint:?} {name}: {most:?}");
        }
    }
    for id in &posts {
        assert_eq!(t.upload_job(*id).await.attempt, 1, "waiting costs nothing");
        t.assert_published_once(*id).await;
    }
}
