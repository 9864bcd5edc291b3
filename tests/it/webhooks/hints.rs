//! Notices about posts: they shorten the wait, are on the timeline, and count by themselves only where
//! TikTok cannot be asked. Order, copies and lateness make no difference.

use std::time::Duration;

use clipqueue_entities::{PostId, post, post::PostState, post_attempt, post_video};
use sea_orm::{ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};
use serde_json::json;
use tiktok_sim::{Endpoint, FaultKind, Script};

use super::MOMENT;
use crate::support::{
    app::TestApp,
    flows::{DAY, HOUR, MINUTE},
};

crate::on_both_stacks!(
    a_draft_that_is_finished_is_known_within_seconds,
    a_lapsed_draft_still_becomes_published,
    copies_and_disorder_make_no_difference,
    a_notice_that_is_faster_than_our_commit_waits_for_it,
    a_publish_id_of_nobodys_is_forgotten_after_a_day,
    a_doubt_is_settled_by_the_notice_when_tiktok_cannot_be_asked,
    a_failure_is_asked_about_and_never_undoes_what_is_out,
    a_video_that_is_hidden_is_marked_and_stays_published,
    a_notice_that_names_another_creator_is_not_believed,
);

async fn in_inbox(t: &mut TestApp) -> (post::Model, String) {
    let (account, media) = t.ready().await;
    let post = t.post(TestApp::inbox(account, media)).await;
    let post = t.run_until(post.id, PostState::InInbox).await;
    let publish_id = t.attempts(post.id).await[0].publish_id.clone().unwrap();
    t.delivered(1).await;
    t.drain().await;
    (post, publish_id)
}

/// Lets webhooks arrive and what they make due run, while less time passes than between two polls.
async fn settle(t: &mut TestApp) {
    for _ in 0..4 {
        t.advance(MOMENT);
        t.delivered(1).await;
        t.drain().await;
    }
}

async fn videos(t: &TestApp, id: PostId) -> Vec<post_video::Model> {
    clipqueue::domain::videos::of_posts(&t.app, t.actor.user_id, &[id])
        .await
        .unwrap()
}

async fn a_draft_that_is_finished_is_known_within_seconds(mut t: TestApp) {
    t.open_door().await;
    let (post, publish_id) = in_inbox(&mut t).await;
    t.pass(DAY * 2, 60).await;
    let asked = t.calls(Endpoint::Status).len();
    let video = t
        .sim
        .finish_draft(&publish_id, "PUBLIC_TO_EVERYONE", "by hand")
        .unwrap();
    settle(&mut t).await;
    let post = t.reload(post.id).await;
    assert_eq!(post.state, PostState::Published);
    assert_eq!(post.tiktok_post_ids, json!([video.to_string()]));
    let joined = videos(&t, post.id).await;
    assert_eq!(joined.len(), 1);
    assert_eq!(joined[0].joined_key.as_deref(), Some(&*video.to_string()));
    assert!(t.calls(Endpoint::Status).len() > asked, "TikTok was asked");
    // The change rests on TikTok's answer; the notices are beside it.
    let events = t.events(post.id).await;
    let change = events
        .iter()
        .rfind(|event| event.kind == "post.state" && event.data["to"] == "published")
        .unwrap();
    let proofs = t.evidence(post.id).await;
    let proof = proofs
        .iter()
        .find(|proof| Some(proof.id) == change.evidence_id)
        .unwrap();
    assert_eq!(proof.subject, "publish.status");
    let mut told: Vec<_> = t
        .told(&post)
        .await
        .into_iter()
        .map(|event| event.data["notice"].as_str().unwrap().to_owned())
        .collect();
    // TikTok sends these two at the same moment, and two workers take them up.
    told[1..].sort_unstable();
    assert_eq!(
        told,
        [
            "post.publish.inbox_delivered",
            "post.publish.complete",
            "post.publish.publicly_available"
        ]
    );
    t.pass(MINUTE, 4).await;
    for notice in t.notices().await {
        assert!(notice.settled_at.is_some(), "{notice:?}");
        assert_eq!(notice.post_id, Some(post.id));
    }
}

async fn a_lapsed_draft_still_becomes_published(mut t: TestApp) {
    t.open_door().await;
    let (post, publish_id) = in_inbox(&mut t).await;
    t.pass(DAY * 7 + HOUR, 50).await;
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Lapsed);
    t.pass(DAY * 3, 10).await;
    let video = t
        .sim
        .finish_draft(&publish_id, "PUBLIC_TO_EVERYONE", "at last")
        .unwrap();
    settle(&mut t).await;
    let post = t.reload(post.id).await;
    assert_eq!(post.state, PostState::Published);
    assert_eq!(post.tiktok_post_ids, json!([video.to_string()]));
    let states = t.states(post.id).await;
    assert_eq!(states[states.len() - 2..], ["lapsed", "published"]);
}

