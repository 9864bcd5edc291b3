//! What is refused before anything is queued, with a code, a field and what to do.

use clipqueue::{
    config::Config,
    domain::{
        actor::Scope,
        error::{Code, Refusal},
        post_settings::{DirectSettings, PrivacyLevel},
        posts::{self, NewPost},
    },
    media::NewUpload,
};
use clipqueue_entities::post;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use tiktok_sim::{AccountPatch, Consent, Endpoint, FaultKind};

use crate::support::{
    app::TestApp,
    flows::{MINUTE, refusals},
};

crate::on_both_stacks!(
    captions_are_counted_in_utf16_units_and_never_cut,
    what_the_creator_does_not_offer_is_refused,
    what_the_creator_must_agree_to_is_required,
    files_that_are_not_ready_are_refused,
    what_belongs_to_somebody_else_looks_like_nothing,
    an_account_that_cannot_post_is_refused,
    an_unaudited_app_takes_only_private_posts,
    labels_have_a_form,
    several_broken_rules_are_told_together,
    a_silent_tiktok_does_not_stop_a_submission,
);

async fn create(t: &TestApp, new: NewPost) -> clipqueue::domain::error::Result<post::Model> {
    let key = uuid::Uuid::now_v7().to_string();
    posts::create(&t.app, &t.actor, new, &key).await
}

/// A refusal of exactly one rule, with nothing written.
async fn refused(t: &TestApp, new: NewPost, field: &[&str], code: Code) -> Refusal {
    let before = post::Entity::find().count(t.app.db.read()).await.unwrap();
    let mut found = refusals(create(t, new).await);
    assert_eq!(found.len(), 1, "{found:?}");
    let refusal = found.remove(0);
    assert_eq!(refusal.field, field, "{refusal:?}");
    assert_eq!(refusal.code, code);
    assert!(refusal.message.len() > 10, "{refusal:?}");
    let after = post::Entity::find().count(t.app.db.read()).await.unwrap();
    assert_eq!(before, after);
    refusal
}

const ACCOUNT: [&str; 2] = ["input", "accountId"];
const MEDIA: [&str; 2] = ["input", "mediaId"];

fn choice(change: impl FnOnce(&mut DirectSettings)) -> Option<DirectSettings> {
    let mut choices = TestApp::choices();
    change(&mut choices);
    Some(choices)
}

async fn captions_are_counted_in_utf16_units_and_never_cut(t: TestApp) {
    let (account, media) = t.ready().await;
    // One emoji is two units; a family of four joined by three joiners is eleven.
    let family = "👨‍👩‍👧‍👦";
    assert_eq!(family.encode_utf16().count(), 11);
    let fitting = [
        "x".repeat(2_200),
        "🎬".repeat(1_100),
        family.repeat(200),
        format!("{}é", "e\u{301}".repeat(1_099)) + "x",
        String::new(),
    ];
    for caption in fitting {
        let post = create(&t, TestApp::captioned(account, media, &caption)).await;
        assert_eq!(post.unwrap().caption, caption);
    }
    let field = ["input", "caption"];
    for caption in [
        "x".repeat(2_201),
        format!("{}x", "🎬".repeat(1_100)),
        format!("x{}", family.repeat(200)),
    ] {
        let new = TestApp::captioned(account, media, &caption);
        let refusal = refused(&t, new, &field, Code::TooLong).await;
        assert!(refusal.message.contains("2201"), "{refusal:?}");
        assert!(refusal.message.contains("by 1"), "{refusal:?}");
    }
    let new = TestApp::captioned(account, media, "a\0b");
    refused(&t, new, &field, Code::Invalid).await;
    cancel_all(&t).await;
}

async fn cancel_all(t: &TestApp) {
    for post in post::Entity::find().all(t.app.db.read()).await.unwrap() {
        posts::cancel(&t.app, &t.actor, post.id).await.unwrap();
    }
}

