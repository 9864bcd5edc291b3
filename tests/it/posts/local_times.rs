//! Posts at a local time: the instant is shown, kept, and follows edits.

use std::time::Duration;

use clipqueue::domain::{
    error::Code,
    local_time::{GapRule, LocalTime, OverlapRule},
    posts::{self, NewPost, PostEdit},
};
use clipqueue_entities::{Timestamp, post::PostState};

use crate::support::{
    app::TestApp,
    flows::{HOUR, refusals},
};

crate::on_both_stacks!(
    a_local_time_becomes_an_instant_and_the_post_goes_then,
    a_local_time_that_cannot_be_is_refused_with_its_part,
    an_edit_keeps_replaces_or_takes_the_local_time,
    a_draft_gets_its_instant_when_it_is_submitted,
);

/// What a clock in `zone` shows `after` from now, in whole minutes.
fn there(t: &TestApp, after: Duration, zone: &str) -> LocalTime {
    let at = Timestamp::from_millis((t.clock.now() + after).as_millis() / 60_000 * 60_000);
    LocalTime {
        at: clipqueue::domain::local_time::in_zone(at, zone).unwrap(),
        zone: zone.to_owned(),
        gap: GapRule::Later,
        overlap: OverlapRule::Earlier,
    }
}

async fn a_local_time_becomes_an_instant_and_the_post_goes_then(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let local = there(&t, HOUR * 3, "Asia/Kathmandu");
    let new = NewPost {
        local: Some(local.clone()),
        ..TestApp::direct(account, media)
    };
    let post = posts::create(&t.app, &t.actor, new.clone(), "local")
        .await
        .unwrap();
    let due = local.resolve().unwrap().at;
    assert_eq!(post.publish_at, Some(due));
    assert_eq!(posts::local_time(&post).unwrap(), Some(local));
    // The key stands for the request, not for the instant that came of it.
    let again = posts::create(&t.app, &t.actor, new, "local").await.unwrap();
    assert_eq!(again.id, post.id);
    t.pass(due.since(t.clock.now()) - Duration::from_secs(30), 6)
        .await;
    assert!(t.sim.inits().is_empty());
    t.run_until(post.id, PostState::Published).await;
    assert!(Timestamp::from_millis(t.sim.inits()[0].at_ms) >= due);
}

async fn a_local_time_that_cannot_be_is_refused_with_its_part(t: TestApp) {
    let (account, media) = t.ready().await;
    let good = there(&t, HOUR, "Europe/Berlin");
    let ask = async |local: LocalTime, publish_at| {
        let new = NewPost {
            local: Some(local),
            publish_at,
            ..TestApp::direct(account, media)
        };
        refusals(posts::create(&t.app, &t.actor, new, "wrong").await).remove(0)
    };
    let zone = LocalTime {
        zone: "Europe/Atlantis".to_owned(),
        ..good.clone()
    };
    let refused = ask(zone, None).await;
    assert_eq!(refused.field, ["input", "publishAtLocal", "zone"]);
    let past = LocalTime {
        at: good.at - chrono::TimeDelta::hours(5),
        ..good.clone()
    };
    let refused = ask(past, None).await;
    assert_eq!(
        (refused.code, refused.field[1]),
        (Code::Invalid, "publishAtLocal")
    );
    let refused = ask(good.clone(), Some(t.clock.now() + HOUR)).await;
    assert!(refused.message.contains("not both"), "{refused:?}");
    // The next time that clocks in Berlin are set forward, for a caller who wants no other time.
    let gap = next_gap(&t, "Europe/Berlin");
    let strict = LocalTime {
        at: gap,
        gap: GapRule::Refuse,
        ..good
    };
    let refused = ask(strict, None).await;
    assert_eq!(refused.field, ["input", "publishAtLocal", "at"]);
    assert!(t.jobs("upload_post").await.is_empty());
}

/// A local time of the next year that does not exist in `zone`.
fn next_gap(t: &TestApp, zone: &str) -> chrono::NaiveDateTime {
    let mut local = there(t, HOUR, zone);
    local.gap = GapRule::Refuse;
    local.at = local.at.date().and_hms_opt(2, 30, 0).unwrap();
    for _ in 0..360 {
        local.at += chrono::TimeDelta::days(1);
        if local.resolve().is_err() {
            return local.at;
        }
    }
    panic!("clocks in {zone} are never set forward");
}

async fn an_edit_keeps_replaces_or_takes_the_local_time(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let first = there(&t, HOUR * 5, "America/New_York");
    let new = NewPost {
        local: Some(first.clone()),
        ..TestApp::direct(account, media)
    };
    let post = t.post(new).await;
    let edit = async |version, edit| {
        posts::update(&t.app, &t.actor, post.id, version, edit)
            .await
            .unwrap()
    };
    // Rules of a zone that were others when the instant was made: any edit puts it right, and its job.
    let stale = post.publish_at.unwrap() + HOUR;
    t.overwrite(post.id, |row| {
        row.publish_at = sea_orm::ActiveValue::Set(Some(stale));
    })
    .await;
    let caption = PostEdit {
        caption: Some("Another caption".to_owned()),
        ..PostEdit::default()
    };
    let edited = edit(1, caption).await;
    assert_eq!(edited.publish_at, Some(first.resolve().unwrap().at));
    assert_eq!(posts::local_time(&edited).unwrap(), Some(first));
    assert_eq!(Some(t.upload_job(post.id).await.run_at), edited.publish_at);

    let second = there(&t, HOUR * 7, "Asia/Tokyo");
    let moved = PostEdit {
        local: Some(second.clone()),
        ..PostEdit::default()
    };
    let edited = edit(2, moved).await;
    assert_eq!(edited.publish_at, Some(second.resolve().unwrap().at));
    assert!(edited.deadline_at > edited.publish_at);
    assert_eq!(Some(t.upload_job(post.id).await.run_at), edited.publish_at);

    let instant = t.clock.now() + HOUR * 2;
    let fixed = PostEdit {
        publish_at: Some(Some(instant)),
        ..PostEdit::default()
    };
    let edited = edit(3, fixed).await;
    assert_eq!(
        (edited.publish_at, edited.local_time),
        (Some(instant), None)
    );
    t.pass(HOUR * 2, 4).await;
    t.run_until(post.id, PostState::Published).await;
}

async fn a_draft_gets_its_instant_when_it_is_submitted(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let local = there(&t, HOUR * 2, "Australia/Lord_Howe");
    let draft = t
        .post(NewPost {
            local: Some(local.clone()),
            keep_draft: true,
            ..TestApp::direct(account, media)
        })
        .await;
    assert_eq!(draft.state, PostState::Draft);
    t.overwrite(draft.id, |row| {
        row.publish_at = sea_orm::ActiveValue::Set(None);
    })
    .await;
    let post = posts::submit(&t.app, &t.actor, draft.id).await.unwrap();
    let due = local.resolve().unwrap().at;
    assert_eq!(post.publish_at, Some(due));
    assert_eq!(t.upload_job(post.id).await.run_at, due);
    t.pass(HOUR * 2, 4).await;
    t.run_until(post.id, PostState::Published).await;
}
