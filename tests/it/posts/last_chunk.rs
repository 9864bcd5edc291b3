//! The last chunk is the commit point: without a clear answer the post is UNCONFIRMED, and only
//! TikTok's word moves it. It is never given to TikTok a second time.

use std::time::Duration;

use clipqueue::domain::posts;
use clipqueue_entities::{evidence::EvidenceSource, post::PostState, post_attempt::AttemptPhase};
use tiktok_sim::{Endpoint, Fault, FaultKind};

use crate::support::{
    app::TestApp,
    flows::{HOUR, MINUTE, refusals},
};

crate::on_both_stacks!(
    a_lost_answer_is_settled_by_asking,
    a_last_chunk_that_never_arrived_is_sent_to_the_same_place,
    a_dead_address_at_the_last_chunk_proves_that_nothing_was_posted,
    a_dead_address_after_a_lost_answer_proves_nothing,
    an_upload_that_tiktok_never_got_whole_fails_when_its_address_ends,
    while_in_doubt_nothing_may_be_done_to_the_post,
);

async fn a_lost_answer_is_settled_by_asking(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let faults = [
        FaultKind::LostAfterEffect,
        FaultKind::StatusAfterEffect { status: 504 },
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        t.fault(Endpoint::Upload, fault.clone());
        let caption = format!("lost {number}");
        let post = t.post(TestApp::captioned(account, media, &caption)).await;
        t.run_until(post.id, PostState::Published).await;
        t.assert_published_once(post.id).await;
        let states = t.states(post.id).await;
        assert!(states.contains(&"unconfirmed".to_owned()), "{states:?}");
        assert_eq!(t.attempts(post.id).await.len(), 1, "{fault:?}");
        let proof = t.evidence(post.id).await;
        let last = proof
            .iter()
            .rfind(|proof| proof.subject == "publish.status")
            .unwrap();
        assert_eq!(last.source, EvidenceSource::TiktokApi);
        assert!(last.log_id.is_some());
        t.advance(MINUTE);
    }
    assert_eq!(t.sim.inits().len(), 2);
    assert_eq!(t.calls(Endpoint::Upload).len(), 2, "no byte is sent again");
}

async fn a_last_chunk_that_never_arrived_is_sent_to_the_same_place(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let faults = [
        FaultKind::LostBeforeEffect,
        FaultKind::CutChunk { after_bytes: None },
        FaultKind::Status { status: 503 },
        FaultKind::RateLimit,
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        t.fault(Endpoint::Upload, fault.clone());
        let caption = format!("never arrived {number}");
        let post = t.post(TestApp::captioned(account, media, &caption)).await;
        t.run_until(post.id, PostState::Unconfirmed).await;
        t.run_until(post.id, PostState::Published).await;
        t.assert_published_once(post.id).await;
        assert_eq!(t.attempts(post.id).await.len(), 1, "{fault:?}");
        t.advance(MINUTE);
    }
    assert_eq!(t.sim.inits().len(), 4);
    for pair in t.calls(Endpoint::Upload).chunks(2) {
        assert_eq!(pair[0].publish_id, pair[1].publish_id);
        // "It lacks bytes" is not believed while the chunk may still be under way.
        assert!(pair[1].at_ms - pair[0].at_ms >= 60_000);
    }
}

async fn a_dead_address_at_the_last_chunk_proves_that_nothing_was_posted(mut t: TestApp) {
    let (account, media) = t.ready().await;
    for (code, status) in [("upload_url_expired", 403), ("upload_not_found", 404)] {
        let kind = FaultKind::ApiCode {
            code: code.to_owned(),
            status,
        };
        t.fault(Endpoint::Upload, kind);
        let post = t.post(TestApp::captioned(account, media, code)).await;
        t.run_until(post.id, PostState::Published).await;
        t.assert_published_once(post.id).await;
        let attempts = t.attempts(post.id).await;
        assert_eq!(attempts.len(), 2);
        assert_eq!(attempts[0].error_code.as_deref(), Some(code));
        let states = t.states(post.id).await;
        assert!(!states.contains(&"unconfirmed".to_owned()), "{states:?}");
        t.advance(MINUTE);
    }
}

async fn a_dead_address_after_a_lost_answer_proves_nothing(mut t: TestApp) {
    t.fault(Endpoint::Upload, FaultKind::LostBeforeEffect);
    let gone = FaultKind::ApiCode {
        code: "upload_not_found".to_owned(),
        status: 404,
    };
    t.sim.fault(Fault::once(Endpoint::Upload, gone).after(1));
    let post = t.direct_post().await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    let states = t.states(post.id).await;
    let doubts = states.iter().filter(|state| *state == "unconfirmed");
    assert_eq!(doubts.count(), 2, "{states:?}");
    assert_eq!(
        t.sim.inits().len(),
        1,
        "the video was not given to TikTok anew"
    );
}

async fn an_upload_that_tiktok_never_got_whole_fails_when_its_address_ends(mut t: TestApp) {
    let id = t.begin_three_chunks("half").await.id;
    let lost = Fault::once(Endpoint::Upload, FaultKind::LostBeforeEffect).after(2);
    t.sim.fault(lost);
    t.fault_always(Endpoint::Status, FaultKind::Status { status: 500 });
    t.drain_in_time().await;
    assert_eq!(t.reload(id).await.state, PostState::Unconfirmed);
    let attempt = t.attempts(id).await.pop().unwrap();
    assert_eq!(attempt.phase, AttemptPhase::LastChunk);
    t.pass(HOUR + MINUTE * 3, 8).await;
    assert_eq!(t.reload(id).await.state, PostState::Unconfirmed);
    t.sim.clear_faults(None);
    t.run_until(id, PostState::Failed).await;
    let failed = t.reload(id).await;
    assert_eq!(failed.failure_code.as_deref(), Some("upload_expired"));
    assert!(failed.failure_retryable && t.sim.publishes().is_empty());

    posts::retry(&t.app, &t.actor, id, "again").await.unwrap();
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
}

async fn while_in_doubt_nothing_may_be_done_to_the_post(mut t: TestApp) {
    t.fault(Endpoint::Upload, FaultKind::LostAfterEffect);
    let asking = t.fault_always(Endpoint::Status, FaultKind::LostBeforeEffect);
    let post = t.direct_post().await;
    t.run_until(post.id, PostState::Unconfirmed).await;
    let retried = posts::retry(&t.app, &t.actor, post.id, "again").await;
    assert!(refusals(retried)[0].message.contains("Unconfirmed"));
    let stopped = posts::cancel(&t.app, &t.actor, post.id).await;
    let refusal = refusals(stopped).remove(0);
    assert!(
        refusal.message.contains("TikTok has the whole post"),
        "{refusal:?}"
    );
    // A day of silence is an alert every day, and never another init.
    t.pass(Duration::from_secs(50 * 3600), 50).await;
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
    let alerts = t.events(post.id).await;
    assert!(alerts.iter().any(|event| event.kind == "post.overdue"));
    t.sim.clear_faults(Some(asking));
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    assert_eq!(t.sim.inits().len(), 1);
}
