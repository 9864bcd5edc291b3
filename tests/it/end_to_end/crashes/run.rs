//! One death and what follows.

use std::{
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use clipqueue::crash::Point;
use serde_json::json;
use tiktok_sim::{Endpoint, FaultKind, Rule};
use uuid::Uuid;

use super::{
    super::{
        client::Kind,
        movie::Movie,
        world::{Daemon, World},
    },
    expects_a_consent, forgets_a_refusal,
};
use crate::support::{
    app::{CLIP, Stack},
    eventually,
};

/// How much faster than real time everybody's time passes: a lease of 15 s is over in 2.
const RATE: u32 = 8;
/// How long a death or a post's end may take. On a machine with nothing else to do it is seconds.
const LIMIT: Duration = Duration::from_secs(180);
/// A chunk that is not the last one has 32 MB.
const TWO_CHUNKS: u64 = 70_000_000;

/// What is going on when the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    /// A direct post that goes well.
    Direct,
    /// A post to the inbox that goes well.
    Inbox,
    /// A draft is submitted.
    Draft,
    /// A direct post in two chunks.
    Chunks,
    /// TikTok took the last chunk and its answer is lost.
    AnswerLost,
    /// The last chunk is lost.
    ChunkLost,
    /// Our own storage cannot be read.
    MediaAway,
    /// TikTok fails the post for a reason of its own.
    TiktokFails,
    /// TikTok rejects the token, so it is refreshed.
    RejectedToken,
    /// The same, and TikTok has no time for the refresh.
    RefreshRefused,
    /// The creator removed the app.
    GrantOver,
    /// The token is about to end.
    TokenEnds,
    /// Nobody finishes a draft.
    DraftLapses,
    /// TikTok processes for ever.
    Stuck,
    /// The same, until the doubt is brought up again.
    StuckForADay,
    /// A process dies before, and its jobs are rescued.
    Rescue,
}

impl Story {
    fn kind(self) -> Kind {
        match self {
            Self::Inbox | Self::DraftLapses => Kind::Inbox,
            _ => Kind::Direct,
        }
    }

    fn end(self) -> &'static str {
        match self {
            Self::DraftLapses => "LAPSED",
            Self::Stuck | Self::StuckForADay => "UNCONFIRMED",
            _ => self.kind().end(),
        }
    }

    /// Where the post is before the clocks are set forward, so that they jump over no call of its way.
    fn rests_in(self) -> &'static str {
        match self {
            Self::DraftLapses => "IN_INBOX",
            Self::Stuck | Self::StuckForADay => "PROCESSING",
            _ => self.end(),
        }
    }

    /// How far the clocks are set forward, and after which pause again, until the process dies.
    fn step(self) -> Option<(Duration, Duration)> {
        // Whoever looks at the clock has a moment for it.
        let moment = Duration::from_millis(300);
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        match self {
            Self::TokenEnds => Some((minutes(5), moment)),
            Self::DraftLapses | Self::Stuck => Some((minutes(1), moment)),
            // Long enough between two steps for leases to be renewed and a refresh to be made.
            Self::StuckForADay => Some((minutes(360), moment * 8)),
            _ => None,
        }
    }
}

/// The clock that the daemons of a run share.
struct Steering {
    file: PathBuf,
    epoch: u128,
    ahead: Duration,
}

impl Steering {
    fn new(directory: &Path) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the clocks begin with the machine's"
        )]
        let now = SystemTime::now();
        let epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let steering = Self {
            file: directory.join("clock"),
            epoch: epoch.as_millis(),
            ahead: Duration::ZERO,
        };
        steering.write();
        steering
    }

    fn write(&self) {
        let text = format!("{RATE} {} {}", self.epoch, self.ahead.as_millis());
        let new = self.file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }

    async fn advance(&mut self, world: &World, by: Duration) {
        world.sim.advance(by).await;
        self.ahead += by;
        self.write();
    }
}

/// What the creator asks for.
struct Wish {
    key: String,
    account: String,
    media: String,
    story: Story,
}

impl Wish {
    /// Asks; a daemon that dies meanwhile is no answer. The same key gives the same post.
    async fn ask(&self, daemon: &Daemon) -> Option<String> {
        let client = &daemon.client;
        let draft = self.story == Story::Draft;
        let kind = self.story.kind();
        let asked = client.try_post(&self.key, &self.account, &self.media, kind, draft);
        let post = asked.await.ok()?;
        if draft {
            client.try_submit(&post).await.ok()?;
        }
        Some(post)
    }
}

