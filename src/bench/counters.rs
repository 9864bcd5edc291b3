//! `clipqueue bench metrics`: reading creators' counters from the simulator, through the production jobs, and
//! asking for their series while the tables grow.
//!
//! The clock is moved a minute at a time, so that the plan and the budgets are the product's and the time that
//! is given is that of the work alone. The simulator runs in the same process and has its part of it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use clipqueue_entities::{AccountId, Timestamp, account};
use sea_orm::{
    ConnectionTrait as _, DatabaseBackend, EntityTrait as _, QuerySelect as _, Statement,
};
use serde_json::{Map, Value, json};
use tiktok_sim::{AccountPatch, Consent, Sim, SimConfig};

use super::{
    Database, name,
    servers::{Postgres, Scratch},
};
use crate::{
    app::App,
    clock::{Clock, ManualClock},
    config::{self, Sources},
    domain::{
        actor::{Actor, Scope},
        api_keys, connect,
        counters::series,
    },
    job::{Job, Jobs},
    service::{self, Role},
};

/// A minute, in which the app has its calls.
const MINUTE: Duration = Duration::from_secs(60);
/// The longest that everybody's first look may take, in minutes of the moved clock.
const MOST_MINUTES: u32 = 24 * 60;
/// Accounts whose series are asked for, at each size of the tables.
const ASKED: usize = 100;
/// Readings of each video at which series are asked for.
const SIZES: [u32; 3] = [1, 10, 30];

/// Options of `clipqueue bench metrics`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Accounts.
    #[arg(long, default_value_t = 1000)]
    accounts: u32,
    /// Videos of each account.
    #[arg(long, default_value_t = 50)]
    videos: u32,
    /// The database.
    #[arg(long, value_enum, default_value = "sqlite")]
    db: Database,
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

/// Everything that ends with the measure.
struct Stage {
    app: App,
    sim: Sim,
    clock: ManualClock,
    actor: Actor,
    _postgres: Option<Postgres>,
    _dir: Scratch,
}

pub(super) async fn run(options: &Options) -> anyhow::Result<()> {
    let stage = Stage::build(options).await?;
    let connected = Instant::now();
    stage.people(options).await?;
    let mut report = Map::new();
    report.insert("db".into(), json!(name(options.db)));
    report.insert("accounts".into(), json!(options.accounts));
    report.insert("videos".into(), json!(options.videos));
    report.insert("cores".into(), json!(cores()));
    report.insert("set_up_s".into(), json!(seconds(connected.elapsed())));
    report.insert("read".into(), stage.read(options).await?);
    report.insert("series".into(), stage.series().await?);
    let report = Value::Object(report);
    if options.json {
        println!("{report}");
    } else {
        println!("{report:#}");
    }
    Ok(())
}

