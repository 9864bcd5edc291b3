//! One round: posts are asked for while things go wrong; then everything heals, posts get the time
//! that they are promised, and the ledger is asked.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use futures::future::{join, join_all};
use sha2::{Digest as _, Sha256};
use tiktok::chunks::SINGLE_CHUNK_MAX;
use tokio::time::{Instant, sleep};

use super::{
    api::{Refused, Seen, caption},
    doubt::{SETTLED_MS, Window},
    inflict::{heal, inflict},
    plan::{Plan, PlannedPost, Way},
    rng::Rng,
    until,
    world::World,
};

/// The film that every post's is made of.
const CLIP: &[u8] = include_bytes!("../../tests/media/clip.mp4");
/// The photo that every post's is made of.
const PHOTO: &[u8] = include_bytes!("../../tests/media/photo.jpg");
/// What makes a film so large that it is sent in several chunks.
const LARGE: usize = SINGLE_CHUNK_MAX as usize;
/// How long after everything is well a post is waited for of which nobody can be asked, simulated.
const UNKNOWABLE_MS: i64 = 60 * 1_000;
/// How long a front end goes on asking.
const ASKING: Duration = Duration::from_secs(120);
/// How long a front end waits before it asks again.
const AGAIN: Duration = Duration::from_millis(100);
/// How often posts are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// The real time that a machine which is busy with other things may add.
const BUSY: Duration = Duration::from_secs(30);

