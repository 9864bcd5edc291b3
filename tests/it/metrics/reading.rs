//! What is read of an account, when, and what is written down.

use std::time::Duration;

use clipqueue::domain::counters::{
    checkpoints,
    planner::{HOT_GAP, WHOLE_WITHIN},
    series::{Gap, Point},
};
use tiktok_sim::{Counters, Endpoint};

use super::support::{hours, plan, plan_of, samples, shown, start, videos, views_at};
use crate::support::{app::Stack, flows::DAY};

crate::on_both_stacks_by_hand!(
    a_post_is_read_at_its_ages,
    counters_may_fall_and_a_vanished_video_is_a_gap_and_no_zero,
    all_videos_are_read_page_by_page_and_only_once_a_day,
    who_looks_is_read_sooner,
    nothing_is_read_when_the_budget_is_zero,
);

async fn a_post_is_read_at_its_ages(stack: Stack) {
    let mut t = start(stack).await;
    let account = t.connect("creator").await.id;
    t.sim.add_video("creator", "first");
    hours(&mut t, 8).await;
    let series = shown(&t, account).await.videos.remove(0);
    let posted = series.video.posted_at;
    for (index, hours) in [1, 3, 6].into_iter().enumerate() {
        let (age, point) = series.by_age[index];
        let Point::Read(at, counters) = point else {
            panic!("{hours} h: {point:?}");
        };
        assert_eq!(age, hours);
        let checkpoint = checkpoints::ALL[index];
        assert!(at >= posted + checkpoint.age() && at < checkpoint.ends(posted));
        // The simulator's videos gain 120 views an hour; its clock runs ahead by what the machine needs.
        let expected = i64::try_from(at.since(posted).as_secs()).unwrap() * 120 / 3600;
        let views = counters.views.unwrap();
        assert!((expected - 2..=expected + 20).contains(&views), "{views}");
        assert!(counters.likes.unwrap() <= views / 10);
    }
    assert_eq!(series.by_age[3].1, Point::Gap(Gap::NotYet));
    assert_eq!(series.video.caption.as_deref(), Some("first"));
    assert!(series.video.share_url.is_some());
    // One page at a time, and no more looks than there was reason for.
    let calls = t.calls(Endpoint::VideoList).len();
    assert!((4..=5).contains(&calls), "{calls}");
    assert_eq!(t.calls(Endpoint::VideoQuery).len(), 0);
}

async fn counters_may_fall_and_a_vanished_video_is_a_gap_and_no_zero(stack: Stack) {
    let mut t = start(stack).await;
    t.sim.configure(|config| config.pipeline.views_per_hour = 0);
    let account = t.connect("creator").await.id;
    let falling = t.sim.add_video("creator", "falling");
    t.advance(Duration::from_secs(2));
    let hidden = t.sim.add_video("creator", "hidden");
    let counters = |views| Counters {
        views,
        likes: 5,
        ..Counters::default()
    };
    t.sim.set_counters(falling, counters(900)).unwrap();
    t.sim.set_counters(hidden, counters(70)).unwrap();
    hours(&mut t, 2).await;
    t.sim.set_counters(falling, counters(400)).unwrap();
    t.sim.set_public(hidden, false).unwrap();
    hours(&mut t, 5).await;

    let rows = videos(&t, account).await;
    assert_eq!(rows[0].views, Some(400));
    assert_eq!(rows[0].vanished_at, None);
    let views: Vec<_> = samples(&t, &rows[0])
        .await
        .iter()
        .map(|row| row.views)
        .collect();
    assert!(
        views.starts_with(&[Some(900)]) && views.ends_with(&[Some(400)]),
        "{views:?}"
    );
    let of_hidden = samples(&t, &rows[1]).await;
    let marks: Vec<_> = of_hidden.iter().filter(|row| row.gap).collect();
    assert_eq!(marks.len(), 1, "one mark, whatever the number of looks");
    assert_eq!(marks[0].views, None);
    assert!(of_hidden.iter().all(|row| row.gap || row.views == Some(70)));
    assert!(rows[1].vanished_at.is_some());
    // The absence was confirmed by asking for the video itself.
    assert_eq!(t.calls(Endpoint::VideoQuery).len(), 1);
    let page = shown(&t, account).await;
    let series = page
        .videos
        .iter()
        .find(|series| series.video.id == rows[1].id)
        .unwrap();
    assert_eq!(views_at(series, 1), Some(70));
    assert_eq!(series.by_age[2].1, Point::Gap(Gap::Vanished));
    let today = page.days.last().unwrap();
    assert_eq!(
        (today.videos, today.views),
        (1, Some(400)),
        "totals are of what is public"
    );

    t.sim.set_public(hidden, true).unwrap();
    t.advance(DAY);
    hours(&mut t, 1).await;
    let rows = videos(&t, account).await;
    assert_eq!(rows[1].vanished_at, None, "it came back");
    assert!(!samples(&t, &rows[1]).await.last().unwrap().gap);
    assert_eq!(shown(&t, account).await.days.last().unwrap().videos, 2);
}

async fn all_videos_are_read_page_by_page_and_only_once_a_day(stack: Stack) {
    let mut t = start(stack).await;
    let account = t.connect("creator").await.id;
    for number in 0..45 {
        t.sim.add_video("creator", &format!("video {number}"));
        t.advance(Duration::from_secs(2));
    }
    // Old enough to be of no interest by their age.
    t.advance(checkpoints::LAST_ENDS);
    plan(&mut t).await;
    assert_eq!(t.calls(Endpoint::VideoList).len(), 3);
    assert_eq!(videos(&t, account).await.len(), 45);
    let seen = plan_of(&t, account).await;
    assert_eq!(seen.videos, 45);
    assert_eq!(
        seen.next_due_at,
        Some(seen.whole_at.unwrap() + WHOLE_WITHIN)
    );
    hours(&mut t, 3).await;
    assert_eq!(t.calls(Endpoint::VideoList).len(), 3, "nobody looks");
    for _ in 0..2 {
        t.advance(DAY);
        plan(&mut t).await;
    }
    assert_eq!(t.calls(Endpoint::VideoList).len(), 9);
}

async fn who_looks_is_read_sooner(stack: Stack) {
    let mut t = start(stack).await;
    let account = t.connect("creator").await.id;
    t.sim.add_video("creator", "old");
    t.advance(checkpoints::LAST_ENDS);
    plan(&mut t).await;
    let before = plan_of(&t, account).await;
    assert_eq!(before.looked_at, None);
    shown(&t, account).await;
    let after = plan_of(&t, account).await;
    assert_eq!(after.looked_at, Some(t.clock.now()));
    assert_eq!(after.next_due_at, Some(before.read_at.unwrap() + HOT_GAP));
    // Looking twice within minutes is one look.
    t.advance(Duration::from_secs(60));
    shown(&t, account).await;
    assert_eq!(plan_of(&t, account).await.looked_at, after.looked_at);
    hours(&mut t, 4).await;
    let calls = t.calls(Endpoint::VideoList).len();
    assert!((4..=5).contains(&calls), "{calls}");
}

async fn nothing_is_read_when_the_budget_is_zero(stack: Stack) {
    let mut t = crate::support::app::TestApp::start(stack).await;
    t.connect("creator").await;
    plan(&mut t).await;
    assert_eq!(t.calls(Endpoint::VideoList).len(), 0);
}
