//! The log of what happened: complete, in order, and without a gap for a reader who follows.

use std::{sync::Arc, time::Duration};

use clipqueue::domain::{events, posts};
use clipqueue_entities::{event, post::PostState};
use tokio::sync::Barrier;

use crate::support::app::TestApp;

crate::on_both_stacks!(
    the_whole_way_of_a_post_is_told_with_its_proofs,
    a_reader_misses_nothing_while_many_write,
);

async fn the_whole_way_of_a_post_is_told_with_its_proofs(mut t: TestApp) {
    let post = t.direct_post().await;
    t.run_until(post.id, PostState::Published).await;
    t.pass(Duration::from_secs(60), 6).await;
    assert_eq!(
        t.states(post.id).await,
        [
            "scheduled",
            "preflight",
            "init_sent",
            "uploading",
            "processing",
            "published",
            "published", // its public id became known
        ][..t.states(post.id).await.len()]
    );
    let log = t.events(post.id).await;
    assert_eq!(log[0].kind, "post.created");
    assert!(log.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    assert!(
        log.windows(2)
            .all(|pair| pair[0].created_at <= pair[1].created_at)
    );
    let proofs = t.evidence(post.id).await;
    for change in log.iter().filter(|event| event.kind == "post.state") {
        let proof = proofs
            .iter()
            .find(|proof| Some(proof.id) == change.evidence_id);
        assert!(proof.is_some(), "{change:?}");
        assert_ne!(change.data["to"], serde_json::Value::Null);
    }
    let mut from = "draft".to_owned();
    for change in log.iter().filter(|event| event.kind == "post.state") {
        assert_eq!(change.data["from"], from.as_str());
        from = change.data["to"].as_str().unwrap().to_owned();
    }
    // TikTok's own words carry its log id.
    for proof in proofs.iter().filter(|proof| proof.http_status.is_some()) {
        assert!(proof.log_id.is_some(), "{proof:?}");
    }
    let newest = events::newest(t.app.db.read(), t.actor.user_id)
        .await
        .unwrap();
    let all = events::after(t.app.db.read(), t.actor.user_id, None, 0, 10_000).await;
    assert_eq!(all.unwrap().last().unwrap().seq, newest);
    let rest = events::after(t.app.db.read(), t.actor.user_id, None, newest, 10).await;
    assert!(rest.unwrap().is_empty());
}

const WRITERS: usize = 8;
const POSTS_EACH: usize = 6;

/// Each post is made and stopped: created, SCHEDULED, CANCELLED.
const EVENTS_EACH: usize = 3;

async fn a_reader_misses_nothing_while_many_write(t: TestApp) {
    let (account, media) = t.ready().await;
    // The creator's options are asked once, before the crowd.
    let first = t.post(TestApp::direct(account, media)).await;
    posts::cancel(&t.app, &t.actor, first.id).await.unwrap();
    let start = events::newest(t.app.db.read(), t.actor.user_id)
        .await
        .unwrap();

    let barrier = Arc::new(Barrier::new(WRITERS + 1));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (app, actor, barrier) = (t.app.clone(), t.actor.clone(), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                for number in 0..POSTS_EACH {
                    let caption = format!("{writer} {number}");
                    let new = TestApp::captioned(account, media, &caption);
                    let post = posts::create(&app, &actor, new, &caption.replace(' ', "-"))
                        .await
                        .unwrap();
                    posts::cancel(&app, &actor, post.id).await.unwrap();
                }
            })
        })
        .collect();

    let (app, user) = (t.app.clone(), t.actor.user_id);
    let expected = WRITERS * POSTS_EACH * EVENTS_EACH;
    barrier.wait().await;
    let following = async {
        let mut seen: Vec<event::Model> = Vec::new();
        while seen.len() < expected {
            let cursor = seen.last().map_or(start, |event| event.seq);
            let page = events::after(app.db.read(), user, None, cursor, 7)
                .await
                .unwrap();
            seen.extend(page);
            tokio::task::yield_now().await;
        }
        seen
    };
    let seen = tokio::time::timeout(Duration::from_secs(60), following)
        .await
        .expect("the reader sees every event without looking back");
    for writer in writers {
        writer.await.unwrap();
    }
    let all = events::after(t.app.db.read(), user, None, start, 10_000)
        .await
        .unwrap();
    assert_eq!(all.len(), expected);
    assert_eq!(seen, all, "what was followed is what is there");
}
