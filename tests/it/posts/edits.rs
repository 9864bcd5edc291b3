//! Edits: of the version that the caller saw, and only before the post begins.

use std::time::Duration;

use clipqueue::domain::{
    error::Code,
    post_settings::{DirectSettings, PrivacyLevel},
    posts::{self, NewPost, PostEdit},
};
use clipqueue_entities::{PostId, post, post::PostState};

use crate::support::{
    app::TestApp,
    flows::{HOUR, codes, refusals},
};

crate::on_both_stacks!(
    an_edit_changes_what_it_names_and_nothing_else,
    an_edit_of_an_old_version_is_refused,
    of_two_edits_at_once_one_is_refused,
    other_choices_need_another_agreement,
    an_edit_is_checked_like_a_new_post,
    a_draft_is_sent_when_it_is_submitted,
    what_has_begun_cannot_be_edited,
    an_edit_while_the_post_starts_neither_stops_nor_doubles_it,
);

async fn later(t: &TestApp) -> post::Model {
    let (account, media) = t.ready().await;
    t.post(NewPost {
        publish_at: Some(t.clock.now() + HOUR),
        ..TestApp::direct(account, media)
    })
    .await
}

async fn edit(
    t: &TestApp,
    id: PostId,
    version: i32,
    edit: PostEdit,
) -> clipqueue::domain::error::Result<post::Model> {
    posts::update(&t.app, &t.actor, id, version, edit).await
}

fn caption(text: &str) -> PostEdit {
    PostEdit {
        caption: Some(text.to_owned()),
        ..PostEdit::default()
    }
}

async fn an_edit_changes_what_it_names_and_nothing_else(mut t: TestApp) {
    let before = later(&t).await;
    let after = edit(
        &t,
        before.id,
        1,
        PostEdit {
            experiment_label: Some(Some("blue".to_owned())),
            ..caption("A better caption")
        },
    )
    .await
    .unwrap();
    assert_eq!(
        (after.version, after.caption.as_str()),
        (2, "A better caption")
    );
    assert_eq!(after.experiment_label.as_deref(), Some("blue"));
    assert_eq!(after.publish_at, before.publish_at);
    assert_eq!(after.settings, before.settings);
    assert_eq!(after.consent_at, before.consent_at);
    assert_eq!(after.state, PostState::Scheduled);
    let gone = PostEdit {
        experiment_label: Some(None),
        ..PostEdit::default()
    };
    let cleared = edit(&t, before.id, 2, gone).await.unwrap();
    assert_eq!((cleared.version, cleared.experiment_label), (3, None));
    let edits = t.events(before.id).await;
    let edits = edits.iter().filter(|event| event.kind == "post.edited");
    assert!(edits.clone().all(|event| event.evidence_id.is_some()));
    assert_eq!(edits.count(), 2);
    t.advance(HOUR);
    t.run_until(before.id, PostState::Published).await;
    assert_eq!(t.sim.publishes()[0].caption, "A better caption");
}

async fn an_edit_of_an_old_version_is_refused(t: TestApp) {
    let post = later(&t).await;
    edit(&t, post.id, 1, caption("first")).await.unwrap();
    let refused = refusals(edit(&t, post.id, 1, caption("second")).await);
    assert_eq!(refused[0].code, Code::VersionConflict);
    assert_eq!(refused[0].field, ["input", "expectedVersion"]);
    assert!(refused[0].message.contains("version 2"));
    assert_eq!(t.reload(post.id).await.caption, "first");
}