async fn copies_and_disorder_make_no_difference(mut t: TestApp) {
    t.open_door().await;
    t.sim.configure(|config| {
        config.webhooks.duplicates = 2;
        config.webhooks.reorder = true;
        config.webhooks.ms_timestamps = true;
    });
    let (account, media) = t.ready().await;
    let mut posts = Vec::new();
    for number in 0..3 {
        let caption = format!("copy {number}");
        posts.push(
            t.post(TestApp::captioned(account, media, &caption))
                .await
                .id,
        );
    }
    for id in &posts {
        t.run_until(*id, PostState::Published).await;
    }
    t.advance(Duration::from_secs(30));
    t.delivered(3).await;
    t.pass(MINUTE * 3, 9).await;
    let happened = t.sim.webhooks().len();
    assert_eq!(happened, 6);
    let notices = t.notices().await;
    assert_eq!(notices.len(), happened, "each is on record once");
    assert!(notices.iter().all(|notice| notice.settled_at.is_some()));
    // Milliseconds and seconds mean the same instant.
    for (notice, hook) in notices.iter().zip(t.sim.webhooks()) {
        let at = notice.occurred_at.unwrap().as_millis();
        assert!((at - hook.at_ms).abs() < 60_000, "{at} {}", hook.at_ms);
    }
    for id in posts {
        let post = t.reload(id).await;
        t.assert_published_once(id).await;
        assert_eq!(post.tiktok_post_ids.as_array().unwrap().len(), 1);
        assert_eq!(t.told(&post).await.len(), 2);
    }
}

/// Takes the publish id away from a post's attempt, or gives it back.
async fn set_publish_id(t: &TestApp, id: PostId, publish_id: Option<String>) {
    let mut row = t.attempts(id).await.pop().unwrap().into_active_model();
    row.publish_id = Set(publish_id);
    post_attempt::Entity::update(row)
        .exec(t.app.db.write())
        .await
        .unwrap();
}

async fn a_notice_that_is_faster_than_our_commit_waits_for_it(mut t: TestApp) {
    t.open_door().await;
    let id = t.begin_three_chunks("faster").await.id;
    let publish_id = t.attempts(id).await[0].publish_id.clone().unwrap();
    // The init's answer is not committed yet, and TikTok tells already.
    set_publish_id(&t, id, None).await;
    let open_id = {
        let account = t.reload(id).await.account_id;
        let row = clipqueue::domain::accounts::for_worker(&t.app, account).await;
        row.unwrap().open_id
    };
    let content = json!({ "publish_id": publish_id, "reason": "internal" });
    let body = t.notice_body("post.publish.failed", &open_id, t.now_s(), &content);
    let header = super::sign(clipqueue::config::DEMO_CLIENT_SECRET, t.now_s(), &body);
    clipqueue::domain::notices::take(&t.app, Some(&header), &body)
        .await
        .unwrap();
    let mut steps = t.steps();
    for _ in 0..5 {
        t.advance(MOMENT);
        let (held, run) = t.claim_kind(&mut steps, "apply_notice").await;
        let ran = (t.runner())(run).await;
        steps.end(held, ran).await;
        assert!(t.notices().await[0].post_id.is_none());
    }
    set_publish_id(&t, id, Some(publish_id)).await;
    t.run_until(id, PostState::Published).await;
    t.pass(MINUTE * 10, 10).await;
    let notice = t.notices().await.remove(0);
    assert_eq!(notice.post_id, Some(id));
    // TikTok was asked and said otherwise: nothing had failed.
    assert!(notice.settled_at.is_some());
    t.assert_published_once(id).await;
}

async fn a_publish_id_of_nobodys_is_forgotten_after_a_day(mut t: TestApp) {
    let content = json!({ "publish_id": "v_pub_file~v2-1.999" });
    let body = t.notice_body("post.publish.complete", "-0", t.now_s(), &content);
    let header = super::sign(clipqueue::config::DEMO_CLIENT_SECRET, t.now_s(), &body);
    clipqueue::domain::notices::take(&t.app, Some(&header), &body)
        .await
        .unwrap();
    t.pass(HOUR * 23, 23).await;
    assert!(t.notices().await[0].settled_at.is_none());
    t.pass(HOUR * 2, 4).await;
    let notice = t.notices().await.remove(0);
    assert_eq!(notice.outcome.as_deref(), Some("unknown_publish"));
    t.pass(DAY * 15, 3).await;
    clipqueue::domain::retention::prune(&t.app).await.unwrap();
    assert!(t.notices().await.is_empty());
}

