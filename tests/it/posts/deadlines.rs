//! Every state that is not an end has a deadline, whatever led to it.

use std::time::Duration;

use clipqueue::domain::{
    post_change::{Change, Evidence, apply_in_tx},
    post_state::{Delivery, PostEvent, is_final, next},
};
use clipqueue_entities::post::PostState;
use sea_orm::{ActiveValue::Set, Iterable as _};

use crate::support::{app::TestApp, flows::DAY};

crate::on_both_stacks!(every_change_leaves_a_deadline_a_proof_and_an_event);

const EVENTS: [PostEvent; 21] = [
    PostEvent::Submitted,
    PostEvent::Started,
    PostEvent::Held,
    PostEvent::Released,
    PostEvent::Deferred,
    PostEvent::Refused,
    PostEvent::InitStarted,
    PostEvent::InitAccepted,
    PostEvent::AttemptAbandoned,
    PostEvent::BytesAcknowledged,
    PostEvent::AnswerLost,
    PostEvent::UploadResumed,
    PostEvent::TiktokProcessing,
    PostEvent::TiktokInbox,
    PostEvent::TiktokPublished,
    PostEvent::TiktokFailed,
    PostEvent::SeenPosted,
    PostEvent::SaidNotPosted,
    PostEvent::Cancelled,
    PostEvent::Retried,
    PostEvent::DeadlinePassed,
];

async fn every_change_leaves_a_deadline_a_proof_and_an_event(t: TestApp) {
    let (account, media) = t.ready().await;
    let mut new = TestApp::direct(account, media);
    new.keep_draft = true;
    let id = t.post(new).await.id;
    let mut changes = 0;
    for from in PostState::iter() {
        for event in EVENTS {
            let expected = next(Delivery::Push, from, event);
            let deadline = (!is_final(from)).then(|| t.clock.now() + DAY);
            t.overwrite(id, |row| {
                row.state = Set(from);
                row.deadline_at = Set(deadline);
            })
            .await;
            let post = t.reload(id).await;
            let events = t.events(id).await.len();
            let proofs = t.evidence(id).await.len();
            let tx = t.app.db.begin().await.unwrap();
            let change = Change::new(event, Evidence::own("test"));
            let applied = apply_in_tx(&t.app, &tx, post, change).await;
            let Ok(to) = expected else {
                assert!(applied.is_err(), "{from:?} took {event:?}");
                tx.rollback().await.unwrap();
                assert_eq!(t.events(id).await.len(), events);
                assert_eq!(t.evidence(id).await.len(), proofs);
                continue;
            };
            tx.commit().await.unwrap();
            changes += 1;
            let post = applied.unwrap();
            assert_eq!(post.state, to);
            assert_eq!(
                post.deadline_at.is_some(),
                !is_final(to) && to != PostState::Draft,
                "{from:?} and {event:?} lead to {to:?} with {:?}",
                post.deadline_at
            );
            if let Some(deadline) = post.deadline_at {
                assert!(deadline > t.clock.now());
            }
            let log = t.events(id).await;
            assert_eq!(log.len(), events + 1);
            let last = log.last().unwrap();
            let proof = t.evidence(id).await.pop().unwrap();
            assert_eq!(t.evidence(id).await.len(), proofs + 1);
            assert_eq!(last.evidence_id, Some(proof.id));
            assert!(last.data["to"].is_string());
            t.clock.advance(Duration::from_millis(1));
        }
    }
    assert!(changes > 50, "{changes}");
}
