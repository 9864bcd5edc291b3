//! Several posts in one request: a result a row, and each row one post at most.

use clipqueue::domain::{
    error::{Code, Error},
    posts::{self, MAX_ROWS, NewPost, Row},
};
use clipqueue_entities::{AccountId, MediaId, PostId, post::PostState};
use futures::future::join_all;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};

use crate::support::{
    app::TestApp,
    flows::{HOUR, codes},
};

crate::on_both_stacks!(
    five_hundred_rows_are_made_in_one_request,
    rows_that_are_wrong_are_refused_and_the_others_made,
    all_or_nothing_makes_nothing_of_a_request_with_a_wrong_row,
    a_repeated_request_makes_no_row_twice,
    requests_at_once_with_one_key_make_each_row_once,
    a_row_that_was_refused_is_made_when_it_is_good,
    a_request_that_is_empty_or_too_long_is_refused,
    a_check_writes_nothing,
    rows_are_posted_like_any_other_post,
);

async fn make(t: &TestApp, rows: Vec<NewPost>, all: bool, key: &str) -> Vec<Row> {
    posts::create_many(&t.app, &t.actor, rows, all, false, key)
        .await
        .unwrap()
}

/// Requests that are good, each with a caption of its own.
fn good(account: AccountId, media: MediaId, number: usize) -> Vec<NewPost> {
    (0..number)
        .map(|row| TestApp::captioned(account, media, &format!("Row {row}")))
        .collect()
}

fn ids(rows: &[Row]) -> Vec<Option<PostId>> {
    rows.iter()
        .map(|row| match row {
            Row::Made(post) => Some(post.id),
            Row::Refused(_) | Row::Good => None,
        })
        .collect()
}

async fn stored(t: &TestApp) -> u64 {
    clipqueue_entities::post::Entity::find()
        .count(t.app.db.read())
        .await
        .unwrap()
}

async fn five_hundred_rows_are_made_in_one_request(t: TestApp) {
    let (account, media) = t.ready().await;
    let later = t.clock.now() + HOUR;
    let mut rows = good(account, media, MAX_ROWS);
    for (index, row) in rows.iter_mut().enumerate() {
        row.publish_at = (index % 2 == 0).then_some(later);
        row.keep_draft = index % 5 == 0;
    }
    let asked = t.calls(tiktok_sim::Endpoint::CreatorInfo).len();
    let made = make(&t, rows.clone(), false, "many").await;
    // However many rows: TikTok is asked once about their creator.
    let asked = t.calls(tiktok_sim::Endpoint::CreatorInfo).len() - asked;
    assert!(asked <= 1, "asked {asked} times");
    assert_eq!(made.len(), MAX_ROWS);
    for (index, row) in made.iter().enumerate() {
        let Row::Made(post) = row else {
            panic!("{index}: {row:?}");
        };
        assert_eq!(
            post.caption,
            format!("Row {index}"),
            "in the order of the request"
        );
        let state = match index % 5 {
            0 => PostState::Draft,
            _ => PostState::Scheduled,
        };
        assert_eq!(post.state, state);
        assert_eq!(post.publish_at, rows[index].publish_at);
    }
    let jobs = t.jobs("upload_post").await;
    assert_eq!(jobs.len(), MAX_ROWS / 5 * 4);
    let due = jobs.iter().filter(|job| job.run_at == later).count();
    assert_eq!(due, MAX_ROWS / 5 * 2);
    // Each has the same record as a post that was made alone.
    let alone = t.post(TestApp::captioned(account, media, "alone")).await;
    let record = async |id| {
        let events = t.events(id).await;
        let kinds: Vec<_> = events
            .iter()
            .map(|event| {
                (
                    event.kind.clone(),
                    event.data.clone(),
                    event.evidence_id.is_some(),
                )
            })
            .collect();
        let proofs = t.evidence(id).await.len();
        (kinds, proofs)
    };
    let sent = ids(&made)[1].unwrap();
    assert_eq!(record(sent).await, record(alone.id).await);
    assert_eq!(t.reload(sent).await.state, alone.state);
}

async fn rows_that_are_wrong_are_refused_and_the_others_made(t: TestApp) {
    let (account, media) = t.ready().await;
    let mut rows = good(account, media, 6);
    rows[1].caption = "x".repeat(2201);
    rows[2].media_id = Some(MediaId::new());
    rows[3].account_id = AccountId::new();
    rows[4].publish_at = Some(t.clock.now() - HOUR);
    let made = make(&t, rows, false, "some").await;
    let expected = [
        None,
        Some(Code::TooLong),
        Some(Code::NotFound),
        Some(Code::NotFound),
        Some(Code::Invalid),
        None,
    ];
    for (index, (row, code)) in made.iter().zip(expected).enumerate() {
        match (row, code) {
            (Row::Made(_), None) => {}
            (Row::Refused(refusals), Some(code)) => assert_eq!(refusals[0].code, code, "{index}"),
            other => panic!("{index}: {other:?}"),
        }
    }
    assert_eq!(stored(&t).await, 2);
    assert_eq!(t.jobs("upload_post").await.len(), 2);
}

