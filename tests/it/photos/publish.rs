//! Photos that go well, and what TikTok may do to them after init.

use clipqueue::domain::{posts, pulls};
use clipqueue_entities::post::PostState;
use tiktok_sim::{Endpoint, Script};

use super::gallery::{addresses, attempts, direct, draft, open, recorded, run_until, three};
use crate::support::{app::Stack, flows::HOUR};

crate::on_both_stacks_by_hand!(
    direct_photos_are_fetched_and_published_once,
    a_draft_of_photos_waits_for_its_creator_with_its_texts,
    what_tiktok_cannot_fetch_ends_failed_after_some_tries,
    an_address_that_tiktok_has_not_verified_holds_the_post,
    a_photo_that_tiktok_refuses_fails_the_post,
    a_silent_pull_is_doubted_and_late_truth_wins,
);

async fn direct_photos_are_fetched_and_published_once(stack: Stack) {
    let mut t = open(stack).await;
    let (account, photos) = three(&t).await;
    let mut new = direct(account, &photos, "holiday");
    if let Some(photos) = &mut new.photos {
        photos.cover_index = 1;
    }
    let post = t.post(new).await;
    let post = run_until(&mut t, post.id, PostState::Published).await;
    assert_eq!(
        t.states(post.id).await,
        [
            "scheduled",
            "preflight",
            "init_sent",
            "processing",
            "published"
        ]
    );
    let inits = t.sim.inits();
    assert_eq!(inits.len(), 1);
    assert_eq!(
        (inits[0].caption.as_str(), inits[0].draft),
        ("holiday", false)
    );
    assert_eq!(t.appearances("holiday"), 1);
    assert!(t.calls(Endpoint::Upload).is_empty());
    // How TikTok builds the addresses of photo posts is not documented, so none is made up.
    assert_eq!(post.tiktok_post_ids.as_array().unwrap().len(), 1);
    assert_eq!(post.share_url, None);

    let fetched = recorded(&t, post.id).await;
    assert_eq!(fetched.len(), 3);
    for photo in &fetched {
        assert_eq!((photo.fetches, photo.heads), (1, 0), "{photo:?}");
        assert_eq!(photo.bytes_served, photo.size, "{photo:?}");
    }
    assert!(
        pulls::summary(&fetched).starts_with("TikTok fetched 3 of 3 photos, the last time at 20")
    );
    assert_eq!(
        fetched.iter().map(|photo| photo.size).sum::<i64>(),
        post.bytes_total
    );
    let came: Vec<_> = t.evidence(post.id).await;
    let came = came
        .iter()
        .filter(|proof| proof.subject == "photos.fetched");
    assert_eq!(came.count(), 1);

    // The addresses ended with the attempt.
    let (attempt, photos) = attempts(&t, post.id).await.pop().unwrap();
    assert!(attempt.open_key.is_none());
    for url in addresses(&t, &attempt, &photos) {
        assert_eq!(reqwest::get(url).await.unwrap().status(), 404);
    }
}

async fn a_draft_of_photos_waits_for_its_creator_with_its_texts(stack: Stack) {
    let mut t = open(stack).await;
    let (account, photos) = three(&t).await;
    let post = t.post(draft(account, &photos[..1], "draft")).await;
    let post = run_until(&mut t, post.id, PostState::InInbox).await;
    // TikTok takes the texts of photos along, so there is nothing to hand over.
    assert!(
        posts::caption_copied(&t.app, &t.actor, post.id)
            .await
            .is_err()
    );
    let publish_id = t.attempts(post.id).await[0].publish_id.clone().unwrap();
    t.sim
        .finish_draft(&publish_id, "PUBLIC_TO_EVERYONE", "draft")
        .unwrap();
    t.pass(HOUR, 30).await;
    assert_eq!(t.reload(post.id).await.state, PostState::Published);
    assert_eq!(t.sim.inits().len(), 1);
}