async fn a_doubt_is_settled_by_the_notice_when_tiktok_cannot_be_asked(mut t: TestApp) {
    t.open_door().await;
    let (account, media) = t.ready().await;
    t.fault(Endpoint::Upload, FaultKind::LostAfterEffect);
    t.fault_always(Endpoint::Status, FaultKind::Status { status: 503 });
    t.fault_always(Endpoint::VideoList, FaultKind::Status { status: 503 });
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Unconfirmed).await;
    let doubt = t.clock.now();
    t.delivered(1).await;
    let post = t.run_until(post.id, PostState::Published).await;
    assert!(t.clock.now().since(doubt) < MINUTE * 5);
    t.delivered(1).await;
    t.pass(MINUTE * 5, 20).await;
    let post = t.reload(post.id).await;
    t.assert_published_once(post.id).await;
    assert_eq!(post.tiktok_post_ids.as_array().unwrap().len(), 1);
    let events = t.events(post.id).await;
    let change = events
        .iter()
        .find(|event| event.kind == "post.state" && event.data["to"] == "published")
        .unwrap();
    let proofs = t.evidence(post.id).await;
    let proof = proofs
        .iter()
        .find(|proof| Some(proof.id) == change.evidence_id)
        .unwrap();
    assert_eq!(
        proof.source,
        clipqueue_entities::evidence::EvidenceSource::TiktokWebhook
    );
    t.sim.clear_faults(None);
}

async fn a_failure_is_asked_about_and_never_undoes_what_is_out(mut t: TestApp) {
    t.open_door().await;
    let (account, media) = t.ready().await;
    let failing = Script {
        fail_reason: Some("spam_risk_text".to_owned()),
        processing_ms: Some(1_400_000),
        ..Script::default()
    };
    t.sim.script("creator", failing).unwrap();
    let post = t.post(TestApp::captioned(account, media, "bad")).await;
    t.run_until(post.id, PostState::Processing).await;
    t.pass(Duration::from_secs(1_190), 30).await;
    assert_eq!(t.reload(post.id).await.state, PostState::Processing);
    // Time passes at TikTok alone, so that no poll falls due.
    t.sim.clock().advance(Duration::from_secs(215));
    settle(&mut t).await;
    let failed = t.reload(post.id).await;
    assert_eq!(failed.state, PostState::Failed, "within seconds");
    assert_eq!(failed.failure_code.as_deref(), Some("spam_risk_text"));

    let good = t.post(TestApp::captioned(account, media, "good")).await;
    let good = t.run_until(good.id, PostState::Published).await;
    let publish_id = t.attempts(good.id).await[0].publish_id.clone().unwrap();
    let row = clipqueue::domain::accounts::for_worker(&t.app, account).await;
    let content = json!({ "publish_id": publish_id, "reason": "internal" });
    let open_id = row.unwrap().open_id;
    let body = t.notice_body("post.publish.failed", &open_id, t.now_s() - 60, &content);
    let header = super::sign(clipqueue::config::DEMO_CLIENT_SECRET, t.now_s(), &body);
    clipqueue::domain::notices::take(&t.app, Some(&header), &body)
        .await
        .unwrap();
    t.pass(MINUTE * 5, 10).await;
    assert_eq!(t.reload(good.id).await.state, PostState::Published);
    t.assert_published_once(good.id).await;
}

async fn a_video_that_is_hidden_is_marked_and_stays_published(mut t: TestApp) {
    t.open_door().await;
    let post = t.direct_post().await;
    t.run_until(post.id, PostState::Published).await;
    t.pass(MINUTE, 6).await;
    t.delivered(1).await;
    t.drain().await;
    let video = videos(&t, post.id).await.remove(0);
    assert_eq!(video.hidden_at, None);
    let id: u64 = video.video_id.parse().unwrap();
    t.sim.set_public(id, false).unwrap();
    settle(&mut t).await;
    assert!(videos(&t, post.id).await[0].hidden_at.is_some());
    assert_eq!(t.reload(post.id).await.state, PostState::Published);
    t.sim.set_public(id, true).unwrap();
    settle(&mut t).await;
    assert_eq!(videos(&t, post.id).await[0].hidden_at, None);
}

async fn a_notice_that_names_another_creator_is_not_believed(mut t: TestApp) {
    let (_, publish_id) = {
        let (account, media) = t.ready().await;
        let post = t.post(TestApp::inbox(account, media)).await;
        let post = t.run_until(post.id, PostState::InInbox).await;
        let publish_id = t.attempts(post.id).await[0].publish_id.clone().unwrap();
        (post, publish_id)
    };
    let stranger = t.connect("stranger").await;
    let content = json!({ "publish_id": publish_id });
    let body = t.notice_body(
        "post.publish.complete",
        &stranger.open_id,
        t.now_s(),
        &content,
    );
    let header = super::sign(clipqueue::config::DEMO_CLIENT_SECRET, t.now_s(), &body);
    clipqueue::domain::notices::take(&t.app, Some(&header), &body)
        .await
        .unwrap();
    t.drain().await;
    let notice = t.notices().await.remove(0);
    assert_eq!(notice.outcome.as_deref(), Some("other_creator"));
    assert_eq!(notice.post_id, None);
}
