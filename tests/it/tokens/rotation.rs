//! Pairs that rotate: ahead of their end, once, however many notice.

use std::time::Duration;

use clipqueue::{
    domain::{accounts, tokens},
    job::{Jobs, TOKENS},
};
use clipqueue_entities::{account::AccountStatus, account_token::TokenState, post::PostState};
use futures::future::join_all;
use tiktok_sim::Endpoint;

use crate::support::{
    app::TestApp,
    flows::{DAY, HOUR, MINUTE},
};

crate::on_both_stacks!(
    the_cron_replaces_a_pair_ahead_of_its_end,
    a_week_of_crons_keeps_every_account_alive,
    ten_workers_that_notice_at_once_make_one_refresh,
    a_pair_that_does_not_rotate_is_kept_as_well,
    the_life_of_a_pair_is_what_tiktok_says,
    a_post_after_a_long_silence_refreshes_first,
);

async fn the_cron_replaces_a_pair_ahead_of_its_end(mut t: TestApp) {
    let account = t.connect("creator").await.id;
    let first = t.tokens(account).await;
    t.advance(HOUR + MINUTE * 30);
    t.fire_crons().await;
    assert_eq!(t.tokens(account).await.generation, 1, "too early");
    t.advance(MINUTE * 10);
    t.fire_crons().await;
    let second = t.tokens(account).await;
    assert_eq!((second.generation, second.state), (2, TokenState::Fresh));
    assert!(second.access_expires_at > first.access_expires_at);
    assert_eq!(second.refreshed_at, t.clock.now());
    t.fire_crons().await;
    t.advance(MINUTE * 10);
    t.fire_crons().await;
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 1);
}

async fn a_week_of_crons_keeps_every_account_alive(mut t: TestApp) {
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(t.connect(&format!("creator{number}")).await.id);
    }
    // What other crons enqueue meanwhile is for other tests.
    for queue in Jobs::QUEUES {
        if queue != TOKENS {
            t.app.queue.pause(queue).await.unwrap();
        }
    }
    let steps = 7 * 24 * 6;
    for _ in 0..steps {
        t.advance(Duration::from_secs(600));
        t.fire_crons().await;
        for id in &ids {
            let row = t.tokens(*id).await;
            assert!(row.access_expires_at > t.clock.now(), "a gap in {row:?}");
        }
    }
    let refreshes = t.calls(Endpoint::OauthRefresh).len();
    // At most one for each 96 minutes of a pair's life, never one for each look.
    let most = 5 * (7 * 24 * 60 / 90 + 1);
    assert!(
        refreshes <= most,
        "{refreshes} refreshes, {most} are enough"
    );
    for id in ids {
        let account = accounts::for_worker(&t.app, id).await.unwrap();
        assert_eq!(account.status, AccountStatus::Active);
    }
}

async fn ten_workers_that_notice_at_once_make_one_refresh(mut t: TestApp) {
    let account = t.connect("creator").await.id;
    let generation = t.tokens(account).await.generation;
    let notices = (0..10).map(|_| tokens::suspect(&t.app, account, generation));
    for noticed in join_all(notices).await {
        noticed.unwrap();
    }
    assert_eq!(t.jobs("refresh_token").await.len(), 1);
    t.drain().await;
    // Workers that are late with the same news change nothing.
    let late = (0..10).map(|_| tokens::suspect(&t.app, account, generation));
    for noticed in join_all(late).await {
        noticed.unwrap();
    }
    assert_eq!(t.tokens(account).await.state, TokenState::Fresh);
    t.drain().await;
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 1);
    assert_eq!(t.tokens(account).await.generation, generation + 1);

    // Ten posts whose token ended at the same moment.
    let media = t.upload().await;
    t.advance(HOUR * 2);
    let mut posts = Vec::new();
    for number in 0..10 {
        let caption = format!("post {number}");
        posts.push(
            t.post(TestApp::captioned(account, media, &caption))
                .await
                .id,
        );
    }
    for id in posts {
        t.run_until(id, PostState::Published).await;
        assert_eq!(t.upload_job(id).await.attempt, 1);
    }
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 2);
}

async fn a_pair_that_does_not_rotate_is_kept_as_well(mut t: TestApp) {
    t.sim.configure(|config| config.tokens.rotation = false);
    let account = t.connect("creator").await.id;
    let before = tokens::load(&t.app, account).await.unwrap().unwrap();
    for _ in 0..3 {
        t.advance(HOUR * 2);
        t.fire_crons().await;
    }
    let after = tokens::load(&t.app, account).await.unwrap().unwrap();
    assert_eq!(after.row.generation, 4);
    assert_eq!(before.refresh.expose(), after.refresh.expose());
    assert_ne!(before.access.expose(), after.access.expose());
}

async fn the_life_of_a_pair_is_what_tiktok_says(mut t: TestApp) {
    t.sim
        .configure(|config| config.tokens.access_seconds = 86_400);
    let account = t.connect("creator").await.id;
    t.pass(HOUR * 20, 4).await;
    t.fire_crons().await;
    assert_eq!(t.tokens(account).await.generation, 1);
    t.advance(DAY - HOUR * 20 - MINUTE * 10);
    t.fire_crons().await;
    assert_eq!(t.tokens(account).await.generation, 2);
}

async fn a_post_after_a_long_silence_refreshes_first(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.advance(DAY * 20);
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 1);
    assert_eq!(
        t.attempts(post.id).await.len(),
        1,
        "no init with a dead token"
    );
}
