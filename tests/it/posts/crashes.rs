//! A worker that dies anywhere: whatever had happened, the post ends once.
//!
//! The worker's future is dropped at one of its awaits, at a later one in each round, and the job is
//! rescued as after a killed process.

use clipqueue_entities::{
    AttemptId, PostId,
    post::PostState,
    post_attempt::{self, AttemptPhase},
};
use sea_orm::{ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};

use crate::support::{
    app::{Stack, TestApp},
    chunks::three_chunks,
    dying::Death,
    flows::MINUTE,
};

crate::on_both_stacks_by_hand!(
    a_worker_that_dies_at_any_await_posts_once,
    a_worker_that_dies_between_chunks_posts_once,
);
crate::on_both_stacks!(
    an_attempt_without_a_publish_id_is_repeated,
    an_attempt_whose_last_chunk_had_begun_is_only_asked_about,
);

/// Runs the due job until its process dies, and rescues it. True when the worker ended before.
async fn run_and_die(t: &TestApp, post: PostId, death: Death) -> bool {
    let mut steps = t.steps();
    let (held, _) = t.claim_one(&mut steps).await;
    t.run_and_die(&mut steps, held, post, death).await
}

/// The pointers of the dead hold their places in a creator's lane for a while of real time.
async fn crowded(stack: Stack) -> TestApp {
    TestApp::start_with(stack, &[("queue.per_creator", "1000")]).await
}

/// Every round dies this many polls later than the last.
const STRIDE: u32 = 2;

/// States that a worker can die in, each for certain once; with the next one its work has ended.
const STATES: [PostState; 4] = [
    PostState::Scheduled,
    PostState::Preflight,
    PostState::InitSent,
    PostState::Uploading,
];

async fn a_worker_that_dies_at_any_await_posts_once(stack: Stack) {
    let mut t = crowded(stack).await;
    t.sim.configure(|config| {
        config.caps.posts_per_creator = 10_000;
        config.tokens.access_seconds = 30 * 86_400;
    });
    let (account, media) = t.ready().await;
    let by_polls = (0..400).map(|round| Death::AtPoll(1 + round * STRIDE));
    let mut ended = false;
    for death in STATES.into_iter().map(Death::In).chain(by_polls) {
        let caption = format!("{death:?}");
        let post = t.post(TestApp::captioned(account, media, &caption)).await;
        ended = run_and_die(&t, post.id, death).await;
        if let Death::In(state) = death {
            assert!(!ended, "never seen in {state:?}");
        }
        t.run_until(post.id, PostState::Published).await;
        t.assert_published_once(post.id).await;
        let attempts = t.attempts(post.id).await;
        assert!(attempts.len() <= 2, "{death:?}: {attempts:?}");
        if ended {
            break;
        }
        t.advance(MINUTE);
        t.drain().await;
    }
    assert!(ended, "the worker never comes to its end");
}

async fn a_worker_that_dies_between_chunks_posts_once(stack: Stack) {
    let mut t = crowded(stack).await;
    for polls in [4, 40, 200, 400] {
        let caption = format!("chunks {polls}");
        let id = t.begin_three_chunks(&caption).await.id;
        let whole = run_and_die(&t, id, Death::AtPoll(polls)).await;
        t.drain_in_time().await;
        t.run_until(id, PostState::Published).await;
        t.assert_published_once(id).await;
        assert_eq!(t.attempts(id).await.len(), 1, "{polls} polls");
        let upload = t.sim.uploads().pop().unwrap();
        assert_eq!(upload.received, three_chunks().len() as u64);
        if whole {
            break;
        }
    }
}

/// Changes an attempt behind everybody's back.
async fn set_attempt(
    t: &TestApp,
    id: AttemptId,
    edit: impl FnOnce(&mut post_attempt::ActiveModel),
) {
    let row = post_attempt::Entity::find_by_id(id)
        .one(t.app.db.read())
        .await
        .unwrap()
        .unwrap();
    let mut row = row.into_active_model();
    edit(&mut row);
    post_attempt::Entity::update(row)
        .exec(t.app.db.write())
        .await
        .unwrap();
}

async fn an_attempt_without_a_publish_id_is_repeated(mut t: TestApp) {
    let post = t.begin_three_chunks("no id").await;
    let attempt = t.attempts(post.id).await.pop().unwrap();
    set_attempt(&t, attempt.id, |row| {
        row.phase = Set(AttemptPhase::InitSent);
        row.publish_id = Set(None);
        row.upload_url_sealed = Set(None);
    })
    .await;
    t.overwrite(post.id, |row| row.state = Set(PostState::InitSent))
        .await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    let attempts = t.attempts(post.id).await;
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].outcome.as_deref(), Some("init_answer_lost"));
}

async fn an_attempt_whose_last_chunk_had_begun_is_only_asked_about(mut t: TestApp) {
    let post = t.begin_three_chunks("last chunk").await;
    let attempt = t.attempts(post.id).await.pop().unwrap();
    let now = t.clock.now();
    set_attempt(&t, attempt.id, |row| {
        row.phase = Set(AttemptPhase::LastChunk);
        row.last_chunk_at = Set(Some(now));
    })
    .await;
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
    assert!(
        t.calls(tiktok_sim::Endpoint::Upload).is_empty(),
        "nothing is sent before TikTok was asked"
    );
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    assert_eq!(t.attempts(post.id).await.len(), 1);
}
