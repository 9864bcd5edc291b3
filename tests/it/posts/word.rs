//! A person's word about a post: the creator's, an operator's, and TikTok's that comes after it.

use std::time::Duration;

use clipqueue::domain::{
    actor::Scope,
    error::{Code, Error},
    posts::{self, Word},
    videos,
};
use clipqueue_entities::{PostId, evidence::EvidenceSource, post::PostState};
use tiktok_sim::{Consent, Endpoint, FaultKind};

use crate::support::{
    app::{CLIP, TestApp},
    flows::{DAY, HOUR, MINUTE, codes, long_clip, refusals},
};

crate::on_both_stacks!(
    a_creator_who_saw_the_post_settles_the_doubt,
    not_posted_is_believed_after_a_while_and_retried_after_tiktok_was_asked,
    a_retry_finds_out_that_the_first_came_through,
    late_truth_stops_the_second_attempt,
    a_draft_that_the_creator_threw_away_lapses,
    a_word_that_makes_no_sense_is_refused,
    one_key_says_one_thing,
    an_operator_settles_anybodys_post_with_a_reason,
);

fn posted() -> Word {
    Word {
        posted: true,
        video_id: None,
        share_url: None,
    }
}

fn not_posted() -> Word {
    Word {
        posted: false,
        ..posted()
    }
}

/// A doubt about which neither status nor the list of videos says anything.
async fn doubted(t: &mut TestApp, upload: FaultKind) -> PostId {
    let scopes = ["user.info.basic", "video.upload", "video.publish"];
    let some = Consent::Scopes(scopes.map(str::to_owned).to_vec());
    let account = t.connect_with("creator", &some).await.unwrap();
    let media = t.upload().await;
    t.fault(Endpoint::Upload, upload);
    t.fault_always(Endpoint::Status, FaultKind::Status { status: 503 });
    let post = t.post(TestApp::direct(account.id, media)).await;
    t.run_until(post.id, PostState::Unconfirmed).await;
    post.id
}

async fn a_creator_who_saw_the_post_settles_the_doubt(mut t: TestApp) {
    let id = doubted(&mut t, FaultKind::LostAfterEffect).await;
    t.advance(Duration::from_secs(10));
    let video = t.sim.videos(Some("creator")).remove(0).id;
    let word = Word {
        share_url: Some(format!(
            "https://www.tiktok.com/@creator/video/{video}?_r=1&utm_source=copy"
        )),
        ..posted()
    };
    let post = posts::confirm(&t.app, &t.actor, id, &word, "seen")
        .await
        .unwrap();
    assert_eq!(post.state, PostState::Published);
    assert_eq!(post.tiktok_post_ids, serde_json::json!([video.to_string()]));
    let url = format!("https://www.tiktok.com/@creator/video/{video}");
    assert_eq!(post.share_url.as_deref(), Some(url.as_str()));
    let proof = t.evidence(id).await.pop().unwrap();
    assert_eq!(proof.source, EvidenceSource::Creator);
    assert_eq!(proof.subject, "confirmPost");
    assert_eq!(proof.body["video_id"], video.to_string());
    let attempts = t.attempts(id).await;
    assert_eq!(attempts[0].outcome.as_deref(), Some("seen_posted"));
    t.sim.clear_faults(None);
    t.pass(HOUR, 10).await;
    t.assert_published_once(id).await;
    assert_eq!(
        videos::of_posts(&t.app, t.actor.user_id, &[id])
            .await
            .unwrap()
            .len(),
        1
    );
}

async fn not_posted_is_believed_after_a_while_and_retried_after_tiktok_was_asked(mut t: TestApp) {
    let id = doubted(&mut t, FaultKind::LostBeforeEffect).await;
    let early = posts::confirm(&t.app, &t.actor, id, &not_posted(), "early").await;
    let refusal = refusals(early).remove(0);
    assert_eq!(refusal.code, Code::WrongState);
    let believable = refusal.retry_at.unwrap();
    t.pass(believable.since(t.clock.now()), 10).await;
    // What was refused was not recorded: the same key may say it now.
    let post = posts::confirm(&t.app, &t.actor, id, &not_posted(), "early")
        .await
        .unwrap();
    assert_eq!(post.state, PostState::Failed);
    assert_eq!(post.failure_code.as_deref(), Some("not_posted"));
    assert!(post.failure_retryable);

    posts::retry(&t.app, &t.actor, id, "again").await.unwrap();
    t.drain().await;
    // As long as TikTok does not answer, nothing is sent.
    assert_eq!(t.sim.inits().len(), 1);
    let before = t.calls(Endpoint::Status).len();
    t.sim.clear_faults(None);
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    assert_eq!(t.attempts(id).await.len(), 2);
    let asked = t.calls(Endpoint::Status);
    assert_eq!(asked[before].publish_id, t.attempts(id).await[0].publish_id);
}

