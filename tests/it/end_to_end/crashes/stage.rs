//! What a story needs before the process dies: a creator and their files, what the simulator is told to
//! do wrong, and what is broken on our side.

use std::{net::TcpListener, path::PathBuf, time::Duration};

use clipqueue::crash::Point;
use serde_json::json;
use tiktok_sim::{Endpoint, FaultKind, Rule};
use uuid::Uuid;

use super::{
    super::{
        client::{Kind, request},
        clock::Steering,
        movie::Movie,
        world::{Daemon, World},
    },
    forgets_a_refusal,
    run::LIMIT,
    story::Story,
};
use crate::support::{app::CLIP, eventually};

/// A chunk that is not the last one has 32 MB.
const TWO_CHUNKS: u64 = 70_000_000;
/// A month: no token ends when the clocks of a run are set forward by hours, so nobody dies with a new
/// pair in hand by chance.
const LONG_LIFE_S: u64 = 30 * 86_400;
/// The length of the clip.
const CLIP_SECONDS: u64 = 3;
/// A call that is stalled for so long ends with its process.
const FOR_GOOD_MS: u64 = 120_000;
/// Long enough for notices to come on a busy machine, and well within the time that they wait for an answer.
const NOTICES_FIRST_MS: u64 = 60_000;
/// Long enough for a job to be taken away meanwhile, and half of what a worker is given to stop, which hears of it
/// within a second.
const A_WHILE_MS: u64 = 2_500;

const JPEG: &[u8] = include_bytes!("../../../media/photo.jpg");
const WEBP: &[u8] = include_bytes!("../../../media/photo.webp");

/// What the creator asks for.
pub(super) struct Wish {
    pub(super) key: String,
    pub(super) story: Story,
    /// None: they connect first.
    account: Option<String>,
    media: Vec<String>,
    /// In milliseconds; none is at once.
    publish_at: Option<i64>,
}

impl Wish {
    /// Asks; a daemon that dies meanwhile is no answer. The same key gives the same post.
    pub(super) async fn ask(&self, world: &World, daemon: &Daemon) -> Option<String> {
        let client = &daemon.client;
        let account = match &self.account {
            Some(account) => account.clone(),
            None => world.try_connect(daemon, "creator").await.ok()?,
        };
        let draft = self.story == Story::Draft;
        let mut input = request(&self.key, &account, self.story.kind());
        if self.story.has_photos() {
            input["photos"] = json!({ "mediaIds": self.media, "autoAddMusic": false });
        } else {
            input["mediaId"] = json!(self.media[0]);
        }
        input["keepDraft"] = json!(draft);
        if let Some(at) = self.publish_at {
            let at = chrono::DateTime::from_timestamp_millis(at).unwrap();
            input["publishAt"] = json!(at.to_rfc3339());
        }
        let post = client.try_create(input).await.ok()?;
        if draft {
            client.try_submit(&post).await.ok()?;
        }
        Some(post)
    }
}

/// A creator, connected, and files of theirs.
pub(super) async fn before(world: &World, story: Story) -> Wish {
    if story.has_photos() || matches!(story, Story::GivenUp | Story::StuckForADay) {
        let pulls = json!({ "allow": true, "loopback_http": true });
        let tokens = json!({ "access_seconds": LONG_LIFE_S });
        let change = json!({ "pulls": pulls, "tokens": tokens });
        world.sim.configure(change).await;
    }
    let mut daemon = world.daemon("first").await;
    let client = &daemon.client;
    let media = if story.has_photos() {
        vec![
            client.upload_file("photo.jpg", JPEG).await,
            client.upload_file("photo.webp", WEBP).await,
        ]
    } else {
        let size = match story {
            Story::Chunks => TWO_CHUNKS,
            _ => CLIP.len() as u64 + 1_000,
        };
        vec![client.upload(&Movie::of(size)).await]
    };
    let account = match story {
        Story::Connecting => None,
        _ => Some(world.connect(&daemon, "creator").await),
    };
    if let (Story::Doubted, Some(account)) = (story, &account) {
        // Whatever appears with this caption may be this draft's.
        let other = Movie::of(CLIP.len() as u64 + 2_000);
        let other = client.upload(&other).await;
        let draft = client.post(account, &other, Kind::Inbox).await;
        client.until_within(LIMIT, &draft, Kind::Inbox.end()).await;
    }
    let hour = Duration::from_secs(3_600).as_millis();
    let publish_at = match story {
        Story::ChangedMind => Some(world.sim.now_ms().await + i64::try_from(hour).unwrap()),
        _ => None,
    };
    daemon.process.kill();
    Wish {
        key: Uuid::now_v7().to_string(),
        story,
        account,
        media,
        publish_at,
    }
}

