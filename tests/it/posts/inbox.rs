//! Drafts in the creator's inbox: finished later, several times, never.

use clipqueue::domain::{next_action::next_action, posts};
use clipqueue_entities::{PostId, post::PostState};
use tiktok_sim::Endpoint;

use crate::support::{
    app::TestApp,
    flows::{DAY, HOUR, refusals},
};

crate::on_both_stacks!(
    a_draft_that_is_finished_days_later_is_published,
    a_draft_that_nobody_finishes_lapses_after_a_week,
    a_draft_for_the_creator_alone_is_published_without_an_id,
    the_caption_of_a_draft_is_handed_over_by_us,
);

async fn in_inbox(t: &mut TestApp) -> (PostId, String) {
    let (account, media) = t.ready().await;
    let post = t.post(TestApp::inbox(account, media)).await;
    t.run_until(post.id, PostState::InInbox).await;
    let publish_id = t.attempts(post.id).await[0].publish_id.clone().unwrap();
    (post.id, publish_id)
}

async fn a_draft_that_is_finished_days_later_is_published(mut t: TestApp) {
    let (id, publish_id) = in_inbox(&mut t).await;
    t.pass(DAY * 3, 72).await;
    t.fire_crons().await;
    assert_eq!(t.reload(id).await.state, PostState::InInbox);
    let posted = t
        .sim
        .finish_draft(&publish_id, "PUBLIC_TO_EVERYONE", "by hand")
        .unwrap();
    t.pass(HOUR * 3, 60).await;
    let post = t.reload(id).await;
    assert_eq!(post.state, PostState::Published);
    assert_eq!(
        post.tiktok_post_ids,
        serde_json::json!([posted.to_string()])
    );
    assert_eq!(t.sim.inits().len(), 1);
}

async fn a_draft_that_nobody_finishes_lapses_after_a_week(mut t: TestApp) {
    let (id, _) = in_inbox(&mut t).await;
    t.pass(DAY * 7 - HOUR, 100).await;
    t.fire_crons().await;
    assert_eq!(t.reload(id).await.state, PostState::InInbox);
    t.pass(HOUR * 2, 2).await;
    t.fire_crons().await;
    let lapsed = t.reload(id).await;
    assert_eq!(lapsed.state, PostState::Lapsed);
    let account = clipqueue::domain::accounts::for_worker(&t.app, lapsed.account_id)
        .await
        .unwrap();
    assert!(
        next_action(&lapsed, &account)
            .unwrap()
            .text
            .contains("new post")
    );
    t.pass(HOUR, 1).await;
    let asked = t.calls(Endpoint::Status).len();
    t.pass(DAY, 24).await;
    assert_eq!(t.calls(Endpoint::Status).len(), asked);
    let stopped = posts::cancel(&t.app, &t.actor, id).await;
    assert!(refusals(stopped)[0].message.contains("whole post"));
}

async fn a_draft_for_the_creator_alone_is_published_without_an_id(mut t: TestApp) {
    let (id, publish_id) = in_inbox(&mut t).await;
    t.sim
        .finish_draft(&publish_id, "SELF_ONLY", "for me")
        .unwrap();
    t.run_until(id, PostState::Published).await;
    t.pass(DAY + HOUR, 200).await;
    let post = t.reload(id).await;
    assert_eq!(post.state, PostState::Published);
    assert_eq!(post.tiktok_post_ids, serde_json::json!([]));
}

async fn the_caption_of_a_draft_is_handed_over_by_us(mut t: TestApp) {
    let (id, _) = in_inbox(&mut t).await;
    let post = t.reload(id).await;
    assert_eq!(post.caption, "A clip #clip");
    assert!(
        t.sim.inits()[0].caption.is_empty(),
        "TikTok takes no text with a draft"
    );
    let copied = posts::caption_copied(&t.app, &t.actor, id).await.unwrap();
    assert_eq!(copied.caption_copied_at, Some(t.clock.now()));
    let direct = t
        .post(TestApp::direct(post.account_id, post.media_id))
        .await;
    let refused = posts::caption_copied(&t.app, &t.actor, direct.id).await;
    assert_eq!(refusals(refused).len(), 1);
    t.run_until(direct.id, PostState::Published).await;
}
