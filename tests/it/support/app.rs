//! The production `App` with its own database, clock and simulator.
//!
//! [`TestApp::start`] builds what `clipqueue serve` builds, on one of two stacks, with a clock that
//! stands still. `drain` runs what is due through the queue's own code, `advance` moves the time of
//! the product and of the simulator together. Dropping it fails on calls that the simulator refused
//! or rules that were broken, on posts that appeared twice, and on discarded jobs, unless expected.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use clipqueue::{
    app::App,
    clock::{Clock, ManualClock},
    config::{self, Sources},
    domain::{
        actor::{Actor, Scope},
        api_keys, connect,
        post_settings::{DirectSettings, PrivacyLevel},
        posts::{self, NewPost},
    },
    job::Jobs,
    media::NewUpload,
    queue::ledger::{JobFilter, PageRequest},
    service::{self, Role},
};
use clipqueue_entities::{
    AccountId, MediaId, PostId, Timestamp, account, job::JobState, post, post::PostState,
};
use tempfile::TempDir;
use tiktok_sim::{AccountPatch, Consent, Sim, SimConfig};

use super::servers;

/// The video that the demo uploads too.
pub const CLIP: &[u8] = include_bytes!("../../media/clip.mp4");

/// What the product stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// SQLite and the memory transport.
    Embedded,
    /// PostgreSQL and Redis, real servers.
    Servers,
}

/// Runs one test on both stacks.
#[macro_export]
macro_rules! on_both_stacks {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use $crate::support::app::{Stack, TestApp};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                super::$name(TestApp::start(Stack::Embedded).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn servers() {
                super::$name(TestApp::start(Stack::Servers).await).await;
            }
        }
    )+};
}

/// The product under test.
pub struct TestApp {
    pub app: App,
    pub sim: Sim,
    pub clock: ManualClock,
    pub actor: Actor,
    pub key: String,
    expected_discards: BTreeSet<&'static str>,
    discarded: Vec<String>,
    _dir: TempDir,
}

impl TestApp {
    /// Starts everything, with a user and a key that may do everything.
    pub async fn start(stack: Stack) -> Self {
        Self::start_with(stack, &[]).await
    }

