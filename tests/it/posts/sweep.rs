//! The scan that makes sure: lost jobs, passed deadlines, holds that nobody ended.

use clipqueue::{
    domain::{accounts, attempts, posts, sweep},
    job::Job,
};
use clipqueue_entities::{
    PostId,
    job::{self, JobState},
    post,
    post::PostState,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, DatabaseBackend, EntityTrait as _,
    QueryFilter as _, sea_query::Expr,
};
use tiktok_sim::{Endpoint, Fault, FaultKind};

use crate::support::{
    app::TestApp,
    flows::{HOUR, MINUTE},
};

crate::on_both_stacks!(
    a_healthy_system_gives_the_sweep_nothing_to_do,
    a_post_whose_upload_job_was_lost_gets_another,
    a_post_whose_poll_job_was_lost_gets_another,
    a_hold_that_lost_its_job_ends_all_the_same,
    an_upload_past_its_deadline_fails_or_is_in_doubt,
    a_post_held_too_long_is_missed,
    posts_that_were_held_while_the_creator_connected_go_on,
    a_job_that_was_held_after_its_post_was_let_go_goes_on,
    a_job_that_waits_for_a_scope_is_let_go_at_most_once,
    a_deadline_that_moved_meanwhile_is_kept,
    one_broken_post_does_not_stop_the_sweep,
    a_post_whose_job_kills_workers_is_not_adopted_at_once,
);

async fn sweep_once(t: &TestApp) -> sweep::Swept {
    sweep::sweep(&t.app).await.unwrap()
}

fn upload_of(post: &post::Model) -> Job {
    posts::upload_job(post)
}

async fn a_healthy_system_gives_the_sweep_nothing_to_do(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.sim
        .configure(|config| config.pipeline.processing_ms = 300_000);
    let later = t
        .post(posts::NewPost {
            publish_at: Some(t.clock.now() + HOUR),
            ..TestApp::captioned(account, media, "later")
        })
        .await;
    let now = t.post(TestApp::direct(account, media)).await;
    for _ in 0..80 {
        t.drain().await;
        assert_eq!(sweep_once(&t).await, sweep::Swept::default());
        t.advance(MINUTE);
    }
    t.run_until(now.id, PostState::Published).await;
    t.run_until(later.id, PostState::Published).await;
}

async fn a_post_whose_upload_job_was_lost_gets_another(mut t: TestApp) {
    let post = t.direct_post().await;
    t.lose_job(&upload_of(&post)).await;
    t.drain().await;
    assert_eq!(
        sweep_once(&t).await.orphans,
        0,
        "a fresh change is left in peace"
    );
    t.advance(MINUTE * 2);
    assert_eq!(sweep_once(&t).await.orphans, 1);
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;

    let id = t.begin_three_chunks("in the middle").await.id;
    let post = t.reload(id).await;
    t.lose_job(&upload_of(&post)).await;
    t.advance(MINUTE * 2);
    assert_eq!(sweep_once(&t).await.orphans, 1);
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    assert_eq!(t.attempts(id).await.len(), 1);
}

async fn a_post_whose_poll_job_was_lost_gets_another(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.sim
        .configure(|config| config.pipeline.processing_ms = 600_000);
    let direct = t.post(TestApp::direct(account, media)).await;
    let draft = t.post(TestApp::inbox(account, media)).await;
    t.drain().await;
    for id in [direct.id, draft.id] {
        let post = t.reload(id).await;
        assert_eq!(post.state, PostState::Processing);
        t.lose_job(&attempts::poll_job(&post)).await;
    }
    t.advance(MINUTE * 2);
    assert_eq!(sweep_once(&t).await.orphans, 2);
    t.run_until(direct.id, PostState::Published).await;
    t.run_until(draft.id, PostState::InInbox).await;
    let post = t.reload(draft.id).await;
    t.lose_job(&attempts::poll_job(&post)).await;
    t.advance(MINUTE * 2);
    assert_eq!(sweep_once(&t).await.orphans, 1);
    let publish_id = t.attempts(draft.id).await[0].publish_id.clone().unwrap();
    t.sim
        .finish_draft(&publish_id, "SELF_ONLY", "by hand")
        .unwrap();
    t.run_until(draft.id, PostState::Published).await;
    assert_eq!(t.sim.inits().len(), 2);
}

async fn a_hold_that_lost_its_job_ends_all_the_same(mut t: TestApp) {
    let post = t.direct_post().await;
    t.fault(
        Endpoint::VideoInit,
        FaultKind::ApiCode {
            code: "spam_risk_too_many_posts".to_owned(),
            status: 403,
        },
    );
    t.run_until(post.id, PostState::Held).await;
    t.lose_job(&upload_of(&post)).await;
    t.advance(HOUR);
    assert_eq!(sweep_once(&t).await.orphans, 1);
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Held);
    t.advance(HOUR * 23);
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn set_deadline(t: &TestApp, id: PostId) {
    let now = t.clock.now();
    t.overwrite(id, |row| row.deadline_at = Set(Some(now)))
        .await;
}

