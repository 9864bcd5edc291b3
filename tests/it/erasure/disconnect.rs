//! `disconnectTikTok`: the grant ends at TikTok, the account goes, and nothing else does.

use clipqueue::domain::{
    connect::ConnectError,
    erasure,
    error::{Code, Error},
    posts,
};
use clipqueue_entities::{
    account, media, post,
    post::PostState,
    tombstone::{self, TombstoneKind},
};
use sea_orm::{ActiveValue::Set, EntityTrait as _};
use tiktok_sim::{Consent, Endpoint, FaultKind};

use super::{CAPTION, CREATOR, OTHER, counts, receipt};
use crate::support::{
    app::TestApp,
    flows::{DAY, HOUR, refusals},
};

crate::on_both_stacks!(
    a_disconnected_account_leaves_nothing_and_takes_nothing_else_along,
    a_stale_token_is_refreshed_before_it_is_revoked,
    a_grant_that_is_over_needs_no_end,
    a_grant_whose_new_pair_was_lost_is_left_and_the_receipt_says_so,
    tiktok_is_asked_again_until_it_answers_and_not_for_ever,
    an_erasure_that_begins_late_is_no_less_patient,
    a_batch_is_looked_for_when_it_is_of_one_account,
    the_same_request_is_one_erasure,
    a_creator_who_comes_back_is_somebody_new,
    a_file_that_another_account_came_to_need_is_spared,
);

async fn a_disconnected_account_leaves_nothing_and_takes_nothing_else_along(mut t: TestApp) {
    let (own, other) = (t.connect(CREATOR).await, t.connect(OTHER).await);
    t.busy_account(&own).await;
    let shared = t.upload().await;
    let unused = t.upload().await;
    t.post(TestApp::captioned(own.id, shared, "Quixotic shared"))
        .await;
    let kept = posts::NewPost {
        publish_at: Some(t.clock.now() + DAY),
        ..TestApp::captioned(other.id, shared, "Wanderlust")
    };
    let kept = t.post(kept).await;
    let user = t.actor.user_id;
    let identifiers = t.known_by(user, Some(own.id), &[CAPTION, "Quixotic"]).await;

    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    assert!(t.sim.is_connected(CREATOR), "the worker does it");
    let status = t.erased(&accepted).await;

    assert!(!t.sim.is_connected(CREATOR));
    assert!(t.sim.is_connected(OTHER));
    assert_eq!(counts(&status, "revoke")["revoked"], 1);
    t.assert_gone(&identifiers, &status).await;
    let handed = &receipt(&status)["handed_to_tiktok_before"];
    assert_eq!(handed.as_array().unwrap().len(), 2, "{handed}");

    let accounts = account::Entity::find().all(t.app.db.read()).await.unwrap();
    assert_eq!(accounts.len(), 1);
    assert_eq!(t.reload(kept.id).await.state, PostState::Scheduled);
    for file in [shared, unused] {
        assert!(t.app.media.get(user, file).await.is_ok());
        assert!(t.app.media.stored_objects(file).await.unwrap() > 0);
    }
    t.advance(DAY);
    t.run_until(kept.id, PostState::Published).await;
}

async fn a_stale_token_is_refreshed_before_it_is_revoked(mut t: TestApp) {
    let own = t.connect(CREATOR).await;
    t.advance(HOUR * 3);
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;
    assert_eq!(counts(&status, "revoke")["revoked"], 1);
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 1);
    assert!(!t.sim.is_connected(CREATOR));
}

async fn a_grant_that_is_over_needs_no_end(mut t: TestApp) {
    let own = t.connect(CREATOR).await;
    t.sim.disconnect(CREATOR, 1).unwrap();
    t.sim.expect_refusal("invalid_grant");
    t.sim.expect_broken(tiktok_sim::Rule::DeadRefreshTokenUsed);
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;
    assert_eq!(counts(&status, "revoke")["over_before"], 1);
}

async fn a_grant_whose_new_pair_was_lost_is_left_and_the_receipt_says_so(mut t: TestApp) {
    let own = t.connect(CREATOR).await;
    t.advance(HOUR * 3);
    t.sim.expect_refusal("invalid_grant");
    t.sim.expect_broken(tiktok_sim::Rule::DeadRefreshTokenUsed);
    t.fault(Endpoint::OauthRefresh, FaultKind::LostAfterEffect);
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;
    assert_eq!(counts(&status, "revoke")["left_at_tiktok"], 1);
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 2);
    assert!(t.sim.is_connected(CREATOR));
    let stays = receipt(&status)["stays"].to_string();
    assert!(stays.contains("which TikTok did not end"), "{stays}");
}

async fn tiktok_is_asked_again_until_it_answers_and_not_for_ever(mut t: TestApp) {
    let (own, other) = (t.connect(CREATOR).await, t.connect(OTHER).await);
    t.fault(Endpoint::OauthRevoke, FaultKind::Status { status: 503 });
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "first")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;
    assert_eq!(counts(&status, "revoke")["revoked"], 1);

    t.fault_always(Endpoint::OauthRevoke, FaultKind::Status { status: 503 });
    let accepted = erasure::disconnect(&t.app, &t.actor, other.id, "second")
        .await
        .unwrap();
    t.drain().await;
    assert!(
        !erasure::by_code(&t.app, &accepted.code)
            .await
            .unwrap()
            .is_complete
    );
    for _ in 0..30 {
        t.advance(HOUR);
        t.drain().await;
    }
    let status = t.erased(&accepted).await;
    assert_eq!(counts(&status, "revoke")["left_at_tiktok"], 1);
    let stays = receipt(&status)["stays"].to_string();
    assert!(stays.contains("which TikTok did not end"), "{stays}");
}

