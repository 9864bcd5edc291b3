//! The eraser dies at every await in turn: each erasure ends, and the search finds nothing.

use std::time::Duration;

use clipqueue::domain::{actor::Scope, erasure};
use tiktok_sim::Rule;

use super::{CAPTION, CREATOR};
use crate::support::app::{Stack, TestApp};

crate::on_both_stacks_by_hand!(an_eraser_that_dies_anywhere_is_followed_by_one_that_ends_it);

/// Deaths lie the farther apart the later they come, so that the way has an end.
const ROUNDS: u32 = 36;
/// Between the two looks at a lost lease.
const REST: Duration = Duration::from_secs(4);

async fn an_eraser_that_dies_anywhere_is_followed_by_one_that_ends_it(stack: Stack) {
    let settings = [
        ("queue.per_creator", "1000"),
        ("erasure.look_again_after", "1s"),
    ];
    let mut t = TestApp::start_with(stack, &settings).await;
    // A process that dies with TikTok's answer in its hands asks once more, and is told.
    t.sim.expect_refusal("invalid_grant");
    t.sim.expect_broken(Rule::DeadRefreshTokenUsed);
    t.sim
        .configure(|config| config.caps.posts_per_creator = 10_000);
    let mut ended = false;
    for round in 0..ROUNDS {
        let name = format!("quixotic-{round}");
        let (actor, key) = TestApp::user(&t.app, &name, &Scope::ALL).await;
        (t.actor, t.key) = (actor, key);
        let account = t.connect(CREATOR).await;
        let media = t.upload().await;
        t.post(TestApp::captioned(
            account.id,
            media,
            &format!("{CAPTION} {round}"),
        ))
        .await;
        let identifiers = t.known_by(t.actor.user_id, None, &[CAPTION]).await;
        let accepted = erasure::delete_user(&t.app, &t.actor, &name, "bye")
            .await
            .unwrap();
        ended = t.die_at("erase", 1 + round * round, REST).await;
        let status = t.erased(&accepted).await;
        t.assert_gone(&identifiers, &status).await;
        assert!(!t.sim.is_connected(CREATOR), "{round}");
        if ended {
            break;
        }
    }
    assert!(ended, "the eraser never comes to its end");
}
