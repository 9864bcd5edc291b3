//! The drift auditor: finds what does not agree, mends what is safe, and says so.

use std::time::Duration;

use clipqueue::{
    domain::{drift, posts},
    job::{Job, Jobs},
    queue::{
        Catalogue as _,
        steps::{HeldJob, Steps},
        transport::{Channel, Delivery, Pointer},
    },
};
use clipqueue_entities::{JobId, drift_report, post::PostState};
use sea_orm::{ActiveValue::Set, EntityTrait as _};
use serde_json::json;

use super::support::{add, harmless, put, read};
use crate::{
    on_both_stacks_by_hand,
    support::app::{Stack, TestApp},
};

on_both_stacks_by_hand!(
    pointers_and_rows_are_brought_together,
    posts_without_care_are_found_and_tiktoks_word_is_taken,
    a_post_that_was_given_up_and_appeared_is_found,
    what_cannot_be_mended_is_reported,
);

const SOON: Duration = Duration::from_secs(10);

/// The product, with an auditor's job in hand.
struct Audit {
    t: TestApp,
    held: HeldJob,
    _steps: Steps,
}

impl Audit {
    async fn start(t: TestApp) -> Self {
        let now = t.app.clock.now();
        add(&t, Job::AuditDrift {}.to_new(now)).await;
        let mut steps = t.steps();
        let (held, _) = t.claim_one(&mut steps).await;
        Self {
            t,
            held,
            _steps: steps,
        }
    }

    async fn run(&self) -> drift_report::Model {
        let report = drift::audit(&self.t.app, &self.held.lease()).await.unwrap();
        let listed = drift::reports(&self.t.app, 1).await.unwrap();
        assert_eq!(listed, std::slice::from_ref(&report));
        report
    }
}

fn purge() -> Channel<'static> {
    Channel {
        queue: "purge",
        lane_limit: 2,
    }
}

async fn pointers_and_rows_are_brought_together(stack: Stack) {
    let audit = Audit::start(TestApp::start(stack).await).await;
    let t = &audit.t;
    let transport = t.app.queue.transport();
    // The first look learns the transport's epoch.
    let clean = audit.run().await;
    assert_eq!(clean.found, clean.mended);
    let mut steps = t.steps();
    let (lost, kept) = (add(t, harmless(t)).await, add(t, harmless(t)).await);
    steps.relay().await.unwrap();
    let row = read(t, lost).await;
    let gone = Delivery {
        job: lost,
        nonce: row.fence,
        lane: row.lane,
    };
    transport.finish(purge(), &[gone]).await.unwrap();
    // A pointer to nothing, and one to a job that is over.
    let over = add(t, harmless(t)).await;
    put(
        t,
        over,
        clipqueue_entities::job::JobState::Completed,
        |_| {},
    )
    .await;
    let strays: Vec<Pointer> = [JobId::new(), over]
        .into_iter()
        .map(|job| Pointer {
            job,
            nonce: 7,
            lane: String::new(),
            rank: 0,
        })
        .collect();
    transport.deliver(purge(), &strays).await.unwrap();
    t.advance(SOON);
    let report = audit.run().await;
    assert_eq!(report.found["pointer_lost"], 1, "{report:?}");
    assert_eq!(report.found["pointer_stray"], 2, "{report:?}");
    assert_eq!(report.found, report.mended);
    assert_eq!((report.lost, report.duplicates), (0, 0));
    assert!(!report.remarks.as_array().unwrap().is_empty());
    // The row is dispatched anew, the strays are gone, and what was right stays.
    assert!(read(t, lost).await.dispatched_at.is_none());
    assert!(read(t, kept).await.dispatched_at.is_some());
    let jobs: Vec<JobId> = strays.iter().map(|stray| stray.job).chain([kept]).collect();
    let missing = transport.missing("purge", &jobs).await.unwrap();
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(!missing.contains(&kept));
    steps.relay().await.unwrap();
    let report = audit.run().await;
    let none =
        json!({ "pointer_lost": 0, "pointer_stray": 0, "post_orphaned": 0, "tiktok_state": 0 });
    assert_eq!(report.found, none);
    assert_eq!(report.mended, none);
    let specs = Jobs::new(&t.app.config.queue);
    assert_eq!(specs.queues().len(), Jobs::QUEUES.len());
}

