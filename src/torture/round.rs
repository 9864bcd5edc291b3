//! One round: posts are asked for while things go wrong; then everything heals, posts get the time
//! that they are promised, and the ledger is asked.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use futures::future::{join, join_all};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};

use super::{
    api::Seen,
    inflict::{heal, inflict},
    plan::{Plan, PlannedPost, Way},
    rng::Rng,
    until,
    world::World,
};

/// The film that every post's is made of.
const CLIP: &[u8] = include_bytes!("../../tests/media/clip.mp4");
/// How long a front end goes on asking.
const ASKING: Duration = Duration::from_secs(120);
/// How long a front end waits before it asks again.
const AGAIN: Duration = Duration::from_millis(100);
/// How often posts are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// What is promised: with evidence at hand nothing is in doubt for longer.
const SETTLED_S: u64 = 15 * 60;
/// The real time that a machine which is busy with other things may add.
const BUSY: Duration = Duration::from_secs(30);

/// A post that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) id: String,
    pub(super) way: Way,
    pub(super) creator: String,
    pub(super) sha256: String,
    pub(super) seen: Seen,
}

/// What a round left behind.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) accepted: Vec<Accepted>,
    /// What could not be asked or done, in words.
    pub(super) troubles: Vec<String>,
    /// The simulator's time when the round began, and the last call before it.
    pub(super) began_ms: i64,
    pub(super) since_call: u64,
}

pub(super) async fn play(world: &World, plan: &Plan, rate: u64) -> anyhow::Result<Played> {
    let names: Vec<String> = (0..plan.creators)
        .map(|number| format!("s{}c{number}", plan.seed))
        .collect();
    let mut accounts = Vec::new();
    for name in &names {
        connect(world, name).await?;
        let account = until(ASKING, "the account is there", async || {
            world.daemons.any().account(name).await.ok()
        })
        .await?;
        accounts.push(account);
    }
    let began_ms = world.sim.now_ms().await?;
    let since_call = world
        .sim
        .calls_after(0)
        .await?
        .last()
        .map_or(0, |call| call.seq);

    let asking = plan.posts.iter().enumerate().map(|(number, post)| {
        let account = &accounts[post.creator];
        let creator = &names[post.creator];
        ask(world, plan.seed, number, post, account, creator)
    });
    let failing = plan.faults.iter().map(|fault| inflict(world, fault));
    let (asked, failed) = join(join_all(asking), join_all(failing)).await;
    let mut troubles: Vec<String> = failed
        .into_iter()
        .filter_map(|done| Some(format!("a fault could not be made: {:#}", done.err()?)))
        .collect();
    let mut accepted = Vec::new();
    for asked in asked {
        match asked {
            Ok(post) => accepted.push(post),
            Err(error) => troubles.push(format!("a post was not accepted: {error:#}")),
        }
    }
    heal(world).await?;
    settle(world, &mut accepted, rate).await?;
    Ok(Played {
        accepted,
        troubles,
        began_ms,
        since_call,
    })
}

/// The creator agrees, as often as it takes until a daemon has heard of it.
async fn connect(world: &World, name: &str) -> anyhow::Result<()> {
    until(ASKING, "a creator is connected", async || {
        let api = world.daemons.any();
        let url = api.authorize_url().await.ok()?;
        let callback = world.sim.consent(&url, name).await.ok()?;
        api.open(&callback).await.ok()
    })
    .await
}

/// The clip with a box of its own behind it, so that each post's bytes are known by their hash.
fn film(seed: u64, number: usize) -> Bytes {
    let mut rng = Rng::new(seed.wrapping_mul(1_000_003) + number as u64);
    let mut film = CLIP.to_vec();
    film.extend_from_slice(&24_u32.to_be_bytes());
    film.extend_from_slice(b"free");
    film.extend_from_slice(&rng.next().to_be_bytes());
    film.extend_from_slice(&seed.to_be_bytes());
    film.into()
}

/// Asks for a post until somebody has accepted it.
async fn ask(
    world: &World,
    seed: u64,
    number: usize,
    post: &PlannedPost,
    account: &str,
    creator: &str,
) -> anyhow::Result<Accepted> {
    sleep(Duration::from_millis(post.at)).await;
    let film = film(seed, number);
    let sha256 = hex::encode(Sha256::digest(&film));
    let deadline = Instant::now() + ASKING;
    let mut tries = 0;
    let media = loop {
        // An upload that broke off is left to its end, and another one begun.
        let key = format!("torture-{seed}-{number}-{tries}");
        match world.daemons.any().upload(&key, film.clone()).await {
            Ok(media) => break media,
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(AGAIN).await,
        }
        tries += 1;
    };
    let at = match post.way {
        Way::Scheduled(seconds) => {
            let now = world.sim.now_ms().await?;
            let at = now + i64::try_from(seconds).unwrap_or_default() * 1_000;
            DateTime::from_timestamp_millis(at)
                .map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
        }
        Way::Direct | Way::Inbox | Way::Draft => None,
    };
    let key = format!("torture-{seed}-{number}");
    let id = loop {
        let api = world.daemons.any();
        match api
            .post(&key, account, &media, post.way, at.as_deref())
            .await
        {
            Ok(id) => break id,
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(AGAIN).await,
        }
    };
    Ok(Accepted {
        id,
        way: post.way,
        creator: creator.to_owned(),
        sha256,
        seen: Seen::default(),
    })
}

/// Waits for the end of every post, for as long as that may take. The creators do their part.
async fn settle(world: &World, posts: &mut [Accepted], rate: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(SETTLED_S / rate) + BUSY;
    loop {
        let mut open = 0;
        let mut away: Vec<String> = Vec::new();
        for post in posts.iter_mut().filter(|post| !post.seen.has_ended()) {
            if let Ok(seen) = world.daemons.any().look(&post.id).await {
                post.seen = seen;
            }
            if post.seen.has_ended() {
                continue;
            }
            open += 1;
            let waits = post.seen.state == "HELD" && post.seen.hold_reason == "reauth_required";
            if waits && !away.contains(&post.creator) {
                away.push(post.creator.clone());
            }
        }
        if open == 0 || Instant::now() > deadline {
            return Ok(());
        }
        for creator in away {
            connect(world, &creator).await?;
        }
        sleep(LOOK).await;
    }
}
