//! What TikTok's refusals of an init mean: who must act, and whether time alone helps.

use std::time::Duration;

use clipqueue::domain::{
    accounts::{self, SCOPE_MISSING},
    next_action::{NextActor, next_action},
    post_settings::{DirectSettings, PrivacyLevel},
};
use clipqueue_entities::{
    evidence::EvidenceSource,
    job::JobState,
    post::{self, PostState},
};
use tiktok_sim::{AccountPatch, Consent, Endpoint, FaultKind};

use crate::support::{
    app::TestApp,
    flows::{DAY, MINUTE},
};

crate::on_both_stacks!(
    each_refusal_that_a_window_cures_holds_the_post_until_then,
    each_refusal_for_good_fails_the_post_with_its_class,
    a_full_inbox_holds_the_draft_and_lets_it_go_when_there_is_room,
    a_creator_who_posted_too_much_waits_a_day,
    a_scope_that_is_missing_holds_until_the_creator_grants_it,
    an_app_without_the_product_holds_the_post_as_well,
    a_banned_creator_fails_and_is_not_asked_again,
    an_unaudited_app_fails_at_a_public_account,
);

fn refusal(code: &str, status: u16) -> FaultKind {
    FaultKind::ApiCode {
        code: code.to_owned(),
        status,
    }
}

async fn proof_of(t: &TestApp, post: &post::Model, code: &str) {
    let attempts = t.attempts(post.id).await;
    let last = attempts.last().unwrap();
    assert_eq!(last.error_code.as_deref(), Some(code));
    assert!(last.log_id.is_some() && last.open_key.is_none(), "{code}");
    let evidence = t.evidence(post.id).await;
    let answer = evidence
        .iter()
        .find(|proof| proof.code.as_deref() == Some(code))
        .unwrap();
    assert_eq!(answer.source, EvidenceSource::TiktokApi);
    assert!(answer.log_id.is_some() && answer.http_status.is_some());
}

async fn each_refusal_that_a_window_cures_holds_the_post_until_then(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let quarter = Duration::from_secs(900);
    let cases = [
        ("spam_risk_too_many_posts", "creator_cap", DAY, false),
        ("reached_active_user_cap", "app_user_cap", DAY, false),
        (
            "spam_risk_too_many_pending_share",
            "pending_drafts_cap",
            quarter,
            true,
        ),
    ];
    let model = accounts::for_worker(&t.app, account).await.unwrap();
    for (code, reason, wait, draft) in cases {
        let endpoint = if draft {
            Endpoint::InboxInit
        } else {
            Endpoint::VideoInit
        };
        t.fault(endpoint, refusal(code, 403));
        let mut new = TestApp::captioned(account, media, code);
        if draft {
            new = TestApp::inbox(account, media);
        }
        let asked_at = t.clock.now();
        let post = t.post(new).await;
        t.drain().await;
        let held = t.reload(post.id).await;
        assert_eq!(held.state, PostState::Held, "{code}");
        assert_eq!(held.hold_reason.as_deref(), Some(reason));
        assert_eq!(held.hold_until, Some(asked_at + wait));
        assert!(held.deadline_at > held.hold_until);
        assert_eq!(next_action(&held, &model).unwrap().at, held.hold_until);
        proof_of(&t, &held, code).await;
        let calls = t.calls(endpoint).len();

        t.advance(wait - Duration::from_secs(1));
        t.drain().await;
        assert_eq!(t.reload(post.id).await.state, PostState::Held, "{code}");
        assert_eq!(t.calls(endpoint).len(), calls, "{code}: asked too early");
        let end = if draft {
            PostState::InInbox
        } else {
            PostState::Published
        };
        t.run_until(post.id, end).await;
        t.advance(MINUTE);
    }
}

async fn each_refusal_for_good_fails_the_post_with_its_class(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let cases = [
        ("spam_risk_user_banned_from_posting", 403, "creator"),
        (
            "unaudited_client_can_only_post_to_private_accounts",
            403,
            "operator",
        ),
        ("privacy_level_option_mismatch", 403, "creator"),
        ("app_version_check_failed", 400, "creator"),
        ("invalid_params", 400, "operator"),
        ("invalid_file_upload", 400, "creator"),
        ("a_code_of_tomorrow", 403, "operator"),
    ];
    for (code, status, class) in cases {
        t.fault(Endpoint::VideoInit, refusal(code, status));
        let post = t.post(TestApp::captioned(account, media, code)).await;
        t.drain().await;
        let failed = t.reload(post.id).await;
        assert_eq!(failed.state, PostState::Failed, "{code}");
        assert_eq!(failed.failure_class.as_deref(), Some(class), "{code}");
        assert_eq!(failed.failure_code.as_deref(), Some(code));
        assert!(
            failed
                .failure_message
                .is_some_and(|text| text.ends_with('.'))
        );
        assert!(!failed.failure_retryable && failed.deadline_at.is_none());
        proof_of(&t, &post, code).await;
        assert_eq!(t.upload_job(post.id).await.state, JobState::Cancelled);
        t.advance(MINUTE);
    }
    let calls = t.calls(Endpoint::VideoInit).len();
    t.pass(DAY, 4).await;
    assert_eq!(
        t.calls(Endpoint::VideoInit).len(),
        calls,
        "nothing is tried again"
    );
    assert!(t.sim.publishes().is_empty());
}