async fn an_upload_past_its_deadline_fails_or_is_in_doubt(mut t: TestApp) {
    let id = t.begin_three_chunks("too slow").await.id;
    set_deadline(&t, id).await;
    assert_eq!(sweep_once(&t).await.overdue, 1);
    let failed = t.reload(id).await;
    assert_eq!(failed.state, PostState::Failed);
    assert_eq!(failed.failure_code.as_deref(), Some("gave_up"));
    assert!(failed.failure_retryable);
    t.drain().await;
    assert!(t.calls(Endpoint::Upload).is_empty());

    let id = t.begin_three_chunks("in doubt").await.id;
    let lost = Fault::once(Endpoint::Upload, FaultKind::LostAfterEffect).after(2);
    t.sim.fault(lost);
    t.fault_always(Endpoint::Status, FaultKind::LostBeforeEffect);
    t.drain_in_time().await;
    assert_eq!(t.reload(id).await.state, PostState::Unconfirmed);
    t.sim.clear_faults(None);
    // As a crash right after the commit of "the last chunk starts" leaves it.
    t.overwrite(id, |row| row.state = Set(PostState::Uploading))
        .await;
    set_deadline(&t, id).await;
    sweep_once(&t).await;
    assert_eq!(t.reload(id).await.state, PostState::Unconfirmed);
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    assert_eq!(t.attempts(id).await.len(), 1);
}

async fn a_post_held_too_long_is_missed(mut t: TestApp) {
    let post = t.direct_post().await;
    let generation = t.tokens(post.account_id).await.generation;
    accounts::require_reauth(&t.app, post.account_id, generation, "test")
        .await
        .unwrap();
    t.pass(HOUR * 24 * 29, 3).await;
    sweep_once(&t).await;
    assert_eq!(t.reload(post.id).await.state, PostState::Held);
    t.pass(HOUR * 25, 1).await;
    sweep_once(&t).await;
    assert_eq!(t.reload(post.id).await.state, PostState::Missed);
    assert!(t.upload_job(post.id).await.state.is_final());
}

async fn posts_that_were_held_while_the_creator_connected_go_on(mut t: TestApp) {
    let post = t.direct_post().await;
    // The worker saw the account before the creator connected, and its verdict came after.
    t.app.queue.pause("uploads").await.unwrap();
    t.overwrite(post.id, |row| {
        row.state = Set(PostState::Held);
        row.hold_reason = Set(Some(accounts::REAUTH_REQUIRED.to_owned()));
    })
    .await;
    t.app.queue.resume("uploads").await.unwrap();
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Held);
    t.advance(MINUTE * 2);
    sweep_once(&t).await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn a_job_that_was_held_after_its_post_was_let_go_goes_on(mut t: TestApp) {
    let post = t.direct_post().await;
    let held = job::Entity::update_many()
        .col_expr(job::Column::State, Expr::value(JobState::Held))
        .col_expr(
            job::Column::HoldReason,
            Expr::value(accounts::REAUTH_REQUIRED),
        )
        .filter(job::Column::UniqueKey.eq(upload_of(&post).unique_key()))
        .exec(t.app.db.write())
        .await
        .unwrap();
    assert_eq!(held.rows_affected, 1);
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Scheduled);
    sweep_once(&t).await;
    t.drain().await;
    assert_eq!(
        t.reload(post.id).await.state,
        PostState::Scheduled,
        "a fresh hold is left in peace"
    );
    t.advance(MINUTE * 2);
    sweep_once(&t).await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn a_job_that_waits_for_a_scope_is_let_go_at_most_once(t: TestApp) {
    let post = t.direct_post().await;
    for round in 0..3 {
        let held = job::Entity::update_many()
            .col_expr(job::Column::State, Expr::value(JobState::Held))
            .col_expr(
                job::Column::HoldReason,
                Expr::value(accounts::SCOPE_MISSING),
            )
            .col_expr(job::Column::UpdatedAt, Expr::value(t.clock.now()))
            .filter(job::Column::UniqueKey.eq(upload_of(&post).unique_key()))
            .exec(t.app.db.write())
            .await
            .unwrap();
        assert_eq!(held.rows_affected, 1);
        t.advance(MINUTE * 2);
        sweep_once(&t).await;
        let state = t.upload_job(post.id).await.state;
        let is_held = state == JobState::Held;
        assert_eq!(is_held, round > 0, "{round}: {state:?}");
    }
}

