//! The public id: exact, late, several, or never.

use std::time::Duration;

use clipqueue::domain::post_settings::{DirectSettings, PrivacyLevel};
use clipqueue_entities::{job::JobState, post::PostState};
use tiktok_sim::{Endpoint, PostIdMode, Script};

use crate::support::{
    app::TestApp,
    flows::{DAY, HOUR},
};

crate::on_both_stacks!(
    a_late_id_is_waited_for,
    several_ids_are_all_kept_exactly,
    an_id_that_never_comes_is_waited_for_one_day,
    a_post_for_the_creator_alone_waits_for_no_id,
);

async fn with_ids(t: &mut TestApp, mode: PostIdMode) -> clipqueue_entities::PostId {
    let (account, media) = t.ready().await;
    let script = Script {
        post_id: Some(mode),
        ..Script::default()
    };
    t.sim.script("creator", script).unwrap();
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
    post.id
}

async fn ids_of(t: &TestApp, id: clipqueue_entities::PostId) -> Vec<String> {
    let post = t.reload(id).await;
    serde_json::from_value(post.tiktok_post_ids).unwrap()
}

fn ids_at_tiktok(t: &TestApp) -> Vec<String> {
    let init = t.sim.inits().remove(0);
    init.post_ids.iter().map(ToString::to_string).collect()
}

async fn a_late_id_is_waited_for(mut t: TestApp) {
    let two_hours = PostIdMode::Late { ms: 7_200_000 };
    let id = with_ids(&mut t, two_hours).await;
    t.pass(HOUR, 30).await;
    assert!(ids_of(&t, id).await.is_empty());
    t.pass(HOUR * 2, 60).await;
    let ids = ids_of(&t, id).await;
    assert_eq!(ids, ids_at_tiktok(&t));
    assert_eq!(ids.len(), 1);
    // Every id of the simulator is odd and longer than a double is exact.
    assert!(ids[0].len() == 19 && ids[0].ends_with(['1', '3', '5', '7', '9']));
    let url = t.reload(id).await.share_url.unwrap();
    assert_eq!(
        url,
        format!("https://www.tiktok.com/@creator/video/{}", ids[0])
    );
    let asked = t.calls(Endpoint::Status).len();
    t.pass(DAY, 24).await;
    assert_eq!(
        t.calls(Endpoint::Status).len(),
        asked,
        "nothing is left to learn"
    );
}

async fn several_ids_are_all_kept_exactly(mut t: TestApp) {
    let id = with_ids(&mut t, PostIdMode::Multiple { count: 3 }).await;
    t.pass(Duration::from_secs(60), 6).await;
    let ids = ids_of(&t, id).await;
    assert_eq!(ids.len(), 3);
    assert_eq!(ids, ids_at_tiktok(&t));
}

async fn an_id_that_never_comes_is_waited_for_one_day(mut t: TestApp) {
    let id = with_ids(&mut t, PostIdMode::Never).await;
    t.pass(DAY, 200).await;
    t.pass(HOUR, 4).await;
    assert_eq!(t.reload(id).await.state, PostState::Published);
    assert!(ids_of(&t, id).await.is_empty());
    let job = t.jobs("poll_post").await.pop().unwrap();
    assert_eq!(job.state, JobState::Completed);
    let asked = t.calls(Endpoint::Status).len();
    t.pass(DAY, 24).await;
    t.fire_crons().await;
    assert_eq!(t.calls(Endpoint::Status).len(), asked);
}

async fn a_post_for_the_creator_alone_waits_for_no_id(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let mut new = TestApp::direct(account, media);
    new.direct = Some(DirectSettings {
        privacy_level: PrivacyLevel::SelfOnly,
        ..TestApp::choices()
    });
    let post = t.post(new).await;
    t.run_until(post.id, PostState::Published).await;
    assert!(ids_of(&t, post.id).await.is_empty());
    let job = t.jobs("poll_post").await.pop().unwrap();
    assert_eq!(job.state, JobState::Completed);
    assert!(
        t.sim
            .videos(Some("creator"))
            .iter()
            .all(|video| !video.visible)
    );
}