async fn what_the_creator_does_not_offer_is_refused(t: TestApp) {
    let (account, media) = t.ready().await;
    let direct = |direct| NewPost {
        direct,
        ..TestApp::direct(account, media)
    };
    let followers = choice(|c| c.privacy_level = PrivacyLevel::FollowerOfCreator);
    let field = ["input", "direct", "privacyLevel"];
    let refusal = refused(
        &t,
        direct(followers.clone()),
        &field,
        Code::PrivacyNotOffered,
    )
    .await;
    assert!(
        refusal.message.contains("PUBLIC_TO_EVERYONE"),
        "{refusal:?}"
    );

    // Within a minute the last answer still speaks for the account; then it is asked anew.
    t.sim.account(
        "creator",
        AccountPatch {
            private: Some(true),
            comment_disabled: Some(true),
            max_duration_sec: Some(1),
            ..AccountPatch::default()
        },
    );
    t.advance(MINUTE);
    let found = refusals(create(&t, direct(followers)).await);
    let fields: Vec<_> = found
        .iter()
        .map(|r| (r.field.last().copied(), r.code))
        .collect();
    assert_eq!(
        fields,
        [
            (Some("allowComment"), Code::InteractionDisabled),
            (Some("mediaId"), Code::MediaUnfit),
        ]
    );
    t.sim.account(
        "creator",
        AccountPatch {
            comment_disabled: Some(false),
            max_duration_sec: Some(300),
            ..AccountPatch::default()
        },
    );
    t.advance(MINUTE);
    for (field, choices) in [
        ("allowDuet", choice(|c| c.allow_duet = true)),
        ("allowStitch", choice(|c| c.allow_stitch = true)),
    ] {
        let mut choices = choices.unwrap();
        choices.privacy_level = PrivacyLevel::SelfOnly;
        let path = ["input", "direct", field];
        refused(&t, direct(Some(choices)), &path, Code::InteractionDisabled).await;
    }
    // A draft carries no choices, so none can be refused.
    create(&t, TestApp::inbox(account, media)).await.unwrap();
    cancel_all(&t).await;
}

async fn what_the_creator_must_agree_to_is_required(t: TestApp) {
    let (account, media) = t.ready().await;
    let silent = NewPost {
        creator_consent: false,
        ..TestApp::direct(account, media)
    };
    let field = ["input", "creatorConsent"];
    refused(&t, silent.clone(), &field, Code::ConsentRequired).await;
    let draft = create(
        &t,
        NewPost {
            keep_draft: true,
            ..silent
        },
    );
    assert!(draft.await.unwrap().consent_at.is_none());
    let agreed = create(&t, TestApp::direct(account, media)).await.unwrap();
    assert_eq!(agreed.consent_at, Some(t.clock.now()));
    cancel_all(&t).await;
}

async fn files_that_are_not_ready_are_refused(t: TestApp) {
    let account = t.connect("creator").await.id;
    let user = t.actor.user_id;
    let new = NewUpload {
        size: 1_000,
        ..NewUpload::default()
    };
    let unfinished = t.app.media.create(user, new).await.unwrap();
    let new = TestApp::direct(account, unfinished.id);
    refused(&t, new, &MEDIA, Code::MediaNotReady).await;

    let avi = t.upload_bytes(include_bytes!("../../media/old.avi")).await;
    refused(&t, TestApp::direct(account, avi), &MEDIA, Code::MediaUnfit).await;
    let narrow = t
        .upload_bytes(include_bytes!("../../media/narrow320.mp4"))
        .await;
    refused(
        &t,
        TestApp::inbox(account, narrow),
        &MEDIA,
        Code::MediaUnfit,
    )
    .await;
    let unknown = TestApp::direct(account, clipqueue_entities::MediaId::new());
    refused(&t, unknown, &MEDIA, Code::NotFound).await;
    assert!(
        t.calls(Endpoint::CreatorInfo).is_empty(),
        "TikTok need not be asked"
    );
}

async fn what_belongs_to_somebody_else_looks_like_nothing(t: TestApp) {
    let (account, media) = t.ready().await;
    let mine = t.post(TestApp::direct(account, media)).await;
    let (other, _) = TestApp::user(&t.app, "eve", &Scope::ALL).await;
    let found =
        refusals(posts::create(&t.app, &other, TestApp::direct(account, media), "key").await);
    let codes: Vec<_> = found.iter().map(|r| (r.field.clone(), r.code)).collect();
    assert_eq!(
        codes,
        [
            (ACCOUNT.to_vec(), Code::NotFound),
            (MEDIA.to_vec(), Code::NotFound)
        ]
    );
    let not_found = |result: clipqueue::domain::error::Result<post::Model>| {
        assert!(
            matches!(result, Err(clipqueue::domain::error::Error::NotFound)),
            "{result:?}"
        );
    };
    not_found(posts::get(t.app.db.read(), other.user_id, mine.id).await);
    not_found(posts::cancel(&t.app, &other, mine.id).await);
    not_found(posts::retry(&t.app, &other, mine.id, "key").await);
    not_found(posts::submit(&t.app, &other, mine.id).await);
    not_found(posts::update(&t.app, &other, mine.id, 1, posts::PostEdit::default()).await);
    not_found(posts::caption_copied(&t.app, &other, mine.id).await);
    let several = posts::get_many(&t.app, other.user_id, &[mine.id]).await;
    assert!(several.unwrap().is_empty());
    cancel_all(&t).await;
}

