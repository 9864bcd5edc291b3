//! TikTok's budgets hold when many posts of one creator are asked about at once.

use clipqueue_entities::post::PostState;
use tiktok_sim::Endpoint;

use crate::support::app::TestApp;

crate::on_both_stacks!(twenty_posts_at_once_stay_within_the_status_budget);

const POSTS: usize = 20;

async fn twenty_posts_at_once_stay_within_the_status_budget(mut t: TestApp) {
    t.sim.configure(|config| {
        config.caps.posts_per_creator = 100;
        // Long enough that all of them are in TikTok's hands at the same time.
        config.pipeline.processing_ms = 600_000;
    });
    let (account, media) = t.ready().await;
    let mut posts = Vec::new();
    for number in 0..POSTS {
        let caption = format!("of many {number}");
        posts.push(
            t.post(TestApp::captioned(account, media, &caption))
                .await
                .id,
        );
    }
    for id in &posts {
        t.run_until(*id, PostState::Published).await;
    }
    assert_eq!(t.sim.publishes().len(), POSTS);
    let asked: Vec<i64> = t.calls(Endpoint::Status).iter().map(|c| c.at_ms).collect();
    for start in &asked {
        let within = asked
            .iter()
            .filter(|at| **at >= *start && **at < start + 60_000)
            .count();
        assert!(within <= 30, "{within} questions within a minute");
    }
    for id in &posts {
        let job = t.upload_job(*id).await;
        assert_eq!(job.attempt, 1, "waiting for a budget spends no attempt");
    }
}
