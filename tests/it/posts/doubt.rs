//! A doubt is settled within a quarter of an hour once there is evidence, whichever kind it is; what
//! is not evidence settles nothing.

use std::time::Duration;

use clipqueue::domain::{
    posts::{self, Word},
    videos,
};
use clipqueue_entities::{PostId, evidence::EvidenceSource, post::PostState, post_video};
use tiktok_sim::{Consent, Endpoint, FaultKind, PostIdMode, Script};

use crate::support::{
    app::{CLIP, TestApp},
    flows::{DAY, HOUR, MINUTE, long_clip},
};

crate::on_both_stacks!(
    a_doubt_of_any_age_is_settled_within_a_quarter_of_an_hour,
    a_doubt_is_settled_by_the_video_when_status_says_nothing,
    two_videos_or_two_posts_are_a_matter_for_people,
    a_video_that_is_not_like_it_is_no_evidence,
    without_the_scope_nobody_looks,
    an_id_that_status_never_tells_is_found_among_the_videos,
);

/// The length of the clip, which the simulator does not read.
const CLIP_SECONDS: i64 = 3;
/// What the promise is.
const QUARTER: Duration = Duration::from_secs(15 * 60);

async fn videos_of(t: &TestApp, id: PostId) -> Vec<post_video::Model> {
    videos::of_posts(&t.app, t.actor.user_id, &[id])
        .await
        .unwrap()
}

/// A post whose last answer was lost, and about which status says nothing.
async fn doubted(t: &mut TestApp, caption: &str) -> PostId {
    t.sim
        .configure(|config| config.pipeline.video_seconds = CLIP_SECONDS);
    let account = t.connect("creator").await.id;
    let media = t.upload().await;
    t.fault(Endpoint::Upload, FaultKind::LostAfterEffect);
    t.fault_always(Endpoint::Status, FaultKind::Status { status: 503 });
    let post = t.post(TestApp::captioned(account, media, caption)).await;
    t.run_until(post.id, PostState::Unconfirmed).await;
    post.id
}

async fn proof_of_publishing(t: &TestApp, id: PostId) -> clipqueue_entities::evidence::Model {
    let events = t.events(id).await;
    let change = events
        .iter()
        .find(|event| event.kind == "post.state" && event.data["to"] == "published")
        .unwrap();
    let mut proofs = t.evidence(id).await;
    proofs.retain(|proof| Some(proof.id) == change.evidence_id);
    proofs.remove(0)
}

async fn a_doubt_of_any_age_is_settled_within_a_quarter_of_an_hour(mut t: TestApp) {
    let (account, media) = t.ready().await;
    for (number, age) in [MINUTE, MINUTE * 20, HOUR * 3, HOUR * 30]
        .into_iter()
        .enumerate()
    {
        t.fault(Endpoint::Upload, FaultKind::LostAfterEffect);
        let silent = t.fault_always(Endpoint::Status, FaultKind::Status { status: 503 });
        let caption = format!("doubt {number}");
        let post = t.post(TestApp::captioned(account, media, &caption)).await;
        t.run_until(post.id, PostState::Unconfirmed).await;
        t.pass(age, 40).await;
        assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
        // Now there is evidence: TikTok answers again.
        t.sim.clear_faults(Some(silent));
        t.run_until_within(post.id, PostState::Published, QUARTER)
            .await;
        t.assert_published_once(post.id).await;
        assert_eq!(t.attempts(post.id).await.len(), 1);
    }
    assert_eq!(t.sim.inits().len(), 4);
}

async fn a_doubt_is_settled_by_the_video_when_status_says_nothing(mut t: TestApp) {
    let id = doubted(&mut t, "found by its looks").await;
    let post = t.run_until_within(id, PostState::Published, QUARTER).await;
    let video = t.sim.videos(Some("creator")).remove(0);
    assert_eq!(
        post.tiktok_post_ids,
        serde_json::json!([video.id.to_string()])
    );
    let url = format!("https://www.tiktok.com/@creator/video/{}", video.id);
    assert_eq!(
        post.share_url.as_deref(),
        Some(url.as_str()),
        "without trackers"
    );
    let proof = proof_of_publishing(&t, id).await;
    assert_eq!(proof.source, EvidenceSource::TiktokApi);
    assert_eq!(proof.subject, "video.list");
    assert!(proof.log_id.is_some());
    let attempts = t.attempts(id).await;
    assert_eq!(attempts[0].outcome.as_deref(), Some("found"));
    t.assert_published_once(id).await;
}

