//! A published draft and its video: joined by TikTok's word, or suggested and confirmed by the creator.

use clipqueue::domain::{
    counters::series,
    posts::{self, Word},
    videos as post_videos,
};
use clipqueue_entities::{PostId, post::PostState};

use super::support::{hours, plan, start, videos, views_at};
use crate::support::{
    app::{Stack, TestApp},
    flows::{DAY, HOUR},
};

/// How long the clip is.
const CLIP_SECONDS: i64 = 3;

crate::on_both_stacks_by_hand!(
    a_finished_draft_is_followed_from_its_first_hour,
    a_draft_that_tiktok_is_silent_about_is_suggested_and_confirmed,
);

async fn in_inbox(t: &mut TestApp) -> (PostId, String) {
    let (account, media) = t.ready().await;
    let post = t.post(TestApp::inbox(account, media)).await;
    t.run_until(post.id, PostState::InInbox).await;
    let publish_id = t.attempts(post.id).await[0].publish_id.clone().unwrap();
    (post.id, publish_id)
}

async fn of_post(t: &TestApp, id: PostId) -> Vec<series::Series> {
    series::of_post(&t.app, t.actor.user_id, id, 30)
        .await
        .unwrap()
}

async fn a_finished_draft_is_followed_from_its_first_hour(stack: Stack) {
    let mut t = start(stack).await;
    let (id, publish_id) = in_inbox(&mut t).await;
    plan(&mut t).await;
    assert_eq!(of_post(&t, id).await, []);
    t.sim
        .finish_draft(&publish_id, "PUBLIC_TO_EVERYONE", "by hand")
        .unwrap();
    t.pass(HOUR / 2, 10).await;
    let post = t.reload(id).await;
    assert_eq!(post.state, PostState::Published);
    // TikTok's word about the draft joins it; no listing has shown it yet.
    let series = of_post(&t, id).await.remove(0);
    assert_eq!(series.video.last_seen_at, None);
    hours(&mut t, 3).await;
    let series = of_post(&t, id).await.remove(0);
    assert!(views_at(&series, 1).unwrap() >= 119);
    assert_eq!(series.video.caption.as_deref(), Some("by hand"));
}

async fn a_draft_that_tiktok_is_silent_about_is_suggested_and_confirmed(stack: Stack) {
    let mut t = start(stack).await;
    t.sim
        .configure(|config| config.pipeline.video_seconds = CLIP_SECONDS);
    let (id, _) = in_inbox(&mut t).await;
    let account = t.reload(id).await.account_id;
    // The creator posts the same clip with the app; for TikTok it has nothing to do with the draft.
    let posted = t.sim.add_video("creator", "my own words").to_string();
    t.advance(HOUR);
    plan(&mut t).await;
    let rows = post_videos::of_posts(&t.app, t.actor.user_id, &[id])
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].video_id.as_str(), &rows[0].joined_key),
        (posted.as_str(), &None)
    );
    assert_eq!(
        t.reload(id).await.state,
        PostState::InInbox,
        "likeness proves nothing"
    );
    assert_eq!(of_post(&t, id).await, []);
    // Looking again says nothing new.
    let told = |events: Vec<clipqueue_entities::event::Model>| {
        events
            .iter()
            .filter(|event| event.kind == "post.suggestion")
            .count()
    };
    t.advance(DAY);
    plan(&mut t).await;
    assert_eq!(told(t.events(id).await), 1);

    let word = Word {
        posted: true,
        video_id: Some(posted.clone()),
        share_url: None,
    };
    let post = posts::confirm(&t.app, &t.actor, id, &word, "said")
        .await
        .unwrap();
    assert_eq!(post.state, PostState::Published);
    let series = of_post(&t, id).await;
    assert_eq!(series.len(), 1);
    assert_eq!(series[0].video.video_id, posted);
    assert!(
        series[0].video.views.is_some(),
        "what was read before counts"
    );
    assert_eq!(videos(&t, account).await.len(), 1);
}