async fn a_retry_finds_out_that_the_first_came_through(mut t: TestApp) {
    let id = doubted(&mut t, FaultKind::LostAfterEffect).await;
    t.pass(MINUTE * 16, 10).await;
    posts::confirm(&t.app, &t.actor, id, &not_posted(), "wrong")
        .await
        .unwrap();
    posts::retry(&t.app, &t.actor, id, "again").await.unwrap();
    t.sim.clear_faults(None);
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    assert_eq!(t.sim.inits().len(), 1, "it was not sent again");
    let attempts = t.attempts(id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].outcome.as_deref(), Some("published"));
    let states = t.states(id).await;
    let end = &states[states.len() - 3..];
    assert_eq!(
        end,
        ["failed", "scheduled", "published"],
        "the truth is shown"
    );
}

/// The creator said "not there", another attempt is being made, and TikTok tells that the first one is
/// out: the second one is never made.
async fn late_truth_stops_the_second_attempt(mut t: TestApp) {
    let id = doubted(&mut t, FaultKind::LostAfterEffect).await;
    t.pass(MINUTE * 16, 10).await;
    posts::confirm(&t.app, &t.actor, id, &not_posted(), "wrong")
        .await
        .unwrap();
    posts::retry(&t.app, &t.actor, id, "again").await.unwrap();
    // TikTok does not know the first publish for the moment, so that the word of the person stands.
    t.sim.clear_faults(None);
    let unknown = FaultKind::ApiCode {
        code: "invalid_publish_id".to_owned(),
        status: 400,
    };
    let unknown = t.fault_always(Endpoint::Status, unknown);
    let no_init = t.fault_always(Endpoint::VideoInit, FaultKind::Status { status: 500 });
    for _ in 0..20 {
        t.drain().await;
        if t.attempts(id).await.len() > 1 {
            break;
        }
        t.advance(Duration::from_secs(5));
    }
    let attempts = t.attempts(id).await;
    assert!(attempts.len() > 1, "another attempt is being made");
    let publish_id = attempts[0].publish_id.clone().unwrap();
    let account = t.reload(id).await.account_id;
    let row = clipqueue::domain::accounts::for_worker(&t.app, account).await;
    let open_id = row.unwrap().open_id;
    t.sim.clear_faults(Some(unknown));
    t.take_notice("post.publish.complete", &open_id, &publish_id)
        .await;
    t.run_until(id, PostState::Published).await;
    t.sim.clear_faults(Some(no_init));
    t.pass(HOUR, 30).await;
    t.assert_published_once(id).await;
    assert_eq!(t.sim.publishes().len(), 1, "the second was never made");
    let attempts = t.attempts(id).await;
    assert_eq!(attempts[0].outcome.as_deref(), Some("published"));
}

async fn a_draft_that_the_creator_threw_away_lapses(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let post = t.post(TestApp::inbox(account, media)).await;
    t.run_until(post.id, PostState::InInbox).await;
    let publish_id = t.attempts(post.id).await[0].publish_id.clone().unwrap();
    t.sim.discard_draft(&publish_id).unwrap();
    let lapsed = posts::confirm(&t.app, &t.actor, post.id, &not_posted(), "gone")
        .await
        .unwrap();
    assert_eq!(lapsed.state, PostState::Lapsed);
    t.pass(DAY, 10).await;
    assert_eq!(t.reload(post.id).await.state, PostState::Lapsed);

    // Another one was finished by hand, and the creator says where.
    let file = t.upload_bytes(long_clip(CLIP.len() + 5_000).leak()).await;
    let other = t.post(TestApp::inbox(account, file)).await;
    t.run_until(other.id, PostState::InInbox).await;
    let word = Word {
        video_id: Some("7412345678901234567".to_owned()),
        ..posted()
    };
    let seen = posts::confirm(&t.app, &t.actor, other.id, &word, "mine")
        .await
        .unwrap();
    assert_eq!(seen.state, PostState::Published);
    assert_eq!(seen.tiktok_post_ids[0], "7412345678901234567");
}