async fn of_two_edits_at_once_one_is_refused(t: TestApp) {
    let post = later(&t).await;
    let (one, two) = tokio::join!(
        edit(&t, post.id, 1, caption("one")),
        edit(&t, post.id, 1, caption("two"))
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let refused = if one.is_err() { one } else { two };
    assert_eq!(codes(refused), [Code::VersionConflict]);
    assert_eq!(t.reload(post.id).await.version, 2);
}

async fn other_choices_need_another_agreement(t: TestApp) {
    let post = later(&t).await;
    let branded = DirectSettings {
        discloses_commercial: true,
        branded_content: true,
        ..TestApp::choices()
    };
    let without = PostEdit {
        direct: Some(branded),
        ..PostEdit::default()
    };
    assert_eq!(
        codes(edit(&t, post.id, 1, without.clone()).await),
        [Code::ConsentRequired]
    );
    t.advance(Duration::from_secs(60));
    let with = PostEdit {
        creator_consent: true,
        ..without
    };
    let edited = edit(&t, post.id, 1, with).await.unwrap();
    assert_eq!(post.consent_version.as_deref(), Some("music-usage"));
    assert_eq!(
        edited.consent_version.as_deref(),
        Some("branded-content-and-music-usage")
    );
    assert_eq!(edited.consent_at, Some(t.clock.now()));
}

async fn an_edit_is_checked_like_a_new_post(t: TestApp) {
    let post = later(&t).await;
    let long = "x".repeat(2_201);
    assert_eq!(
        codes(edit(&t, post.id, 1, caption(&long)).await),
        [Code::TooLong]
    );
    let not_offered = PostEdit {
        direct: Some(DirectSettings {
            privacy_level: PrivacyLevel::FollowerOfCreator,
            ..TestApp::choices()
        }),
        creator_consent: true,
        ..PostEdit::default()
    };
    assert_eq!(
        codes(edit(&t, post.id, 1, not_offered).await),
        [Code::PrivacyNotOffered]
    );
    let inbox = t.post(TestApp::inbox(post.account_id, post.media_id)).await;
    let direct = PostEdit {
        direct: Some(TestApp::choices()),
        creator_consent: true,
        ..PostEdit::default()
    };
    let refused = refusals(edit(&t, inbox.id, 1, direct).await);
    assert!(refused[0].message.contains("inbox"), "{refused:?}");
    assert_eq!(t.reload(post.id).await, post);
}

async fn a_draft_is_sent_when_it_is_submitted(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let draft = t
        .post(NewPost {
            keep_draft: true,
            creator_consent: false,
            ..TestApp::direct(account, media)
        })
        .await;
    assert_eq!((draft.state, draft.deadline_at), (PostState::Draft, None));
    t.pass(HOUR * 24 * 30, 5).await;
    t.fire_crons().await;
    assert_eq!(t.reload(draft.id).await.state, PostState::Draft);
    assert!(t.jobs("upload_post").await.is_empty());
    let early = posts::submit(&t.app, &t.actor, draft.id).await;
    assert_eq!(codes(early), [Code::ConsentRequired]);
    let agreed = PostEdit {
        direct: Some(TestApp::choices()),
        creator_consent: true,
        ..caption("submitted")
    };
    edit(&t, draft.id, 1, agreed).await.unwrap();
    let (one, two) = tokio::join!(
        posts::submit(&t.app, &t.actor, draft.id),
        posts::submit(&t.app, &t.actor, draft.id)
    );
    assert_eq!(one.unwrap().state, PostState::Scheduled);
    assert_eq!(two.unwrap().state, PostState::Scheduled);
    t.run_until(draft.id, PostState::Published).await;
    t.assert_published_once(draft.id).await;
}

async fn what_has_begun_cannot_be_edited(mut t: TestApp) {
    let id = t.begin_three_chunks("begun").await.id;
    let refuse = async |t: &TestApp| {
        let refused = refusals(edit(t, id, 1, caption("late")).await);
        assert_eq!(refused[0].code, Code::WrongState);
        assert!(refused[0].message.contains("can be edited"));
    };
    assert_eq!(t.reload(id).await.state, PostState::Uploading);
    refuse(&t).await;
    t.run_until(id, PostState::Published).await;
    refuse(&t).await;
}

async fn an_edit_while_the_post_starts_neither_stops_nor_doubles_it(mut t: TestApp) {
    let post = later(&t).await;
    t.advance(HOUR);
    let mut steps = t.steps();
    let (held, run) = t.claim_one(&mut steps).await;
    let at = Some(t.clock.now() + HOUR);
    let moved = PostEdit {
        publish_at: Some(at),
        ..PostEdit::default()
    };
    assert_eq!(codes(edit(&t, post.id, 1, moved).await), [Code::WrongState]);
    // What needs no other time is taken as long as nothing was sent.
    edit(&t, post.id, 1, caption("just in time")).await.unwrap();
    let ran = (t.runner())(run).await;
    steps.end(held, ran).await;
    t.run_until(post.id, PostState::Published).await;
    assert_eq!(t.appearances("just in time"), 1);
    assert_eq!(t.sim.publishes().len(), 1);
}
