//! One death and what follows.

use std::{os::unix::process::ExitStatusExt as _, time::Duration};

use clipqueue::crash::Point;
use serde_json::{Value, json};

use super::{
    super::{
        clock::Steering,
        world::{Daemon, World, free_address},
    },
    expects_a_consent,
    hand::Hand,
    stage::{Away, Wish, before, die_before, prepare},
    story::Story,
};
use crate::support::{app::Stack, eventually};

/// How long a death or a post's end may take. On a machine with nothing else to do it is seconds.
pub(super) const LIMIT: Duration = Duration::from_secs(180);

/// Starts the program, lets it die at `point`, starts it again and judges.
pub(super) async fn live_through(stack: Stack, point: Point, nth: u32, story: Story) {
    let directory = tempfile::tempdir().unwrap();
    let mut clock = Steering::new(directory.path());
    let file = clock.file.display().to_string();
    let settings = [
        ("debug.clock", file.as_str()),
        ("posts.inbox_deadline", "10m"),
        ("posts.processing_deadline", "10m"),
        ("posts.photo_address_life", "1h"),
    ];
    let world = World::new(stack, &settings).await;
    clock.hurry(&world).await;
    // TikTok knows one place, whichever process is there.
    let place = free_address();
    let wish = before(&world, story).await;
    prepare(&world, story, point, &place).await;
    die_before(&world, &mut clock, &wish).await;

    let mut away = Away::new(story);
    let silent = away.silent.as_ref().map(|it| it.local_addr().unwrap());
    let public = format!(
        "http://{}",
        silent.map_or(place.clone(), |it| it.to_string())
    );
    let at = format!("{point}:{nth}");
    let own = [("http.listen", &*place), ("http.public_url", &*public)];
    let armed = [own[0], own[1], ("debug.crash_at", at.as_str())];
    let mut first = world.spawn("armed", &armed);
    eventually(LIMIT, "the daemon is ready or dead", async || {
        let dead = first.process.ended_within(Duration::ZERO).await.is_some();
        (dead || first.client.is_ready().await).then_some(())
    })
    .await;
    if story == Story::MediaAway {
        away.move_media(&world);
    }
    let mut hand = Hand::new(story, &wish.key);
    let mut accepted = None;
    let ended = eventually(LIMIT, &format!("{at} is met"), async || {
        match &accepted {
            None => accepted = wish.ask(&world, &first).await,
            Some(post) => {
                // It may be dead.
                let _ = hand.lend(&world, &first.client, post).await;
            }
        }
        let (step, pause) = story.step(&hand.state);
        if !step.is_zero() {
            clock.advance(&world, step).await;
            hand.waited(step);
        }
        first.process.ended_within(pause).await
    })
    .await;
    assert_eq!(ended.signal(), Some(9), "{at}: {ended}");
    away.bring_media_back();

    if story == Story::TiktokFails {
        let heals = json!({ "pipeline": { "fail_reason": null } });
        world.sim.configure(heals).await;
    }
    let mut second = world.daemon_with("again", &own).await;
    if accepted.is_none() && expects_a_consent(point) {
        // The grant was lost before anybody had asked for the post, and without one none is accepted.
        world.connect(&second, "creator").await;
    }
    let post = eventually(LIMIT, "the post is accepted", async || {
        wish.ask(&world, &second).await
    })
    .await;
    assert!(accepted.is_none_or(|before| before == post), "two posts");
    let mut end = End {
        world: &world,
        clock,
        hand,
        wish: &wish,
        point,
    };
    end.come(&mut second, &post).await;
    judge(&world, &second, &post, story).await;
}

/// The way from the death to the end of the post.
struct End<'a> {
    world: &'a World,
    clock: Steering,
    hand: Hand,
    wish: &'a Wish,
    point: Point,
}

impl End<'_> {
    /// Waits for the end of the post; the creator connects again when the post waits for that.
    async fn come(&mut self, daemon: &mut Daemon, post: &str) {
        let (story, point) = (self.wish.story, self.point);
        let may_hold = story == Story::GrantOver || expects_a_consent(point);
        let end = story.end();
        let mut connected = false;
        eventually(LIMIT, &format!("{point}: the post is {end}"), async || {
            // A daemon without time for an answer is asked again.
            let looked = self.hand.lend(self.world, &daemon.client, post).await;
            let seen = looked.unwrap_or_default();
            let state = &*self.hand.state;
            if state == "HELD" && may_hold && !connected {
                assert_eq!(seen["holdReason"], "reauth_required", "{seen}");
                connected = true;
                self.world.connect(daemon, "creator").await;
            }
            let over = ["FAILED", "MISSED", "CANCELLED"].contains(&state);
            let wrong = over && !story.is_tried_again();
            assert!(state == end || !wrong, "{point}: {seen}");
            if state == end && seen["state"] == end {
                return Some(());
            }
            let (step, pause) = story.step_to_the_end(state);
            if !step.is_zero() {
                self.clock.advance(self.world, step).await;
                self.hand.waited(step);
            }
            let gone = daemon.process.ended_within(pause).await;
            assert!(gone.is_none(), "{point}: the daemon ended: {gone:?}");
            None
        })
        .await;
    }
}

/// The ledger has the last word, and our record must have the proof of each state.
async fn judge(world: &World, daemon: &Daemon, post: &str, story: Story) {
    let published = world.sim.published("creator").await;
    let (own, others): (Vec<_>, Vec<_>) = published.iter().partition(|it| !it.by_creator);
    assert_eq!(own.len(), story.appearances(), "{published:?}");
    assert_eq!(others.len(), usize::from(story == Story::Told));
    world.sim.assert_content().await;
    let seen = daemon.client.look(post).await;
    let open: Vec<_> = seen["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|attempt| attempt["phase"] != "CLOSED")
        .collect();
    assert!(open.len() <= 1, "{seen}");
    let timeline = daemon.client.timeline(post).await;
    let changes: Vec<&Value> = timeline
        .iter()
        .filter(|event| event["kind"] == "post.state")
        .collect();
    assert!(
        changes
            .iter()
            .all(|it| it["evidence"]["subject"].is_string()),
        "{changes:?}"
    );
    assert_eq!(changes.last().unwrap()["to"], story.end(), "{changes:?}");
    for pair in changes.windows(2).filter(|_| !story.forges_a_state()) {
        assert_eq!(pair[0]["to"], pair[1]["from"], "{changes:?}");
    }
}