    /// The same with further settings.
    pub async fn start_with(stack: Stack, settings: &[(&str, &str)]) -> Self {
        let sim = Sim::start(SimConfig {
            client_key: config::DEMO_CLIENT_KEY.to_owned(),
            client_secret: config::DEMO_CLIENT_SECRET.to_owned(),
            ..SimConfig::default()
        })
        .await
        .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut all: Vec<(String, String)> = [
            ("media.url", dir.path().join("media").display().to_string()),
            ("media.min_free_bytes", "0".to_owned()),
            ("mail.url", dir.path().join("outbox").display().to_string()),
            ("tiktok.api_base", sim.base_url().to_owned()),
            ("tiktok.authorize_base", sim.base_url().to_owned()),
            ("tiktok.audited", "true".to_owned()),
            // A test that steers TikTok's answers wants them for its own questions.
            ("operations.drift_sample", "0".to_owned()),
            ("metrics.calls_per_minute", "0".to_owned()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        match stack {
            Stack::Embedded => all.push((
                "database.url".to_owned(),
                format!("sqlite:{}", dir.path().join("clipqueue.sqlite").display()),
            )),
            Stack::Servers => {
                let postgres = servers::postgres().await;
                let redis = servers::redis().await;
                all.push(("database.url".to_owned(), postgres.new_database().await));
                all.push(("database.max_connections".to_owned(), "6".to_owned()));
                all.push(("transport.url".to_owned(), redis.url()));
                all.push(("transport.prefix".to_owned(), servers::redis_prefix()));
                // A machine that stalls is no outage.
                all.push(("transport.timeout".to_owned(), "60s".to_owned()));
            }
        }
        for (key, value) in settings {
            all.push(((*key).to_owned(), (*value).to_owned()));
        }
        let config = config::load(&Sources {
            settings: all,
            ..Sources::default()
        })
        .unwrap();
        let clock = ManualClock::new(Timestamp::from_millis(sim.clock().now_ms()));
        let app = service::prepare(&config, &Role::everything(), Clock::Manual(clock.clone()))
            .await
            .unwrap();
        // A cron that is seen for the first time is only noted.
        app.queue
            .fire_crons(&Jobs::new(&app.config.queue))
            .await
            .unwrap();
        let (actor, key) = Self::user(&app, "ada", &Scope::ALL).await;
        Self {
            app,
            sim,
            clock,
            actor,
            key,
            expected_discards: BTreeSet::new(),
            discarded: Vec::new(),
            _dir: dir,
        }
    }

    /// Another user with a key, and the key's text.
    pub async fn user(app: &App, name: &str, scopes: &[Scope]) -> (Actor, String) {
        let user = api_keys::ensure_user(app, name).await.unwrap();
        let key = api_keys::create(app, user.id, "test", scopes, None)
            .await
            .unwrap();
        let text = api_keys::expose(&key).to_owned();
        let actor = api_keys::authenticate(app, &text).await.unwrap().unwrap();
        (actor, text)
    }

    /// Connects the simulated account `username` through the consent page.
    pub async fn connect(&self, username: &str) -> account::Model {
        self.connect_with(username, &Consent::All).await.unwrap()
    }

    /// The same with the creator's choice.
    pub async fn connect_with(
        &self,
        username: &str,
        consent: &Consent,
    ) -> Result<account::Model, connect::ConnectError> {
        self.sim.account(username, AccountPatch::default());
        let page = connect::begin(&self.app, &self.actor, None).await.unwrap();
        let callback = self
            .sim
            .consent(page.url.as_str(), username, consent)
            .unwrap();
        let query = callback.split_once('?').unwrap().1.to_owned();
        connect::finish(&self.app, &query)
            .await
            .map(|connected| connected.account)
    }

    /// Uploads the clip.
    pub async fn upload(&self) -> MediaId {
        self.upload_bytes(CLIP).await
    }

    /// Uploads a file.
    pub async fn upload_bytes(&self, bytes: &'static [u8]) -> MediaId {
        let media = self
            .app
            .media
            .create(
                self.actor.user_id,
                NewUpload {
                    size: bytes.len() as u64,
                    filename: Some("clip.mp4".to_owned()),
                    ..NewUpload::default()
                },
            )
            .await
            .unwrap();
        let body =
            futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(bytes))]);
        self.app
            .media
            .append(self.actor.user_id, media.id, 0, None, body)
            .await
            .unwrap();
        media.id
    }

    /// A request for a direct post that breaks no rule.
    pub fn direct(account_id: AccountId, media_id: MediaId) -> NewPost {
        NewPost {
            account_id,
            media_id: Some(media_id),
            photos: None,
            caption: "A clip #clip".to_owned(),
            direct: Some(Self::choices()),
            creator_consent: true,
            experiment_label: None,
            experiment_variant: None,
            upload_reference: None,
            publish_at: None,
            local: None,
            late: None,
            keep_draft: false,
        }
    }

    /// A request for an inbox draft.
    pub fn inbox(account_id: AccountId, media_id: MediaId) -> NewPost {
        NewPost {
            direct: None,
            creator_consent: false,
            ..Self::direct(account_id, media_id)
        }
    }

    /// Choices that every public account offers.
    pub fn choices() -> DirectSettings {
        DirectSettings {
            privacy_level: PrivacyLevel::PublicToEveryone,
            allow_comment: true,
            allow_duet: false,
            allow_stitch: false,
            cover_timestamp_ms: None,
            discloses_commercial: false,
            your_brand: false,
            branded_content: false,
            ai_generated: false,
        }
    }

    /// Asks for a post, with a key of its own.
    pub async fn post(&self, new: NewPost) -> post::Model {
        let key = uuid::Uuid::now_v7().to_string();
        posts::create(&self.app, &self.actor, new, &key)
            .await
            .unwrap()
    }

    /// The post as it stands.
    pub async fn reload(&self, id: PostId) -> post::Model {
        posts::get(self.app.db.read(), self.actor.user_id, id)
            .await
            .unwrap()
    }

    /// Runs everything that is due, and what that makes due.
    pub async fn drain(&mut self) {
        let catalogue = Jobs::new(&self.app.config.queue);
        let runner = service::runner(self.app.clone());
        self.app.queue.drain(&catalogue, &runner).await.unwrap();
        let page = self
            .app
            .queue
            .jobs(
                &JobFilter {
                    state: Some(JobState::Discarded),
                    ..JobFilter::default()
                },
                PageRequest {
                    limit: 100,
                    after: None,
                    before: None,
                },
            )
            .await
            .unwrap();
        self.discarded = page
            .jobs
            .into_iter()
            .filter(|job| !self.expected_discards.contains(job.kind.as_str()))
            .map(|job| format!("{} {:?}", job.kind, job.last_error))
            .collect();
    }

    /// Moves the time of the product and of the simulator.
    pub fn advance(&self, by: Duration) {
        self.sim.clock().advance(by);
        self.clock.advance(by);
    }

    /// Lets time pass in steps, running what comes due, until the post is in `state`.
    pub async fn run_until(&mut self, id: PostId, state: PostState) -> post::Model {
        self.run_until_within(id, state, Duration::from_secs(3600))
            .await
    }

    /// The same for at most `limit` of simulated time.
    pub async fn run_until_within(
        &mut self,
        id: PostId,
        state: PostState,
        limit: Duration,
    ) -> post::Model {
        let step = Duration::from_secs(5);
        let mut passed = Duration::ZERO;
        loop {
            self.drain().await;
            let post = self.reload(id).await;
            if post.state == state {
                return post;
            }
            assert!(
                passed < limit,
                "the post is {:?} after {limit:?}, not {state:?}: {:?} {:?} hold {:?}",
                post.state,
                post.failure_code,
                post.failure_message,
                post.hold_reason
            );
            self.advance(step);
            passed += step;
        }
    }

    /// Fires the crons that are due, and runs what they enqueue.
    pub async fn fire_crons(&mut self) {
        let catalogue = Jobs::new(&self.app.config.queue);
        self.app.queue.fire_crons(&catalogue).await.unwrap();
        self.drain().await;
    }

    /// Jobs of this kind may end discarded.
    pub fn expect_discarded(&mut self, kind: &'static str) {
        self.expected_discards.insert(kind);
    }

    /// The application's shared configuration, changed.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut config::Config)) {
        let mut config = (*self.app.config).clone();
        change(&mut config);
        self.app.config = Arc::new(config);
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let verdict = self.sim.verify();
        assert!(verdict.is_clean(), "the simulator disagrees: {verdict}");
        let twice = self.sim.duplicates();
        assert!(twice.is_empty(), "posted twice: {twice:?}");
        assert!(self.discarded.is_empty(), "discarded: {:?}", self.discarded);
    }
}