/// Starts the program, lets it die at `point`, starts it again and judges.
pub(super) async fn live_through(stack: Stack, point: Point, nth: u32, story: Story) {
    let directory = tempfile::tempdir().unwrap();
    let mut clock = Steering::new(directory.path());
    let file = clock.file.display().to_string();
    let settings = [
        ("debug.clock", file.as_str()),
        ("posts.inbox_deadline", "10m"),
        ("posts.processing_deadline", "10m"),
    ];
    let world = World::new(stack, &settings).await;
    world.sim.set_rate(RATE).await;
    let wish = before(&world, story).await;
    prepare(&world, story, point).await;

    if story == Story::Rescue {
        die_inside(&world, &wish).await;
    }
    let at = format!("{point}:{nth}");
    let armed = [("debug.crash_at", at.as_str())];
    let mut first = world.spawn("armed", &armed);
    eventually(LIMIT, "the daemon is ready or dead", async || {
        let dead = first.process.ended_within(Duration::ZERO).await.is_some();
        (dead || first.client.is_ready().await).then_some(())
    })
    .await;
    let away = MediaAway::of(&world, story);
    let accepted = wish.ask(&first).await;
    let ended = match story.step() {
        None => first.process.ended(LIMIT).await,
        Some((step, pause)) => {
            let rest = story.rests_in();
            eventually(LIMIT, &format!("the post is {rest}"), async || {
                let seen = first.client.look(accepted.as_deref()?).await;
                (seen["state"] == rest).then_some(())
            })
            .await;
            eventually(LIMIT, &format!("{at} is met"), async || {
                clock.advance(&world, step).await;
                first.process.ended_within(pause).await
            })
            .await
        }
    };
    assert_eq!(ended.signal(), Some(9), "{at}: {ended}");
    drop(away);

    if story == Story::TiktokFails {
        let heals = json!({ "pipeline": { "fail_reason": null } });
        world.sim.configure(heals).await;
    }
    let mut second = world.daemon("again").await;
    let post = eventually(LIMIT, "the post is accepted", async || {
        wish.ask(&second).await
    })
    .await;
    assert!(accepted.is_none_or(|before| before == post), "two posts");
    finish(&world, &mut second, &wish, &post, point).await;
    judge(&world, &second, &post, story).await;
}

/// A creator, connected, and a video of theirs.
async fn before(world: &World, story: Story) -> Wish {
    let mut daemon = world.daemon("first").await;
    let size = match story {
        Story::Chunks => TWO_CHUNKS,
        _ => CLIP.len() as u64 + 1_000,
    };
    let wish = Wish {
        key: Uuid::now_v7().to_string(),
        account: world.connect(&daemon, "creator").await,
        media: daemon.client.upload(&Movie::of(size)).await,
        story,
    };
    daemon.process.kill();
    wish
}

/// What the story needs of TikTok.
async fn prepare(world: &World, story: Story, point: Point) {
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
        | Story::Rescue => {}
        Story::AnswerLost => {
            // Long enough to be seen in processing.
            let slow = json!({ "pipeline": { "processing_ms": 60_000 } });
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

/// A first death, in the middle of an upload.
async fn die_inside(world: &World, wish: &Wish) {
    let at = [("debug.crash_at", "before.call.video_init:1")];
    let mut daemon = world.daemon_with("before", &at).await;
    wish.ask(&daemon).await;
    daemon.process.ended(LIMIT).await;
}

/// The directory of media while it is somewhere else.
struct MediaAway(Option<[PathBuf; 2]>);

impl MediaAway {
    fn of(world: &World, story: Story) -> Self {
        let paths = ["media", "media-away"].map(|name| world.directory().join(name));
        if story != Story::MediaAway {
            return Self(None);
        }
        std::fs::rename(&paths[0], &paths[1]).unwrap();
        Self(Some(paths))
    }
}

impl Drop for MediaAway {
    fn drop(&mut self) {
        if let Some([here, there]) = &self.0 {
            // What was made meanwhile is empty.
            let _ = std::fs::remove_dir_all(here);
            let _ = std::fs::rename(there, here);
        }
    }
}

/// Waits for the end of the post; the creator connects again when the post waits for that.
async fn finish(world: &World, daemon: &mut Daemon, wish: &Wish, post: &str, point: Point) {
    let may_hold = wish.story == Story::GrantOver || expects_a_consent(point);
    let end = wish.story.end();
    let mut connected = false;
    eventually(LIMIT, &format!("{point}: the post is {end}"), async || {
        daemon.process.assert_running();
        let seen = daemon.client.look(post).await;
        let state = seen["state"].as_str().unwrap().to_owned();
        if state == "HELD" && may_hold && !connected {
            assert_eq!(seen["holdReason"], "reauth_required", "{seen}");
            connected = true;
            world.connect(daemon, "creator").await;
        }
        let over = ["FAILED", "MISSED", "CANCELLED"].contains(&&*state);
        assert!(state == end || !over, "{point}: {seen}");
        (state == end).then_some(())
    })
    .await;
}

/// The ledger has the last word.
async fn judge(world: &World, daemon: &Daemon, post: &str, story: Story) {
    let published = world.sim.published("creator").await;
    let expected = usize::from(!matches!(story, Story::Stuck | Story::StuckForADay));
    assert_eq!(published.len(), expected, "{published:?}");
    world.sim.assert_content().await;
    let seen = daemon.client.look(post).await;
    let open: Vec<_> = seen["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|attempt| attempt["phase"] != "CLOSED")
        .collect();
    assert!(open.len() <= 1, "{seen}");
}