async fn a_word_that_makes_no_sense_is_refused(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let post = t.post(TestApp::direct(account, media)).await;
    let early = posts::confirm(&t.app, &t.actor, post.id, &posted(), "1").await;
    assert_eq!(codes(early), [Code::WrongState]);
    t.run_until(post.id, PostState::Published).await;
    let late = posts::confirm(&t.app, &t.actor, post.id, &not_posted(), "2").await;
    assert_eq!(codes(late), [Code::WrongState], "what is out stays out");
    let with = |video_id: Option<&str>, share_url: Option<&str>, posted| Word {
        posted,
        video_id: video_id.map(str::to_owned),
        share_url: share_url.map(str::to_owned),
    };
    let link = "https://www.tiktok.com/@a/video/71";
    for (word, field) in [
        (with(Some("7.4e18"), None, true), "videoId"),
        (with(Some(""), None, true), "videoId"),
        (with(Some("72"), Some(link), true), "videoId"),
        (
            with(None, Some("https://vm.tiktok.com/ZM1/"), true),
            "shareUrl",
        ),
        (
            with(None, Some("https://evil.example/@a/video/7"), true),
            "shareUrl",
        ),
        (with(Some("71"), None, false), "posted"),
    ] {
        let refused = posts::confirm(&t.app, &t.actor, post.id, &word, "3").await;
        let refusal = refusals(refused).remove(0);
        assert_eq!(refusal.field, ["input", field], "{word:?}");
        assert_eq!(refusal.code, Code::Invalid);
    }
    let (stranger, _) = TestApp::user(&t.app, "bob", &Scope::ALL).await;
    let foreign = posts::confirm(&t.app, &stranger, post.id, &posted(), "4").await;
    assert!(matches!(foreign, Err(Error::NotFound)));
}

async fn one_key_says_one_thing(mut t: TestApp) {
    let id = doubted(&mut t, FaultKind::LostAfterEffect).await;
    let first = posts::confirm(&t.app, &t.actor, id, &posted(), "key")
        .await
        .unwrap();
    let proofs = t.evidence(id).await.len();
    let second = posts::confirm(&t.app, &t.actor, id, &posted(), "key")
        .await
        .unwrap();
    assert_eq!(first.state_since, second.state_since);
    assert_eq!(t.evidence(id).await.len(), proofs);
    let other = posts::confirm(&t.app, &t.actor, id, &not_posted(), "key").await;
    assert_eq!(codes(other), [Code::IdempotencyMismatch]);
    t.sim.clear_faults(None);
    t.pass(HOUR, 10).await;
    t.assert_published_once(id).await;
}

async fn an_operator_settles_anybodys_post_with_a_reason(mut t: TestApp) {
    let id = doubted(&mut t, FaultKind::LostAfterEffect).await;
    let (operator, _) = TestApp::user(&t.app, "operator", &[Scope::OpsWrite]).await;
    let silent = posts::settle(&t.app, &operator, id, &posted(), " ", "k").await;
    assert_eq!(codes(silent), [Code::Invalid]);
    let nobody = posts::settle(&t.app, &operator, PostId::new(), &posted(), "x", "k").await;
    assert!(matches!(nobody, Err(Error::NotFound)));
    let post = posts::settle(&t.app, &operator, id, &posted(), "seen on the profile", "k")
        .await
        .unwrap();
    assert_eq!(post.state, PostState::Published);
    let again = posts::settle(&t.app, &operator, id, &posted(), "seen on the profile", "k").await;
    assert_eq!(again.unwrap().state_since, post.state_since);
    // The owner sees who settled it, and why.
    let events = t.events(id).await;
    let change = events
        .iter()
        .rfind(|event| event.kind == "post.state")
        .unwrap();
    let proofs = t.evidence(id).await;
    let proof = proofs
        .iter()
        .find(|proof| Some(proof.id) == change.evidence_id)
        .unwrap();
    assert_eq!(proof.source, EvidenceSource::Operator);
    assert_eq!(proof.body["reason"], "seen on the profile");
    assert_eq!(proof.body["operator"], "operator");
    t.sim.clear_faults(None);
    t.pass(HOUR, 10).await;
    t.assert_published_once(id).await;
}
