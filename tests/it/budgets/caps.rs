//! The caps of a day: counted from the rows, corrected by TikTok's refusals.

use std::time::Duration;

use clipqueue::domain::posts::NewPost;
use clipqueue_entities::{AccountId, post::PostState};
use tiktok_sim::{Endpoint, Entry};

use crate::support::{
    app::{Stack, TestApp},
    flows::{DAY, MINUTE},
};

crate::on_both_stacks!(
    the_sixth_draft_is_held_without_asking_tiktok,
    one_refusal_is_enough_for_all_posts_of_a_creator,
    the_apps_cap_stops_newcomers_alone,
);
crate::on_both_stacks_by_hand!(the_operators_own_cap_is_kept_without_a_refusal);

/// Calls that TikTok refused.
fn refused(t: &TestApp, code: &str) -> usize {
    let all: Vec<Entry> = t.sim.ledger(&tiktok_sim::LedgerFilter::default());
    all.iter().filter(|entry| entry.code == code).count()
}

async fn the_sixth_draft_is_held_without_asking_tiktok(mut t: TestApp) {
    let account = t.connect("creator").await.id;
    let mut ids = Vec::new();
    for number in 0..6 {
        let media = t.own_file(number).await;
        let post = t.post(TestApp::inbox(account, media)).await;
        ids.push(post.id);
        if number < 5 {
            t.run_until(post.id, PostState::InInbox).await;
        }
    }
    let sixth = ids[5];
    t.advance(MINUTE);
    t.drain().await;
    let held = t.reload(sixth).await;
    assert_eq!(held.state, PostState::Held);
    assert_eq!(held.hold_reason.as_deref(), Some("pending_drafts_cap"));
    assert_eq!(held.wait_reason.as_deref(), Some("pending_drafts_cap"));
    let quarter = Duration::from_secs(900);
    assert_eq!(held.hold_until, Some(t.clock.now() + quarter));
    assert_eq!(t.calls(Endpoint::InboxInit).len(), 5);
    t.pass(quarter * 4, 4).await;
    assert_eq!(t.reload(sixth).await.state, PostState::Held);
    assert_eq!(t.calls(Endpoint::InboxInit).len(), 5);

    // The creator finishes one: a place is free.
    let publish_id = t.attempts(ids[0]).await[0].publish_id.clone().unwrap();
    t.sim
        .finish_draft(&publish_id, "PUBLIC_TO_EVERYONE", "finished")
        .unwrap();
    t.run_until(sixth, PostState::InInbox).await;
    assert_eq!(
        t.upload_job(sixth).await.attempt,
        1,
        "waiting costs nothing"
    );
}

async fn one_refusal_is_enough_for_all_posts_of_a_creator(mut t: TestApp) {
    let code = "spam_risk_too_many_posts";
    t.sim.expect_refusal(code);
    t.sim.configure(|config| config.caps.posts_per_creator = 1);
    let (account, media) = t.ready().await;
    let neighbour = t.connect("neighbour").await.id;
    let first = t.post(TestApp::captioned(account, media, "the one")).await;
    t.run_until(first.id, PostState::Published).await;
    let second = t.post(TestApp::captioned(account, media, "refused")).await;
    t.drain().await;
    assert_eq!(t.reload(second.id).await.state, PostState::Held);
    assert_eq!(refused(&t, code), 1);
    let until = t.reload(second.id).await.hold_until;

    let third = t
        .post(TestApp::captioned(account, media, "not asked"))
        .await;
    let other = t.post(TestApp::captioned(neighbour, media, "theirs")).await;
    t.advance(MINUTE);
    t.drain().await;
    let held = t.reload(third.id).await;
    assert_eq!(held.state, PostState::Held);
    assert_eq!(held.hold_reason.as_deref(), Some("creator_cap"));
    assert_eq!(held.hold_until, until, "TikTok's word is for all of them");
    assert_eq!(refused(&t, code), 1);
    t.run_until(other.id, PostState::Published).await;
    t.pass(DAY - Duration::from_secs(600), 6).await;
    assert_eq!(refused(&t, code), 1);
}

async fn the_apps_cap_stops_newcomers_alone(mut t: TestApp) {
    let code = "reached_active_user_cap";
    t.sim.expect_refusal(code);
    t.sim
        .configure(|config| config.caps.audited_users = Some(1));
    let media = t.upload().await;
    let mut accounts: Vec<AccountId> = Vec::new();
    for name in ["known", "refused", "waiting"] {
        accounts.push(t.connect(name).await.id);
    }
    let quarter = Duration::from_secs(900);
    // Accepted while nobody is active yet: a newcomer would be refused at once afterwards.
    let later = |account, caption: &str, after| NewPost {
        publish_at: Some(t.clock.now() + after),
        ..TestApp::captioned(account, media, caption)
    };
    let newcomer = t.post(later(accounts[1], "b", quarter)).await;
    let third = t.post(later(accounts[2], "c", quarter + MINUTE)).await;
    let known = t.post(TestApp::captioned(accounts[0], media, "a")).await;
    t.run_until(known.id, PostState::Published).await;
    t.advance(quarter);
    t.drain().await;
    assert_eq!(t.reload(newcomer.id).await.state, PostState::Held);
    assert_eq!(refused(&t, code), 1);

    t.advance(MINUTE * 2);
    let again = t.post(TestApp::captioned(accounts[0], media, "d")).await;
    t.drain().await;
    let held = t.reload(third.id).await;
    assert_eq!(held.hold_reason.as_deref(), Some("app_user_cap"));
    assert_eq!(refused(&t, code), 1, "the third is not asked about");
    t.run_until(again.id, PostState::Published).await;
}

async fn the_operators_own_cap_is_kept_without_a_refusal(stack: Stack) {
    let mut t = TestApp::start_with(stack, &[("tiktok.posts_per_day", "2")]).await;
    let (account, media) = t.ready().await;
    let mut ids = Vec::new();
    let began = t.clock.now();
    for number in 0..3 {
        let new = TestApp::captioned(account, media, &format!("capped {number}"));
        ids.push(t.post(new).await.id);
        t.drain().await;
        t.advance(Duration::from_secs(10));
    }
    let held = t.reload(ids[2]).await;
    assert_eq!(held.state, PostState::Held);
    assert_eq!(held.hold_until, Some(began + DAY));
    assert_eq!(t.calls(Endpoint::VideoInit).len(), 2);
    t.pass(DAY, 6).await;
    t.run_until(ids[2], PostState::Published).await;
}