async fn an_account_that_cannot_post_is_refused(t: TestApp) {
    let basic = ["user.info.basic", "video.upload"].map(str::to_owned);
    let account = t
        .connect_with("creator", &Consent::Scopes(basic.to_vec()))
        .await
        .unwrap()
        .id;
    let media = t.upload().await;
    let direct = TestApp::direct(account, media);
    let refusal = refused(&t, direct.clone(), &ACCOUNT, Code::ScopeMissing).await;
    assert!(refusal.message.contains("video.publish"));
    create(&t, TestApp::inbox(account, media)).await.unwrap();

    t.connect("creator").await;
    t.sim.expect_refusal("spam_risk_too_many_posts");
    t.sim.account(
        "creator",
        AccountPatch {
            post_cap: Some(0),
            ..AccountPatch::default()
        },
    );
    let refusal = refused(&t, direct.clone(), &ACCOUNT, Code::CreatorCannotPost).await;
    assert!(refusal.retry_at > Some(t.clock.now()));
    cancel_all(&t).await;

    let generation = t.tokens(account).await.generation;
    clipqueue::domain::accounts::require_reauth(&t.app, account, generation, "test")
        .await
        .unwrap();
    refused(&t, direct, &ACCOUNT, Code::ReconnectRequired).await;
}

async fn an_unaudited_app_takes_only_private_posts(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.reconfigure(|config: &mut Config| config.tiktok.audited = false);
    let field = ["input", "direct", "privacyLevel"];
    let public = TestApp::direct(account, media);
    refused(&t, public.clone(), &field, Code::UnauditedClient).await;
    let private = NewPost {
        direct: choice(|c| c.privacy_level = PrivacyLevel::SelfOnly),
        ..public
    };
    create(&t, private).await.unwrap();
    cancel_all(&t).await;
}

async fn labels_have_a_form(t: TestApp) {
    let (account, media) = t.ready().await;
    let long = "x".repeat(201);
    for wrong in ["", "  ", "a\0b", long.as_str()] {
        let new = NewPost {
            experiment_label: Some(wrong.to_owned()),
            ..TestApp::direct(account, media)
        };
        refused(&t, new, &["input", "experimentLabel"], Code::Invalid).await;
        let new = NewPost {
            upload_reference: Some(wrong.to_owned()),
            ..TestApp::direct(account, media)
        };
        refused(&t, new, &["input", "uploadReference"], Code::Invalid).await;
    }
    let new = NewPost {
        experiment_label: Some("é".repeat(200)),
        upload_reference: Some("clip 1/2".to_owned()),
        ..TestApp::direct(account, media)
    };
    let post = create(&t, new).await.unwrap();
    assert_eq!(post.upload_reference.as_deref(), Some("clip 1/2"));
    cancel_all(&t).await;
}

async fn several_broken_rules_are_told_together(t: TestApp) {
    let (account, media) = t.ready().await;
    let new = NewPost {
        caption: "x".repeat(3_000),
        creator_consent: false,
        experiment_label: Some(String::new()),
        direct: choice(|c| {
            c.your_brand = true;
            c.cover_timestamp_ms = Some(-1);
        }),
        ..TestApp::direct(account, media)
    };
    let found = refusals(create(&t, new).await);
    assert_eq!(found.len(), 5, "{found:?}");
}

async fn a_silent_tiktok_does_not_stop_a_submission(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let fault = t.fault_always(Endpoint::CreatorInfo, FaultKind::Status { status: 503 });
    let post = create(&t, TestApp::direct(account, media)).await.unwrap();
    t.drain().await;
    assert_eq!(
        t.calls(Endpoint::VideoInit).len(),
        0,
        "but it is asked before sending"
    );
    t.sim.clear_faults(Some(fault));
    t.run_until(post.id, post::PostState::Published).await;
}