async fn an_erasure_that_begins_late_is_no_less_patient(mut t: TestApp) {
    let own = t.connect(CREATOR).await;
    t.app.queue.pause("purge").await.unwrap();
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    t.advance(HOUR * 25);
    t.fault(Endpoint::OauthRevoke, FaultKind::Status { status: 503 });
    t.app.queue.resume("purge").await.unwrap();
    let status = t.erased(&accepted).await;
    assert_eq!(t.calls(Endpoint::OauthRevoke).len(), 2);
    assert_eq!(counts(&status, "revoke")["revoked"], 1);
    let stays = receipt(&status)["stays"].to_string();
    assert!(!stays.contains("which TikTok did not end"), "{stays}");
}

async fn a_batch_is_looked_for_when_it_is_of_one_account(mut t: TestApp) {
    let (own, other) = (t.connect(CREATOR).await, t.connect(OTHER).await);
    let media = t.upload().await;
    let (alone, shared) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    for (account, batch, text) in [
        (own.id, alone, "Quixotic one"),
        (own.id, shared, "Quixotic two"),
        (other.id, shared, "Wanderlust"),
    ] {
        let draft = posts::NewPost {
            keep_draft: true,
            ..TestApp::captioned(account, media, text)
        };
        let post = t.post(draft).await;
        t.overwrite(post.id, |row| row.batch_id = Set(Some(batch)))
            .await;
    }
    let user = t.actor.user_id;
    let identifiers = t.known_by(user, Some(own.id), &[]).await;
    assert!(identifiers.contains(&alone.to_string()));
    assert!(!identifiers.contains(&shared.to_string()));
    let all = t.known_by(user, None, &[]).await;
    assert!(all.contains(&shared.to_string()));
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;
    t.assert_gone(&identifiers, &status).await;
}

async fn the_same_request_is_one_erasure(mut t: TestApp) {
    let own = t.connect(CREATOR).await;
    let first = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    let again = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    assert_eq!(first.code, again.code);
    let other = erasure::disconnect(&t.app, &t.actor, own.id, "another").await;
    assert!(matches!(other, Err(Error::NotFound)), "it is gone already");
    t.erased(&first).await;
    let late = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    assert_eq!(first.code, late.code);
    let wrong = erasure::delete_user(&t.app, &t.actor, "somebody", "key").await;
    assert_eq!(refusals(wrong)[0].code, Code::Invalid);
}

async fn a_creator_who_comes_back_is_somebody_new(mut t: TestApp) {
    let own = t.connect(CREATOR).await;
    t.busy_account(&own).await;
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    // The grant of the early consent is ended at once, and with it the one that was there.
    t.sim.expect_refusal("invalid_grant");
    t.sim.expect_broken(tiktok_sim::Rule::DeadRefreshTokenUsed);
    let early = t.connect_with(CREATOR, &Consent::All).await;
    assert!(matches!(early, Err(ConnectError::Leaving)), "{early:?}");
    t.erased(&accepted).await;
    assert!(!t.sim.is_connected(CREATOR));
    let back = t.connect(CREATOR).await;
    assert_ne!(back.id, own.id);
    let posts = post::Entity::find().all(t.app.db.read()).await.unwrap();
    assert!(posts.is_empty());
    let files = media::Entity::find().all(t.app.db.read()).await.unwrap();
    assert!(files.is_empty(), "{files:?}");
    let media = t.upload().await;
    let post = t
        .post(TestApp::captioned(back.id, media, "Back again"))
        .await;
    t.run_until(post.id, PostState::Published).await;

    // Erased again, the creator is known for as long as the newer erasure is.
    let again = erasure::disconnect(&t.app, &t.actor, back.id, "leave-again")
        .await
        .unwrap();
    t.erased(&again).await;
    let tombstones = tombstone::Entity::find().all(t.app.db.read()).await;
    let creators: Vec<_> = tombstones
        .unwrap()
        .into_iter()
        .filter(|row| row.kind == TombstoneKind::Creator)
        .collect();
    assert_eq!(creators.len(), 1, "{creators:?}");
    assert_eq!(creators[0].erasure_id, again.erasure.id);
}

async fn a_file_that_another_account_came_to_need_is_spared(mut t: TestApp) {
    let (own, other) = (t.connect(CREATOR).await, t.connect(OTHER).await);
    let (file, free) = (t.upload().await, t.upload().await);
    for (media, text) in [(file, "Quixotic one"), (free, "Quixotic two")] {
        let later = posts::NewPost {
            publish_at: Some(t.clock.now() + DAY),
            ..TestApp::captioned(own.id, media, text)
        };
        t.post(later).await;
    }
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    let mut steps = t.steps();
    let (held, run) = t.claim_kind(&mut steps, "erase").await;
    erasure::list_handed(&t.app, &run.lease, &accepted.erasure)
        .await
        .unwrap();
    // Both are on the list, and now another account's post is accepted with one of them.
    let kept = t
        .post(TestApp::captioned(other.id, file, "Wanderlust"))
        .await;
    let snoozed = Ok(clipqueue::queue::Outcome::Snooze(std::time::Duration::ZERO));
    steps.end(held, snoozed).await;
    let status = t.erased(&accepted).await;
    assert_eq!(counts(&status, "delete_media")["files"], 1);
    assert_eq!(t.app.media.stored_objects(free).await.unwrap(), 0);
    t.run_until(kept.id, PostState::Published).await;
}