async fn what_tiktok_cannot_fetch_ends_failed_after_some_tries(stack: Stack) {
    let mut t = open(stack).await;
    t.sim.configure(|config| config.pulls.allow = false);
    let (account, photos) = three(&t).await;
    let post = t.post(direct(account, &photos, "unreachable")).await;
    let mut failed = 0;
    for _ in 0..60 {
        t.drain().await;
        super::gallery::pulled(&t).await;
        t.advance(std::time::Duration::from_secs(20));
        failed = attempts(&t, post.id).await.len();
        if t.reload(post.id).await.state == PostState::Failed {
            break;
        }
    }
    let post = t.reload(post.id).await;
    assert_eq!(post.state, PostState::Failed);
    assert_eq!(post.failure_code.as_deref(), Some("photo_pull_failed"));
    assert_eq!(post.failure_class.as_deref(), Some("operator"));
    assert!(post.failure_retryable);
    // TikTok says that nothing was posted, and that a sound address may be tried again.
    assert_eq!(failed, 3);
    for (attempt, photos) in attempts(&t, post.id).await {
        assert_eq!(attempt.outcome.as_deref(), Some("photo_pull_failed"));
        assert_eq!(
            pulls::summary(&photos),
            "TikTok has not come for the photos"
        );
    }

    t.sim.configure(|config| config.pulls.allow = true);
    posts::retry(&t.app, &t.actor, post.id, "again")
        .await
        .unwrap();
    run_until(&mut t, post.id, PostState::Published).await;
    assert_eq!(t.appearances("unreachable"), 1);
}

async fn an_address_that_tiktok_has_not_verified_holds_the_post(stack: Stack) {
    let mut t = open(stack).await;
    t.sim
        .configure(|config| config.pulls.verified = vec!["other.example".to_owned()]);
    t.sim.expect_refusal("url_ownership_unverified");
    let (account, photos) = three(&t).await;
    let post = t.post(direct(account, &photos, "wrong domain")).await;
    t.drain().await;
    let held = t.reload(post.id).await;
    assert_eq!(held.state, PostState::Held);
    assert_eq!(held.hold_reason.as_deref(), Some("url_unverified"));
    assert!(held.hold_until.is_some());
    let account = clipqueue::domain::accounts::for_worker(&t.app, account)
        .await
        .unwrap();
    let next = clipqueue::domain::next_action::next_action(&held, &account).unwrap();
    assert!(next.text.contains("URL properties"), "{}", next.text);

    t.sim.configure(|config| config.pulls.verified.clear());
    t.advance(HOUR);
    run_until(&mut t, post.id, PostState::Published).await;
    assert_eq!(t.attempts(post.id).await.len(), 2);
    assert_eq!(t.appearances("wrong domain"), 1);
}

async fn a_photo_that_tiktok_refuses_fails_the_post(stack: Stack) {
    let mut t = open(stack).await;
    let (account, photos) = three(&t).await;
    let script = Script {
        fail_reason: Some("picture_size_check_failed".to_owned()),
        ..Script::default()
    };
    t.sim.script("creator", script).unwrap();
    let post = t.post(direct(account, &photos, "refused")).await;
    let post = run_until(&mut t, post.id, PostState::Failed).await;
    assert_eq!(
        post.failure_code.as_deref(),
        Some("picture_size_check_failed")
    );
    assert_eq!(post.failure_class.as_deref(), Some("creator"));
    assert!(!post.failure_retryable);
    assert!(post.failure_message.unwrap().contains("1080"));
    assert_eq!(t.attempts(post.id).await.len(), 1);
}

async fn a_silent_pull_is_doubted_and_late_truth_wins(stack: Stack) {
    let mut t = super::gallery::open_with(stack, &[("posts.processing_deadline", "2h")]).await;
    t.sim
        .configure(|config| config.tokens.access_seconds = 7 * 86_400);
    let (account, photos) = three(&t).await;
    let script = Script {
        processing_ms: Some(4 * 3_600_000),
        ..Script::default()
    };
    t.sim.script("creator", script).unwrap();
    let post = t.post(direct(account, &photos, "slow")).await;
    run_until(&mut t, post.id, PostState::Processing).await;
    t.pass(HOUR * 2, 12).await;
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
    t.pass(HOUR * 3, 30).await;
    assert_eq!(t.reload(post.id).await.state, PostState::Published);
    assert_eq!(t.sim.inits().len(), 1);
}
