//! Requests for photos that break a rule: each said at once, by field and code.

use clipqueue::{
    domain::{
        error::{Code, Refusal},
        posts::{self, NewPost, Photos},
        preflight::{self, Plan, Verdict},
    },
    media::MediaState,
};
use clipqueue_entities::MediaId;
use media_probe::rules::{Outcome, Rule};

use super::gallery::{JPEG, PNG, direct, draft, open, open_with, sized, three};
use crate::support::{
    app::{Stack, TestApp},
    flows::refusals,
};

crate::on_both_stacks_by_hand!(
    every_broken_rule_is_named,
    one_bad_photo_of_three_is_named_by_its_place,
    a_server_without_https_says_so,
);

fn edited(new: &NewPost, edit: impl FnOnce(&mut NewPost, &mut Photos)) -> NewPost {
    let mut new = new.clone();
    let mut photos = new.photos.clone().unwrap();
    edit(&mut new, &mut photos);
    new.photos = Some(photos);
    new
}

async fn refused(t: &TestApp, new: NewPost) -> Vec<Refusal> {
    let all = refusals(posts::validate(&t.app, &t.actor, &new).await);
    let created = posts::create(&t.app, &t.actor, new, "refused").await;
    assert_eq!(refusals(created), all);
    all
}

async fn every_broken_rule_is_named(stack: Stack) {
    let t = open(stack).await;
    let (account, photos) = three(&t).await;
    let video = t.upload().await;
    let good = direct(account, &photos, "good");
    posts::validate(&t.app, &t.actor, &good).await.unwrap();
    let thirty_five = edited(&good, |_, set| set.media_ids = vec![photos[0]; 35]);
    posts::validate(&t.app, &t.actor, &thirty_five)
        .await
        .unwrap();
    // Ninety units are a whole title; an emoji has two.
    let longest = edited(&good, |new, set| {
        set.title = Some("\u{1F600}".repeat(45));
        new.caption = "x".repeat(4_000);
    });
    posts::validate(&t.app, &t.actor, &longest).await.unwrap();

    let cases: Vec<(NewPost, &str, Code)> = vec![
        (
            edited(&good, |_, set| set.media_ids = vec![photos[0]; 36]),
            "mediaIds",
            Code::Invalid,
        ),
        (
            edited(&good, |_, set| set.cover_index = 3),
            "coverIndex",
            Code::Invalid,
        ),
        (
            edited(&good, |_, set| set.cover_index = -1),
            "coverIndex",
            Code::Invalid,
        ),
        (
            edited(&good, |_, set| {
                set.title = Some(format!("{}x", "\u{1F600}".repeat(45)))
            }),
            "title",
            Code::TooLong,
        ),
        (
            edited(&good, |_, set| set.title = Some("a\0b".to_owned())),
            "title",
            Code::Invalid,
        ),
        (
            edited(&good, |new, _| new.caption = "x".repeat(4_001)),
            "caption",
            Code::TooLong,
        ),
        (
            edited(&good, |_, set| set.auto_add_music = None),
            "autoAddMusic",
            Code::Required,
        ),
        (
            edited(&draft(account, &photos, "draft"), |_, set| {
                set.auto_add_music = Some(true)
            }),
            "autoAddMusic",
            Code::Invalid,
        ),
        (
            edited(&good, |_, set| set.media_ids[1] = video),
            "mediaIds",
            Code::MediaUnfit,
        ),
        (
            edited(&good, |_, set| set.media_ids[1] = MediaId::new()),
            "mediaIds",
            Code::NotFound,
        ),
        (
            edited(&good, |new, _| new.media_id = Some(video)),
            "photos",
            Code::Invalid,
        ),
        (
            TestApp::direct(account, photos[0]),
            "mediaId",
            Code::MediaUnfit,
        ),
        (
            edited(&good, |new, _| new.creator_consent = false),
            "creatorConsent",
            Code::ConsentRequired,
        ),
    ];
    for (new, field, code) in cases {
        let found = refused(&t, new).await;
        assert_eq!(found.len(), 1, "{field}: {found:?}");
        assert_eq!(
            (found[0].field.last(), found[0].code),
            (Some(&field), code),
            "{found:?}"
        );
    }
    // What exists for videos only.
    let mut videos = good.clone();
    if let Some(choices) = &mut videos.direct {
        choices.allow_duet = true;
        choices.allow_stitch = true;
        choices.cover_timestamp_ms = Some(5);
    }
    let found = refused(&t, videos).await;
    let fields: Vec<_> = found.iter().map(|one| *one.field.last().unwrap()).collect();
    assert_eq!(fields, ["allowDuet", "allowStitch", "coverTimestampMs"]);
    // Neither a video nor photos, and no photo at all.
    let mut nothing = TestApp::direct(account, video);
    nothing.media_id = None;
    assert_eq!(refused(&t, nothing).await[0].code, Code::Required);
    let none = refused(&t, edited(&good, |_, set| set.media_ids.clear())).await;
    assert_eq!(none[0].code, Code::Invalid);
    // Nothing was written.
    let page = posts::Page {
        after: None,
        before: None,
        limit: 5,
        backward: false,
    };
    let stored = posts::list(&t.app, t.actor.user_id, &posts::PostFilter::default(), page).await;
    assert!(stored.unwrap().is_empty());
}

async fn one_bad_photo_of_three_is_named_by_its_place(stack: Stack) {
    let t = open(stack).await;
    let (account, mut photos) = three(&t).await;
    // By content, whatever its name says.
    for (bytes, rule) in [
        (PNG, Rule::PhotoFormat),
        (sized(1086, 1448), Rule::PhotoShortSide),
        (&JPEG[..40], Rule::PhotoFormat),
    ] {
        photos[1] = t.upload_bytes(bytes).await;
        let media = t.app.media.get(t.actor.user_id, photos[1]).await.unwrap();
        assert_eq!(media.state, MediaState::Rejected);
        let failed: Vec<_> = media
            .verdicts
            .iter()
            .filter(|verdict| verdict.outcome == Outcome::Fail)
            .map(|verdict| verdict.rule)
            .collect();
        assert_eq!(failed, [rule], "{:?}", media.rejection());
        let new = direct(account, &photos, "bad");
        let found = refused(&t, new.clone()).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].code, Code::MediaUnfit);
        assert!(found[0].message.starts_with("photo 2: "), "{found:?}");
        let plan = Plan {
            account_id: account,
            media_id: None,
            photos: new.photos,
            caption: new.caption,
            direct: new.direct,
        };
        let checks = preflight::checks(&t.app, &t.actor, &plan).await.unwrap();
        let failed: Vec<_> = checks
            .iter()
            .filter(|check| check.verdict == Verdict::Fail)
            .map(|check| check.rule.as_str())
            .collect();
        assert_eq!(failed, ["media"]);
    }
    let webp = t.app.media.get(t.actor.user_id, photos[2]).await.unwrap();
    assert_eq!(webp.content_type.as_deref(), Some("image/jpeg"));
    let facts = webp.photo.unwrap();
    assert_eq!((facts.width, facts.height), (1080, 1350));
}

async fn a_server_without_https_says_so(stack: Stack) {
    let t = open_with(stack, &[]).await;
    let (account, photos) = three(&t).await;
    let mut t = t;
    t.reconfigure(|config| config.http.public_url = "http://clips.example".parse().unwrap());
    let found = refused(&t, direct(account, &photos, "plain")).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, Code::TiktokUnavailable);
    assert!(found[0].message.contains("http.public_url"), "{found:?}");
}