async fn a_full_inbox_holds_the_draft_and_lets_it_go_when_there_is_room(mut t: TestApp) {
    t.sim.expect_refusal("spam_risk_too_many_pending_share");
    t.sim.configure(|config| config.caps.pending_drafts = 1);
    let (account, media) = t.ready().await;
    let first = t.post(TestApp::inbox(account, media)).await;
    t.run_until(first.id, PostState::InInbox).await;
    let long: &'static [u8] =
        Box::leak(crate::support::flows::long_clip(700_000).into_boxed_slice());
    let other = t.upload_bytes(long).await;
    let second = t.post(TestApp::inbox(account, other)).await;
    t.run_until(second.id, PostState::Held).await;
    // Still no room: it is asked now and then, and held again.
    t.pass(Duration::from_secs(1_800), 4).await;
    let held = t.reload(second.id).await;
    assert_eq!(held.state, PostState::Held);
    assert_eq!(
        t.upload_job(second.id).await.attempt,
        0,
        "waiting costs nothing"
    );

    let publish_id = t.attempts(first.id).await[0].publish_id.clone().unwrap();
    t.sim
        .finish_draft(&publish_id, "PUBLIC_TO_EVERYONE", "posted")
        .unwrap();
    t.run_until(second.id, PostState::InInbox).await;
}

async fn a_creator_who_posted_too_much_waits_a_day(mut t: TestApp) {
    t.sim.expect_refusal("spam_risk_too_many_posts");
    t.sim.configure(|config| config.caps.posts_per_creator = 1);
    let (account, media) = t.ready().await;
    let first = t.post(TestApp::captioned(account, media, "first")).await;
    let second = t.post(TestApp::captioned(account, media, "second")).await;
    let mut states = Vec::new();
    t.drain().await;
    t.advance(Duration::from_secs(10));
    t.drain().await;
    for id in [first.id, second.id] {
        states.push(t.reload(id).await.state);
    }
    assert!(states.contains(&PostState::Held), "{states:?}");
    let held = if states[0] == PostState::Held {
        first.id
    } else {
        second.id
    };
    let post = t.reload(held).await;
    assert_eq!(post.hold_reason.as_deref(), Some("creator_cap"));
    t.pass(DAY - MINUTE, 24).await;
    assert_eq!(t.reload(held).await.state, PostState::Held);
    assert_eq!(t.sim.publishes().len(), 1);
    t.run_until(held, PostState::Published).await;
    assert_eq!(t.sim.publishes().len(), 2);
}

async fn a_scope_that_is_missing_holds_until_the_creator_grants_it(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let post = t
        .post(clipqueue::domain::posts::NewPost {
            publish_at: Some(t.clock.now() + Duration::from_secs(600)),
            ..TestApp::direct(account, media)
        })
        .await;
    let narrow = ["user.info.basic", "video.upload"].map(str::to_owned);
    t.connect_with("creator", &Consent::Scopes(narrow.to_vec()))
        .await
        .unwrap();
    t.run_until(post.id, PostState::Held).await;
    let held = t.reload(post.id).await;
    assert_eq!(held.hold_reason.as_deref(), Some(SCOPE_MISSING));
    let model = accounts::for_worker(&t.app, account).await.unwrap();
    assert_eq!(
        next_action(&held, &model).unwrap().actor,
        NextActor::Creator
    );
    assert_eq!(t.upload_job(post.id).await.state, JobState::Held);
    t.pass(DAY, 4).await;
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Held);
    assert!(t.calls(Endpoint::VideoInit).is_empty());

    t.connect("creator").await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn an_app_without_the_product_holds_the_post_as_well(mut t: TestApp) {
    t.sim.expect_refusal("scope_not_authorized");
    let post = t.direct_post().await;
    t.sim.configure(|config| config.direct_post_enabled = false);
    t.run_until(post.id, PostState::Held).await;
    assert_eq!(
        t.reload(post.id).await.hold_reason.as_deref(),
        Some(SCOPE_MISSING)
    );
    // Connecting again without the product: tried once, held again.
    t.connect("creator").await;
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Held);
    t.sim.configure(|config| config.direct_post_enabled = true);
    t.connect("creator").await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn a_banned_creator_fails_and_is_not_asked_again(mut t: TestApp) {
    t.sim.expect_refusal("spam_risk_user_banned_from_posting");
    let post = t.direct_post().await;
    t.sim.account(
        "creator",
        AccountPatch {
            banned: Some(true),
            ..AccountPatch::default()
        },
    );
    t.run_until(post.id, PostState::Failed).await;
    let failed = t.reload(post.id).await;
    assert_eq!(
        failed.failure_code.as_deref(),
        Some("spam_risk_user_banned_from_posting")
    );
    assert!(
        t.calls(Endpoint::VideoInit).is_empty(),
        "creator info told enough"
    );
}

async fn an_unaudited_app_fails_at_a_public_account(mut t: TestApp) {
    let code = "unaudited_client_can_only_post_to_private_accounts";
    t.sim.expect_refusal(code);
    t.sim.configure(|config| config.audited = false);
    let (account, media) = t.ready().await;
    let mut new = TestApp::direct(account, media);
    new.direct = Some(DirectSettings {
        privacy_level: PrivacyLevel::SelfOnly,
        ..TestApp::choices()
    });
    let post = t.post(new.clone()).await;
    t.run_until(post.id, PostState::Failed).await;
    let failed = t.reload(post.id).await;
    assert_eq!(failed.failure_code.as_deref(), Some(code));
    assert_eq!(failed.failure_class.as_deref(), Some("operator"));

    t.sim.account(
        "creator",
        AccountPatch {
            private: Some(true),
            ..AccountPatch::default()
        },
    );
    t.advance(MINUTE);
    let post = t.post(new).await;
    t.run_until(post.id, PostState::Published).await;
}