async fn two_videos_or_two_posts_are_a_matter_for_people(mut t: TestApp) {
    // Two posts with one caption, both in doubt: either could be either video.
    t.sim
        .configure(|config| config.pipeline.video_seconds = CLIP_SECONDS);
    let (account, media) = t.ready().await;
    t.fault_always(Endpoint::Status, FaultKind::Status { status: 503 });
    let mut twins = Vec::new();
    for number in 0..2 {
        t.fault(Endpoint::Upload, FaultKind::LostAfterEffect);
        // Two files, so that the simulator does not take them for one post that appeared twice.
        let media = match number {
            0 => media,
            _ => t.upload_bytes(long_clip(CLIP.len() + 4_000).leak()).await,
        };
        let post = t.post(TestApp::captioned(account, media, "twins")).await;
        t.run_until(post.id, PostState::Unconfirmed).await;
        twins.push(post.id);
    }
    t.pass(HOUR, 30).await;
    let seen = t.sim.videos(Some("creator"));
    assert_eq!(seen.len(), 2);
    for id in &twins {
        assert_eq!(t.reload(*id).await.state, PostState::Unconfirmed);
        let suggested = videos_of(&t, *id).await;
        assert_eq!(suggested.len(), 2);
        assert!(suggested.iter().all(|video| video.joined_key.is_none()));
        let events = t.events(*id).await;
        let told = events
            .iter()
            .filter(|event| event.kind == "post.suggestion");
        assert_eq!(told.count(), 2, "each is told once");
    }
    // A person decides for the one; for the other a single video is left, and no rival.
    let word = Word {
        posted: true,
        video_id: Some(seen[0].id.to_string()),
        share_url: None,
    };
    posts::confirm(&t.app, &t.actor, twins[0], &word, "this-one")
        .await
        .unwrap();
    let taken = posts::confirm(&t.app, &t.actor, twins[1], &word, "the-same").await;
    assert!(taken.is_err(), "a video belongs to one post");
    t.run_until_within(twins[1], PostState::Published, QUARTER)
        .await;
    let ids: Vec<_> = [t.reload(twins[0]).await, t.reload(twins[1]).await]
        .into_iter()
        .map(|post| post.tiktok_post_ids[0].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, [seen[0].id.to_string(), seen[1].id.to_string()]);
    assert_eq!(t.sim.inits().len(), 2);
}

async fn a_video_that_is_not_like_it_is_no_evidence(mut t: TestApp) {
    let id = doubted(&mut t, "of three seconds").await;
    // What TikTok lists has another length.
    t.sim.configure(|config| config.pipeline.video_seconds = 9);
    t.pass(HOUR * 2, 30).await;
    assert_eq!(t.reload(id).await.state, PostState::Unconfirmed);
    assert!(videos_of(&t, id).await.is_empty());
    assert!(
        !t.calls(Endpoint::VideoList).is_empty(),
        "it was looked for"
    );
    t.sim.clear_faults(None);
    t.run_until_within(id, PostState::Published, QUARTER).await;
    t.assert_published_once(id).await;
}

async fn without_the_scope_nobody_looks(mut t: TestApp) {
    let scopes = ["user.info.basic", "video.upload", "video.publish"];
    let some = Consent::Scopes(scopes.map(str::to_owned).to_vec());
    let account = t.connect_with("creator", &some).await.unwrap();
    let media = t.upload().await;
    t.fault(Endpoint::Upload, FaultKind::LostAfterEffect);
    t.fault_always(Endpoint::Status, FaultKind::Status { status: 503 });
    let post = t.post(TestApp::direct(account.id, media)).await;
    t.run_until(post.id, PostState::Unconfirmed).await;
    t.pass(HOUR, 20).await;
    assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
    assert!(t.calls(Endpoint::VideoList).is_empty());
    t.sim.clear_faults(None);
    t.run_until_within(post.id, PostState::Published, QUARTER)
        .await;
}

async fn an_id_that_status_never_tells_is_found_among_the_videos(mut t: TestApp) {
    t.sim
        .configure(|config| config.pipeline.video_seconds = CLIP_SECONDS);
    let (account, media) = t.ready().await;
    let script = Script {
        post_id: Some(PostIdMode::Never),
        ..Script::default()
    };
    t.sim.script("creator", script).unwrap();
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
    assert!(videos_of(&t, post.id).await.is_empty());
    t.pass(HOUR, 30).await;
    let video = t.sim.videos(Some("creator")).remove(0);
    let post = t.reload(post.id).await;
    assert_eq!(
        post.tiktok_post_ids,
        serde_json::json!([video.id.to_string()])
    );
    let asked = t.calls(Endpoint::VideoList).len();
    t.pass(DAY, 24).await;
    assert_eq!(
        t.calls(Endpoint::VideoList).len(),
        asked,
        "nothing is left to learn"
    );
}