async fn a_deadline_that_moved_meanwhile_is_kept(t: TestApp) {
    let (account, media) = t.ready().await;
    let post = t
        .post(posts::NewPost {
            publish_at: Some(t.clock.now() + HOUR),
            ..TestApp::direct(account, media)
        })
        .await;
    t.advance(HOUR * 8);
    let at = t.clock.now() + HOUR;
    let edit = posts::PostEdit {
        publish_at: Some(Some(at)),
        ..posts::PostEdit::default()
    };
    // The owner and the sweep at the same moment: whoever is first, the job and the post agree.
    let (edited, swept) = tokio::join!(
        posts::update(&t.app, &t.actor, post.id, 1, edit),
        sweep::sweep(&t.app)
    );
    swept.unwrap();
    let now = t.reload(post.id).await;
    match edited {
        Ok(_) => {
            assert_eq!(now.state, PostState::Scheduled);
            assert!(!t.upload_job(post.id).await.state.is_final());
        }
        Err(_) => {
            assert_eq!(now.state, PostState::Missed);
            assert!(t.upload_job(post.id).await.state.is_final());
        }
    }
    assert!(t.calls(Endpoint::VideoInit).is_empty());
}

/// The database takes no change of posts with this caption.
async fn break_posts(t: &TestApp, caption: &str) {
    let statements = match t.app.db.backend() {
        DatabaseBackend::Sqlite => vec![format!(
            "CREATE TRIGGER broken BEFORE UPDATE ON posts WHEN NEW.caption = '{caption}' \
             BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )],
        _ => vec![
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'broken'; END $$"
                .to_owned(),
            format!(
                "CREATE TRIGGER broken BEFORE UPDATE ON posts FOR EACH ROW \
                 WHEN (NEW.caption = '{caption}') EXECUTE FUNCTION broken()"
            ),
        ],
    };
    for statement in statements {
        t.app
            .db
            .write()
            .execute_unprepared(&statement)
            .await
            .unwrap();
    }
}

async fn one_broken_post_does_not_stop_the_sweep(t: TestApp) {
    let (account, media) = t.ready().await;
    let mut ids = Vec::new();
    for caption in ["broken", "whole", "orphan"] {
        let post = t
            .post(posts::NewPost {
                publish_at: Some(t.clock.now() + HOUR),
                ..TestApp::captioned(account, media, caption)
            })
            .await;
        ids.push(post.id);
    }
    for id in &ids[..2] {
        set_deadline(&t, *id).await;
    }
    let orphan = t.reload(ids[2]).await;
    t.lose_job(&upload_of(&orphan)).await;
    break_posts(&t, "broken").await;
    t.advance(MINUTE * 2);
    let error = sweep::sweep(&t.app).await.unwrap_err();
    assert!(format!("{error:?}").contains("broken"), "{error:?}");
    assert_eq!(t.reload(ids[0]).await.state, PostState::Scheduled);
    assert_eq!(t.reload(ids[1]).await.state, PostState::Missed);
    assert!(!t.upload_job(ids[2]).await.state.is_final());
}

/// Three workers died of this job, which was given up for it.
async fn poison(t: &TestApp, job: &Job) {
    let given_up = job::ActiveModel {
        state: Set(JobState::Discarded),
        crashes: Set(3),
        unique_key: Set(None),
        finished_at: Set(Some(t.clock.now())),
        ..Default::default()
    };
    let done = job::Entity::update_many()
        .set(given_up)
        .filter(job::Column::UniqueKey.eq(job.unique_key()))
        .exec(t.app.db.write())
        .await
        .unwrap();
    assert_eq!(done.rows_affected, 1);
}

async fn a_post_whose_job_kills_workers_is_not_adopted_at_once(mut t: TestApp) {
    t.sim
        .configure(|config| config.pipeline.processing_ms = 50_000_000);
    let post = t.direct_post().await;
    t.run_until(post.id, PostState::Processing).await;
    let post = t.reload(post.id).await;
    poison(&t, &attempts::poll_job(&post)).await;
    for _ in 0..10 {
        t.advance(MINUTE * 2);
        assert_eq!(sweep_once(&t).await.orphans, 0);
    }
    t.advance(HOUR);
    assert_eq!(sweep_once(&t).await.orphans, 1);
    // The second time it rests for twice as long.
    poison(&t, &attempts::poll_job(&post)).await;
    t.advance(HOUR + MINUTE);
    assert_eq!(sweep_once(&t).await.orphans, 0);
    t.advance(HOUR);
    assert_eq!(sweep_once(&t).await.orphans, 1);

    // What was not sent yet ends, and its owner decides.
    let id = t.begin_three_chunks("deadly").await.id;
    let post = t.reload(id).await;
    poison(&t, &upload_of(&post)).await;
    t.advance(MINUTE * 2);
    assert_eq!(sweep_once(&t).await.orphans, 0);
    let failed = t.reload(id).await;
    assert_eq!(failed.state, PostState::Failed);
    assert!(failed.failure_retryable);
}