impl Stage {
    async fn build(options: &Options) -> anyhow::Result<Self> {
        let dir = Scratch::new("metrics")?;
        let place = |what: &str| dir.path().join(what).display().to_string();
        let (url, postgres) = match options.db {
            Database::Sqlite => (format!("sqlite:{}", place("clipqueue.sqlite")), None),
            Database::Postgres => {
                let server = Postgres::start(dir.path()).await?;
                (server.url(), Some(server))
            }
        };
        let sim = Sim::start(SimConfig {
            client_key: config::DEMO_CLIENT_KEY.to_owned(),
            client_secret: config::DEMO_CLIENT_SECRET.to_owned(),
            ..SimConfig::default()
        })
        .await?;
        // Refreshes are not what is measured.
        sim.configure(|config| config.tokens.access_seconds = 30 * 86_400);
        let settings = [
            ("database.url", url.as_str()),
            ("media.url", &place("media")),
            ("mail.url", &place("outbox")),
            ("media.min_free_bytes", "0"),
            ("tiktok.api_base", sim.base_url()),
            ("tiktok.authorize_base", sim.base_url()),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let config = config::load(&Sources {
            settings: settings.into(),
            ..Sources::default()
        })?;
        let clock = ManualClock::new(Timestamp::from_millis(sim.clock().now_ms()));
        let app =
            service::prepare(&config, &Role::everything(), Clock::Manual(clock.clone())).await?;
        let user = api_keys::ensure_user(&app, "bench").await?;
        let key = api_keys::create(&app, user.id, "bench", &Scope::ALL, None).await?;
        let actor = api_keys::authenticate(&app, api_keys::expose(&key))
            .await?
            .context("the key that was just made is unknown")?;
        Ok(Self {
            app,
            sim,
            clock,
            actor,
            _postgres: postgres,
            _dir: dir,
        })
    }

    /// Creators with videos, each connected through the consent page.
    async fn people(&self, options: &Options) -> anyhow::Result<()> {
        for number in 0..options.accounts {
            let username = format!("creator{number}");
            self.sim.account(&username, AccountPatch::default());
            for video in 0..options.videos {
                self.sim.add_video(&username, &format!("video {video}"));
            }
            let page = connect::begin(&self.app, &self.actor, None).await?;
            let back = self
                .sim
                .consent(page.url.as_str(), &username, &Consent::All)?;
            let query = back.split_once('?').map_or("", |(_, query)| query);
            connect::finish(&self.app, query).await?;
        }
        Ok(())
    }

    /// Everybody's first look at all videos.
    async fn read(&self, options: &Options) -> anyhow::Result<Value> {
        let catalogue = Jobs::new(&self.app.config.queue);
        let runner = service::runner(self.app.clone());
        let bytes_before = self.bytes().await?;
        let (mut worked, mut minutes) = (Duration::ZERO, 0);
        loop {
            anyhow::ensure!(
                minutes < MOST_MINUTES,
                "not everybody was read within a day"
            );
            let started = Instant::now();
            if minutes % 60 == 0 {
                let tx = self.app.db.begin().await?;
                self.app
                    .enqueue_in_tx(&tx, Job::PlanMetrics {}, None)
                    .await?;
                tx.commit().await?;
            }
            self.app.queue.drain(&catalogue, &runner).await?;
            worked += started.elapsed();
            let read = self
                .count("metric_plans WHERE whole_at IS NOT NULL")
                .await?;
            if read == i64::from(options.accounts) {
                break;
            }
            self.sim.clock().advance(MINUTE);
            self.clock.advance(MINUTE);
            minutes += 1;
        }
        let calls = self.sim.ledger(&tiktok_sim::LedgerFilter {
            endpoint: Some(tiktok_sim::Endpoint::VideoList),
            ..Default::default()
        });
        let verdict = self.sim.verify();
        anyhow::ensure!(verdict.is_clean(), "the simulator disagrees: {verdict}");
        let videos = self.count("tracked_videos").await?;
        anyhow::ensure!(
            videos == i64::from(options.accounts) * i64::from(options.videos),
            "{videos} videos were read"
        );
        let samples = self.count("metric_samples").await?;
        let bytes = self.bytes().await? - bytes_before;
        Ok(json!({
            "seconds": seconds(worked),
            "minutes_by_the_clock": minutes,
            "calls": calls.len(),
            "videos": videos,
            "samples": samples,
            "bytes": bytes,
            "videos_per_s": per_second(videos, worked),
        }))
    }

    /// How long series take to be told while the tables grow.
    async fn series(&self) -> anyhow::Result<Value> {
        let accounts: Vec<AccountId> = account::Entity::find()
            .select_only()
            .column(account::Column::Id)
            .into_tuple()
            .all(self.app.db.read())
            .await?;
        let step = (accounts.len() / ASKED).max(1);
        let asked: Vec<AccountId> = accounts.iter().step_by(step).copied().collect();
        let mut figures = Vec::new();
        let mut readings = 1;
        let first = self.bytes().await?;
        let first_rows = self.count("metric_samples").await?;
        for size in SIZES {
            while readings < size {
                self.grow(readings).await?;
                readings += 1;
            }
            let mut times = Vec::with_capacity(asked.len());
            for account in &asked {
                let started = Instant::now();
                let user = self.actor.user_id;
                let shown = series::of_account(&self.app, user, *account, 30, 20).await?;
                times.push(started.elapsed());
                anyhow::ensure!(!shown.days.is_empty(), "an account has no days");
            }
            times.sort_unstable();
            let rows = self.count("metric_samples").await?;
            let bytes = self.bytes().await?;
            let grown = (rows - first_rows).max(1);
            figures.push(json!({
                "rows": rows,
                "bytes": bytes,
                "bytes_per_row": if rows > first_rows { (bytes - first) / grown } else { 0 },
                "account_20_videos_30_days_p50_ms": millis(times[times.len() / 2]),
                "account_20_videos_30_days_p99_ms": millis(times[times.len() * 99 / 100]),
            }));
        }
        Ok(Value::Array(figures))
    }

    /// One more reading of every video, a day before those that there are.
    async fn grow(&self, days_ago: u32) -> anyhow::Result<()> {
        let at = self.clock.now() - Duration::from_secs(86_400) * days_ago;
        let sql = format!(
            "INSERT INTO metric_samples (tracked_video_id, taken_at, views, likes, comments, shares, gap, grain) \
             SELECT id, {at}, views, likes, comments, shares, false, 0 FROM tracked_videos"
        );
        self.app.db.write().execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn count(&self, of: &str) -> anyhow::Result<i64> {
        self.number(&format!("SELECT count(*) AS number FROM {of}"))
            .await
    }

    /// Bytes of the whole database.
    async fn bytes(&self) -> anyhow::Result<i64> {
        self.number(match self.app.db.backend() {
            DatabaseBackend::Sqlite => {
                "SELECT page_count * page_size AS number FROM pragma_page_count(), pragma_page_size()"
            }
            _ => "SELECT pg_database_size(current_database()) AS number",
        })
        .await
    }

    async fn number(&self, sql: &str) -> anyhow::Result<i64> {
        let statement = Statement::from_string(self.app.db.backend(), sql);
        let row = self.app.db.read().query_one_raw(statement).await?;
        Ok(row
            .context("a count without a row")?
            .try_get("", "number")?)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 100.0).round() / 100.0
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

fn per_second(count: i64, time: Duration) -> i64 {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX).max(1);
    count.saturating_mul(1000) / millis
}