async fn all_or_nothing_makes_nothing_of_a_request_with_a_wrong_row(t: TestApp) {
    let (account, media) = t.ready().await;
    let mut rows = good(account, media, 4);
    rows[2].caption = "x".repeat(2201);
    let made = make(&t, rows.clone(), true, "all").await;
    assert!(matches!(made[2], Row::Refused(_)));
    assert!(
        [0, 1, 3]
            .iter()
            .all(|index| matches!(made[*index], Row::Good)),
        "{made:?}"
    );
    assert_eq!(stored(&t).await, 0);
    assert!(t.jobs("upload_post").await.is_empty());
    // What was refused has not used up its key.
    rows[2].caption = "short".to_owned();
    let made = make(&t, rows, true, "all").await;
    assert!(ids(&made).iter().all(Option::is_some));
}

async fn a_repeated_request_makes_no_row_twice(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let rows = good(account, media, 3);
    let first = make(&t, rows.clone(), false, "key").await;
    let ids_first = ids(&first);
    t.run_until(ids_first[0].unwrap(), PostState::Published)
        .await;
    let again = make(&t, rows.clone(), false, "key").await;
    assert_eq!(ids(&again), ids_first);
    let Row::Made(post) = &again[0] else {
        panic!("{again:?}");
    };
    assert_eq!(post.state, PostState::Published, "the post as it is now");
    assert_eq!(stored(&t).await, 3);
    // Other rows, another order, the other mode and another operation are other requests.
    let mut other = rows.clone();
    other[1].caption.push('!');
    let turned: Vec<NewPost> = rows.iter().rev().cloned().collect();
    for (rows, all) in [
        (other, false),
        (turned, false),
        (rows.clone(), true),
        (good(account, media, 2), false),
    ] {
        let result = posts::create_many(&t.app, &t.actor, rows, all, false, "key").await;
        assert_eq!(codes(result), [Code::IdempotencyMismatch]);
    }
    let alone = posts::create(&t.app, &t.actor, rows[0].clone(), "key").await;
    assert_eq!(codes(alone), [Code::IdempotencyMismatch]);
    assert_eq!(stored(&t).await, 3);
}

async fn requests_at_once_with_one_key_make_each_row_once(t: TestApp) {
    let (account, media) = t.ready().await;
    let rows = good(account, media, 20);
    let attempts = join_all((0..6).map(|_| make(&t, rows.clone(), false, "at-once"))).await;
    for rows in &attempts {
        assert_eq!(ids(rows), ids(&attempts[0]));
        assert!(ids(rows).iter().all(Option::is_some));
    }
    assert_eq!(stored(&t).await, 20);
    assert_eq!(t.jobs("upload_post").await.len(), 20);
}

async fn a_row_that_was_refused_is_made_when_it_is_good(t: TestApp) {
    let (account, media) = t.ready().await;
    // An upload that is not complete yet.
    let new = clipqueue::media::NewUpload {
        size: crate::support::app::CLIP.len() as u64,
        ..Default::default()
    };
    let slow = t.app.media.create(t.actor.user_id, new).await.unwrap();
    let mut rows = good(account, media, 3);
    rows[1].media_id = Some(slow.id);
    let first = make(&t, rows.clone(), false, "patient").await;
    assert!(matches!(&first[1], Row::Refused(why) if why[0].code == Code::MediaNotReady));
    let body = futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(
        crate::support::app::CLIP,
    ))]);
    t.app
        .media
        .append(t.actor.user_id, slow.id, 0, None, body)
        .await
        .unwrap();
    let again = join_all((0..4).map(|_| make(&t, rows.clone(), false, "patient"))).await;
    for rows in &again {
        assert_eq!(ids(rows), ids(&again[0]));
        assert_eq!(
            (ids(rows)[0], ids(rows)[2]),
            (ids(&first)[0], ids(&first)[2])
        );
        assert!(ids(rows)[1].is_some());
    }
    assert_eq!(stored(&t).await, 3);
}

async fn a_request_that_is_empty_or_too_long_is_refused(t: TestApp) {
    let (account, media) = t.ready().await;
    for number in [0, MAX_ROWS + 1] {
        let rows = good(account, media, number);
        let result = posts::create_many(&t.app, &t.actor, rows, false, false, "wrong").await;
        let Err(Error::Refused(refusals)) = result else {
            panic!("{number} rows are taken");
        };
        assert_eq!(refusals[0].field, ["input", "posts"]);
    }
    assert_eq!(stored(&t).await, 0);
}

async fn a_check_writes_nothing(t: TestApp) {
    let (account, media) = t.ready().await;
    let mut rows = good(account, media, 2);
    rows[1].caption = "x".repeat(2201);
    let checked = posts::create_many(&t.app, &t.actor, rows.clone(), false, true, "check")
        .await
        .unwrap();
    assert!(matches!(
        (&checked[0], &checked[1]),
        (Row::Good, Row::Refused(_))
    ));
    assert_eq!(stored(&t).await, 0);
    rows[1].caption = "fine".to_owned();
    make(&t, rows, false, "check").await;
    assert_eq!(stored(&t).await, 2);
}

async fn rows_are_posted_like_any_other_post(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let made = make(&t, good(account, media, 3), true, "post").await;
    for id in ids(&made).into_iter().flatten() {
        t.run_until(id, PostState::Published).await;
        t.assert_published_once(id).await;
    }
    assert_eq!(t.sim.inits().len(), 3);
}