/// What the story needs of TikTok.
pub(super) async fn prepare(world: &World, story: Story, point: Point, place: &str) {
    let sim = &world.sim;
    let dead = FaultKind::DeadToken;
    match story {
        Story::Direct
        | Story::Inbox
        | Story::Draft
        | Story::Chunks
        | Story::MediaAway
        | Story::TokenEnds
        | Story::DraftLapses
        | Story::Rescue
        | Story::Photos
        | Story::ChangedMind
        | Story::Connecting
        | Story::Orphan
        | Story::Stranded => {}
        Story::AnswerLost => {
            // Long enough to be seen in processing.
            let slow = json!({ "pipeline": { "processing_ms": 240_000 } });
            sim.configure(slow).await;
            let lost = FaultKind::LostAfterEffect;
            sim.fault("creator", Endpoint::Upload, 0, lost).await;
        }
        Story::ChunkLost => {
            let lost = FaultKind::LostBeforeEffect;
            sim.fault("creator", Endpoint::Upload, 0, lost).await;
        }
        Story::TiktokFails => {
            let fails = json!({ "pipeline": { "fail_reason": "internal" } });
            sim.configure(fails).await;
        }
        Story::RejectedToken => {
            sim.fault("creator", Endpoint::CreatorInfo, 0, dead).await;
        }
        Story::RefreshRefused => {
            sim.fault("creator", Endpoint::CreatorInfo, 0, dead).await;
            let busy = FaultKind::RateLimit;
            sim.fault_of_app(Endpoint::OauthRefresh, busy).await;
        }
        Story::GrantOver => sim.disconnect("creator").await,
        Story::Stuck | Story::StuckForADay => {
            let stuck = json!({ "pipeline": { "stuck": true } });
            sim.configure(stuck).await;
        }
        Story::PhotosLost => {
            let lost = FaultKind::LostBeforeEffect;
            sim.fault("creator", Endpoint::PhotoInit, 0, lost).await;
        }
        Story::JobLost => {
            let slow = FaultKind::StallAfterEffect { ms: A_WHILE_MS };
            sim.fault("creator", Endpoint::PhotoInit, 0, slow).await;
        }
        // When it was stopped already, as far as TikTok is concerned.
        Story::Stopped => sim.expect(&["publish_not_cancellable"], &[]).await,
        Story::Told => {
            let url = format!("http://{place}{}", clipqueue::http::webhooks::PATH);
            sim.configure(json!({ "webhooks": { "url": url } })).await;
            // The notices come first: what a poll has learned already needs no question.
            let later = json!({ "status_lag_ms": NOTICES_FIRST_MS });
            sim.configure(json!({ "pipeline": later })).await;
        }
        Story::Doubted => {
            let ignorant =
                json!({ "status_lag_ms": FOR_GOOD_MS * 1_000, "video_seconds": CLIP_SECONDS });
            sim.configure(json!({ "pipeline": ignorant })).await;
            let lost = FaultKind::LostAfterEffect;
            sim.fault("creator", Endpoint::Upload, 0, lost).await;
        }
        Story::GivenUp => {
            let stall = FaultKind::StallAfterEffect { ms: FOR_GOOD_MS };
            sim.fault("creator", Endpoint::Upload, 0, stall).await;
        }
    }
    // The old token dies with the crash, which only TikTok's refusal tells.
    sim.expect(&["invalid_grant"], &[Rule::DeadRefreshTokenUsed])
        .await;
    if story == Story::GrantOver {
        sim.expect(&["access_token_invalid"], &[]).await;
    }
    if forgets_a_refusal(point) {
        let twice = [Rule::RefusedTokenUsedAgain];
        sim.expect(&["access_token_invalid"], &twice).await;
    }
}

/// An earlier death, for stories that begin with one.
pub(super) async fn die_before(world: &World, clock: &mut Steering, wish: &Wish) {
    let at = match wish.story {
        Story::Rescue => "before.call.video_init:1",
        Story::Orphan | Story::Stranded => "after.commit.post_accepted:1",
        Story::GivenUp => return stop_in_the_last_chunk(world, clock, wish).await,
        _ => return,
    };
    let mut daemon = world.daemon_with("before", &[("debug.crash_at", at)]).await;
    wish.ask(world, &daemon).await;
    daemon.process.ended(LIMIT).await;
    let damage: &[&str] = match wish.story {
        Story::Orphan => &["DELETE FROM jobs WHERE kind = 'upload_post'"],
        Story::Stranded => &[
            "UPDATE posts SET state = 'held', hold_reason = 'reauth_required'",
            "UPDATE jobs SET state = 'held', hold_reason = 'reauth_required' WHERE kind = 'upload_post'",
        ],
        _ => &[],
    };
    for sql in damage {
        assert_eq!(world.damage(sql).await, 1, "{sql}");
    }
}

/// TikTok has the last chunk, its answer is lost with the process, and nobody is left to ask for it.
async fn stop_in_the_last_chunk(world: &World, clock: &mut Steering, wish: &Wish) {
    let mut daemon = world.daemon("before").await;
    eventually(LIMIT, "the post is accepted", async || {
        wish.ask(world, &daemon).await
    })
    .await;
    eventually(LIMIT, "TikTok has the last chunk", async || {
        let inits = world.sim.inits("creator").await;
        let taken = inits.iter().any(|init| init.stage != "awaiting_bytes");
        taken.then_some(())
    })
    .await;
    daemon.client.pause("uploads").await;
    daemon.process.kill();
    // Sending takes two hours at most.
    clock.advance(world, Duration::from_secs(3 * 3_600)).await;
}

/// What is away while the process dies.
pub(super) struct Away {
    media: Option<[PathBuf; 2]>,
    /// Takes connections and never answers.
    pub(super) silent: Option<TcpListener>,
}

impl Away {
    pub(super) fn new(story: Story) -> Self {
        let silent = match story {
            Story::Stopped => Some(TcpListener::bind("127.0.0.1:0").unwrap()),
            _ => None,
        };
        Self {
            media: None,
            silent,
        }
    }

    /// The directory of media is somewhere else.
    pub(super) fn move_media(&mut self, world: &World) {
        let paths = ["media", "media-away"].map(|name| world.directory().join(name));
        std::fs::rename(&paths[0], &paths[1]).unwrap();
        self.media = Some(paths);
    }

    pub(super) fn bring_media_back(&mut self) {
        if let Some([here, there]) = self.media.take() {
            // What was made meanwhile is empty.
            let _ = std::fs::remove_dir_all(&here);
            let _ = std::fs::rename(there, here);
        }
    }
}