/// A post that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) id: String,
    pub(super) way: Way,
    pub(super) creator: String,
    pub(super) sha256: String,
    pub(super) caption: String,
    /// When it was to go, for a scheduled post.
    pub(super) publish_at_ms: Option<i64>,
    /// Whether its owner asked for it to be stopped.
    pub(super) stopped: bool,
    /// Whether they were told that it was stopped.
    pub(super) said_stopped: bool,
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
    /// When what was wrong.
    pub(super) windows: Vec<Window>,
    /// How many daemons died by themselves.
    pub(super) died: usize,
    /// When everything was well again, and when the posts were looked at for the last time.
    pub(super) healed_ms: i64,
    pub(super) ended_ms: i64,
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
    let since_call = world.sim.last_call().await?;

    let asking = plan.posts.iter().enumerate().map(|(number, post)| {
        let account = &accounts[post.creator];
        let creator = &names[post.creator];
        ask(world, plan.seed, number, post, account, creator)
    });
    let failing = plan.faults.iter().map(|fault| inflict(world, fault));
    let (asked, failed) = join(join_all(asking), join_all(failing)).await;
    let mut troubles = Vec::new();
    let mut windows = Vec::new();
    for done in failed {
        match done {
            Ok(window) => windows.extend(window),
            Err(error) => troubles.push(format!("a fault could not be made: {error:#}")),
        }
    }
    let mut accepted = Vec::new();
    for asked in asked {
        match asked {
            Ok(post) => accepted.push(post),
            Err(error) => troubles.push(format!("a post was not accepted: {error:#}")),
        }
    }
    heal(world).await?;
    let healed_ms = world.daemons.now_ms();
    settle(world, &mut accepted, healed_ms, rate).await?;
    let mut died = world.daemons.deaths.windows();
    died.retain(|death| death.to_ms >= began_ms);
    let count = died.len();
    windows.extend(died);
    Ok(Played {
        accepted,
        troubles,
        began_ms,
        since_call,
        windows,
        died: count,
        healed_ms,
        ended_ms: world.daemons.now_ms(),
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
fn film(seed: u64, number: usize, large: bool) -> Bytes {
    let mut rng = Rng::new(seed.wrapping_mul(1_000_003) + number as u64);
    let mut film = CLIP.to_vec();
    let padding = if large { LARGE } else { 0 };
    let size = 24 + padding as u32;
    film.extend_from_slice(&size.to_be_bytes());
    film.extend_from_slice(b"free");
    film.extend_from_slice(&rng.next().to_be_bytes());
    film.extend_from_slice(&seed.to_be_bytes());
    film.resize(film.len() + padding, 0);
    film.into()
}

/// The photo with a comment behind its first mark, for the same purpose.
fn photo(seed: u64, number: usize) -> Bytes {
    let mut rng = Rng::new(seed.wrapping_mul(1_000_003) + number as u64);
    let (mark, rest) = PHOTO.split_at(2);
    let mut photo = mark.to_vec();
    photo.extend_from_slice(&[0xff, 0xfe, 0, 18]);
    photo.extend_from_slice(&rng.next().to_be_bytes());
    photo.extend_from_slice(&seed.to_be_bytes());
    photo.extend_from_slice(rest);
    photo.into()
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
    let (name, film) = match post.way {
        Way::Photo => ("photo.jpg", photo(seed, number)),
        _ => ("movie.mp4", film(seed, number, post.large)),
    };
    let sha256 = hex::encode(Sha256::digest(&film));
    let deadline = Instant::now() + ASKING;
    let mut tries = 0;
    let media = loop {
        // An upload that broke off is left to its end, and another one begun.
        let key = format!("torture-{seed}-{number}-{tries}");
        match world.daemons.any().upload(&key, name, film.clone()).await {
            Ok(media) => break media,
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(AGAIN).await,
        }
        tries += 1;
    };
    let key = format!("torture-{seed}-{number}");
    let mut times = Times::first(world, post.way);
    let id = loop {
        let api = world.daemons.any();
        match api
            .post(&key, account, &media, post.way, times.asked())
            .await
        {
            Ok(id) => break id,
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(error) => {
                let refused = error.downcast_ref::<Refused>();
                if refused.is_some_and(|it| it.says("RECONNECT_REQUIRED", "accountId")) {
                    // The creator does what they are asked for; whether it went well shows when the post
                    // is asked for again.
                    let _ = connect(world, creator).await;
                }
                times.learn(world, post.way, &error);
            }
        }
        sleep(AGAIN).await;
    };
    let mut said_stopped = false;
    if let Some(after) = post.stop_after {
        sleep(Duration::from_millis(after)).await;
        said_stopped = stop(world, &id).await? == "CANCELLED";
    }
    Ok(Accepted {
        id,
        publish_at_ms: times.asked().and_then(instant),
        stopped: post.stop_after.is_some(),
        said_stopped,
        way: post.way,
        creator: creator.to_owned(),
        sha256,
        caption: caption(&key, post.way),
        seen: Seen::default(),
    })
}

/// Asks for a post to be stopped until somebody has answered; gives the state that it has then.
async fn stop(world: &World, post: &str) -> anyhow::Result<String> {
    let deadline = Instant::now() + ASKING;
    loop {
        match world.daemons.any().stop(post).await {
            Ok(state) => return Ok(state),
            // It is too late.
            Err(error) if error.is::<Refused>() => return Ok(String::new()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(AGAIN).await,
        }
    }
}

/// The times for which a scheduled post was asked, all with the same key: a refusal shows that none of
/// them was accepted until then, and a mismatch that an earlier one was meanwhile.
#[derive(Debug)]
struct Times {
    all: Vec<Option<String>>,
    turn: usize,
}

impl Times {
    fn first(world: &World, way: Way) -> Self {
        Self {
            all: vec![later(world, way, 0)],
            turn: 0,
        }
    }

    fn asked(&self) -> Option<&str> {
        self.all.get(self.turn)?.as_deref()
    }

    fn learn(&mut self, world: &World, way: Way, error: &anyhow::Error) {
        let Some(refused) = error.downcast_ref::<Refused>() else {
            return;
        };
        if refused.says("INVALID", "publishAt") {
            self.turn = self.all.len();
            self.all.push(later(world, way, self.all.len()));
        } else if refused.says("IDEMPOTENCY_MISMATCH", "idempotencyKey") {
            self.turn = (self.turn + 1) % self.all.len();
        }
    }
}

/// The instant of an RFC 3339 time.
fn instant(text: &str) -> Option<i64> {
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    Some(at.timestamp_millis())
}

/// A time to ask for now. Each further one leaves a slow machine a minute more.
fn later(world: &World, way: Way, refusals: usize) -> Option<String> {
    let Way::Scheduled(seconds) = way else {
        return None;
    };
    let seconds = i64::try_from(seconds).ok()? + 60 * i64::try_from(refusals).ok()?;
    let at = DateTime::from_timestamp_millis(world.daemons.now_ms() + seconds * 1_000)?;
    Some(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Waits for the end of every post, for as long as that may take. The creators do their part.
async fn settle(
    world: &World,
    posts: &mut [Accepted],
    healed_ms: i64,
    rate: u64,
) -> anyhow::Result<()> {
    let promised = Duration::from_millis(SETTLED_MS.unsigned_abs() / rate);
    let deadline = Instant::now() + promised + BUSY;
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
            let now_ms = world.daemons.now_ms();
            let mut doubts = post
                .seen
                .doubts
                .iter()
                .filter(|doubt| doubt.to_ms.is_none());
            let patience = if post.seen.can_be_asked {
                SETTLED_MS
            } else {
                UNKNOWABLE_MS
            };
            if doubts.any(|doubt| doubt.after(healed_ms, now_ms) > patience) {
                // The judge need not wait for more.
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