/// A post at TikTok, as it is there, with its state here put to `state` a while ago.
async fn pretend(
    t: &mut TestApp,
    new: posts::NewPost,
    there: PostState,
    here: PostState,
) -> clipqueue_entities::PostId {
    let post = t.post(new).await;
    t.run_until(post.id, there).await;
    let now = t.app.clock.now();
    t.overwrite(post.id, |row| {
        row.state = Set(here);
        row.state_since = Set(now - Duration::from_secs(1200));
        row.updated_at = Set(now);
        row.deadline_at = Set(Some(now + Duration::from_secs(86_400)));
    })
    .await;
    post.id
}

async fn posts_without_care_are_found_and_tiktoks_word_is_taken(stack: Stack) {
    let sampling = [("operations.drift_sample", "5")];
    let mut t = TestApp::start_with(stack, &sampling).await;
    let account = t.connect("creator").await;
    let media = t.upload().await;
    let direct = TestApp::direct(account.id, media);
    let published = pretend(&mut t, direct, PostState::Published, PostState::InInbox).await;
    let other = t.connect("other").await;
    let mut waiting = TestApp::direct(other.id, t.upload().await);
    waiting.publish_at = Some(t.app.clock.now() + Duration::from_secs(86_400));
    let waiting = t.post(waiting).await;
    t.lose_job(&posts::upload_job(&waiting)).await;
    t.advance(Duration::from_secs(120));
    t.drain().await;
    // Whatever came of it by itself is put back.
    let now = t.app.clock.now();
    t.overwrite(published, |row| {
        row.state = Set(PostState::InInbox);
        row.state_since = Set(now - Duration::from_secs(1200));
        row.updated_at = Set(now);
    })
    .await;
    let audit = Audit::start(t).await;
    let report = audit.run().await;
    assert_eq!(report.found["post_orphaned"], 1, "{report:?}");
    assert_eq!(report.found["tiktok_state"], 1, "{report:?}");
    assert_eq!(report.found, report.mended);
    assert_eq!(report.sampled, 1);
    assert_eq!(audit.t.reload(published).await.state, PostState::Published);
    audit.t.upload_job(waiting.id).await;
}

async fn a_post_that_was_given_up_and_appeared_is_found(stack: Stack) {
    let sampling = [("operations.drift_sample", "5")];
    let mut t = TestApp::start_with(stack, &sampling).await;
    let account = t.connect("creator").await;
    let direct = TestApp::direct(account.id, t.upload().await);
    let post = pretend(&mut t, direct, PostState::Published, PostState::Failed).await;
    let audit = Audit::start(t).await;
    let report = audit.run().await;
    assert_eq!(report.sampled, 1);
    assert_eq!(report.found["tiktok_state"], 1, "{report:?}");
    assert_eq!(report.mended["tiktok_state"], 1, "{report:?}");
    assert_eq!(audit.t.reload(post).await.state, PostState::Published);
}

async fn what_cannot_be_mended_is_reported(stack: Stack) {
    let sampling = [("operations.drift_sample", "5")];
    let mut t = TestApp::start_with(stack, &sampling).await;
    let account = t.connect("creator").await;
    let inbox = TestApp::inbox(account.id, t.upload().await);
    let drafted = pretend(&mut t, inbox, PostState::InInbox, PostState::Published).await;
    let other = t.connect("other").await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut new = TestApp::direct(other.id, t.upload().await);
        new.publish_at = Some(t.app.clock.now() + Duration::from_secs(86_400));
        let post = t.post(new).await;
        t.overwrite(post.id, |row| row.tiktok_post_ids = Set(json!(["7123"])))
            .await;
        ids.push(post.id);
    }
    t.overwrite(ids[0], |row| row.deadline_at = Set(None)).await;
    let audit = Audit::start(t).await;
    let report = audit.run().await;
    assert_eq!(report.found["tiktok_state"], 1, "{report:?}");
    assert_eq!(report.mended["tiktok_state"], 0, "{report:?}");
    assert_eq!((report.lost, report.duplicates), (1, 1), "{report:?}");
    assert_eq!(report.remarks.as_array().unwrap().len(), 3, "{report:?}");
    assert_eq!(audit.t.reload(drafted).await.state, PostState::Published);
    let kept = drift_report::Entity::find()
        .all(audit.t.app.db.read())
        .await;
    assert_eq!(kept.unwrap().len(), 1);
}
