//! The straight way: direct posts and inbox drafts.

use clipqueue::domain::attempts;
use clipqueue_entities::post::PostState;

use crate::support::app::{CLIP, TestApp};

crate::on_both_stacks!(
    a_direct_post_is_published_once_with_its_public_id,
    an_inbox_post_waits_for_the_creator_and_follows_the_draft,
);

async fn a_direct_post_is_published_once_with_its_public_id(mut t: TestApp) {
    let account = t.connect("creator").await;
    let media = t.upload().await;
    let post = t.post(TestApp::direct(account.id, media)).await;
    assert_eq!(post.state, PostState::Scheduled);

    let post = t.run_until(post.id, PostState::Published).await;
    for _ in 0..40 {
        t.drain().await;
        t.advance(std::time::Duration::from_secs(30));
    }
    let post = t.reload(post.id).await;
    let ids = post.tiktok_post_ids.as_array().unwrap();
    assert_eq!(ids.len(), 1);
    let id = ids[0].as_str().unwrap();
    assert_eq!(
        post.share_url.as_deref(),
        Some(format!("https://www.tiktok.com/@creator/video/{id}").as_str())
    );

    let published = t.sim.publishes();
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].caption, "A clip #clip");
    let uploads = t.sim.uploads();
    assert_eq!(uploads.len(), 1);
    assert_eq!(uploads[0].received, CLIP.len() as u64);
    let attempts = attempts::list(t.app.db.read(), post.id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].outcome.as_deref(), Some("published"));
    assert!(attempts[0].upload_url_sealed.is_none());
}

async fn an_inbox_post_waits_for_the_creator_and_follows_the_draft(mut t: TestApp) {
    let account = t.connect("creator").await;
    let media = t.upload().await;
    let post = t.post(TestApp::inbox(account.id, media)).await;
    let post = t.run_until(post.id, PostState::InInbox).await;

    let publish_id = attempts::newest_published(t.app.db.read(), post.id)
        .await
        .unwrap()
        .unwrap()
        .publish_id
        .unwrap();
    t.sim
        .finish_draft(&publish_id, "PUBLIC_TO_EVERYONE", "pasted by hand")
        .unwrap();
    let post = t.run_until(post.id, PostState::Published).await;
    assert_eq!(post.bytes_sent, CLIP.len() as i64);
    assert_eq!(t.sim.inits().len(), 1);
}
