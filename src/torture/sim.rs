//! The simulator as a process of its own, which outlives everybody and has the last word.

use std::{
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tiktok_sim::{Endpoint, Entry, Fault, FaultKind, InitReport, Published, SimConfig, Verdict};

use super::{api, plan::Setting, process::Process, servers::free_port, until, world::program};

/// How long it may take to answer for the first time.
const START: Duration = Duration::from_secs(60);
/// Longer than a front end waits: what it is told is a part of the plan, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Simulator {
    _process: Process,
    http: reqwest::Client,
    address: SocketAddr,
    /// The last call that was read, so that a long ledger is read once.
    seen: AtomicU64,
    /// The last call that the verdict was about.
    judged: AtomicU64,
}

impl Simulator {
    pub(super) async fn start(directory: &Path, rate: u64) -> anyhow::Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut command = program()?;
        command.args(["sim", "--listen", &address.to_string()]);
        let process = Process::start(command, &directory.join("simulator.log"))?;
        let sim = Self {
            _process: process,
            http: api::http()?,
            address,
            seen: AtomicU64::new(0),
            judged: AtomicU64::new(0),
        };
        until(START, "the simulator answers", async || {
            sim.tell("clock/rate", &json!({ "rate": rate })).await.ok()
        })
        .await?;
        Ok(sim)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = format!("http://{}/_sim/{path}", self.address);
        let answer = self
            .http
            .get(url)
            .timeout(PATIENCE)
            .send()
            .await?
            .error_for_status()?;
        Ok(answer.json().await?)
    }

    async fn tell(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("http://{}/_sim/{path}", self.address);
        let answer = self
            .http
            .post(url)
            .timeout(PATIENCE)
            .json(body)
            .send()
            .await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    async fn configure(&self, change: &Value) -> anyhow::Result<()> {
        let url = format!("http://{}/_sim/config", self.address);
        let answer = self
            .http
            .patch(url)
            .timeout(PATIENCE)
            .json(change)
            .send()
            .await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// Upload addresses lead to `base`; photos are fetched from this machine.
    pub(super) async fn hand_out(&self, base: &str) -> anyhow::Result<()> {
        let change = json!({
            "public_url": base,
            "pulls": { "allow": true, "loopback_http": true },
        });
        self.configure(&change).await
    }

    /// Webhooks go to `url`.
    pub(super) async fn tell_webhooks(&self, url: &str) -> anyhow::Result<()> {
        self.configure(&json!({ "webhooks": { "url": url } })).await
    }

    /// Behaves so until it is told otherwise.
    pub(super) async fn behave(&self, setting: Setting) -> anyhow::Result<()> {
        let change = match setting {
            Setting::StatusLag(ms) => json!({ "pipeline": { "status_lag_ms": ms } }),
            Setting::LatePostId(ms) => {
                json!({ "pipeline": { "post_id": { "mode": "late", "ms": ms } } })
            }
            Setting::SlowProcessing(ms) => json!({ "pipeline": { "processing_ms": ms } }),
            Setting::Webhooks {
                duplicates,
                delay_ms,
            } => json!({ "webhooks": {
                "duplicates": duplicates,
                "delay_ms": delay_ms,
                "reorder": true,
                "ms_timestamps": true,
            } }),
        };
        self.configure(&change).await
    }

    /// Behaves as at the start.
    pub(super) async fn behave_well(&self) -> anyhow::Result<()> {
        let usual = SimConfig::default();
        let change = json!({
            "pipeline": {
                "status_lag_ms": usual.pipeline.status_lag_ms,
                "post_id": { "mode": "after_moderation", "ms": null },
                "processing_ms": usual.pipeline.processing_ms,
            },
            "webhooks": {
                "duplicates": usual.webhooks.duplicates,
                "delay_ms": usual.webhooks.delay_ms,
                "reorder": usual.webhooks.reorder,
                "ms_timestamps": usual.webhooks.ms_timestamps,
            },
        });
        self.configure(&change).await
    }

    /// The creator agrees; gives the address that the browser is sent back to.
    pub(super) async fn consent(&self, url: &str, username: &str) -> anyhow::Result<String> {
        self.tell("accounts", &json!({ "username": username }))
            .await?;
        let body = json!({ "authorize_url": url, "account": username });
        let answer = self.tell("consent", &body).await?;
        let url = answer["callback_url"].as_str();
        Ok(url.context("no callback")?.to_owned())
    }

    pub(super) async fn fault(
        &self,
        endpoint: Endpoint,
        kind: FaultKind,
        after: u32,
    ) -> anyhow::Result<()> {
        let fault = Fault::once(endpoint, kind).after(after);
        self.tell("faults", &json!(fault)).await?;
        Ok(())
    }

    /// Faults that nobody ran into are taken back.
    pub(super) async fn clear_faults(&self) -> anyhow::Result<()> {
        let url = format!("http://{}/_sim/faults", self.address);
        self.http.delete(url).send().await?.error_for_status()?;
        Ok(())
    }

    pub(super) async fn set_clock(&self, now_ms: i64) -> anyhow::Result<()> {
        self.tell("clock/set", &json!({ "now_ms": now_ms })).await?;
        Ok(())
    }

    /// Lets `ms` pass at once.
    pub(super) async fn advance(&self, ms: i64) -> anyhow::Result<()> {
        self.tell("clock/advance", &json!({ "ms": ms })).await?;
        Ok(())
    }

    pub(super) async fn now_ms(&self) -> anyhow::Result<i64> {
        let clock: Value = self.read("clock").await?;
        clock["now_ms"].as_i64().context("no time")
    }

    /// The calls after a position of the ledger.
    pub(super) async fn calls_after(&self, seq: u64) -> anyhow::Result<Vec<Entry>> {
        let calls: Vec<Entry> = self.read(&format!("ledger?after={seq}")).await?;
        if let Some(last) = calls.last() {
            self.seen.fetch_max(last.seq, Ordering::Relaxed);
        }
        Ok(calls)
    }

    /// The last call that there was.
    pub(super) async fn last_call(&self) -> anyhow::Result<u64> {
        self.calls_after(self.seen.load(Ordering::Relaxed)).await?;
        Ok(self.seen.load(Ordering::Relaxed))
    }

    /// What appeared since a moment of the simulator's.
    pub(super) async fn published(&self, since_ms: i64) -> anyhow::Result<Vec<Published>> {
        self.read(&format!("publishes?since_ms={since_ms}")).await
    }

    pub(super) async fn inits(&self) -> anyhow::Result<Vec<InitReport>> {
        self.read("inits").await
    }

    /// What a creator's calls were.
    pub(super) async fn calls_of(&self, creator: &str) -> anyhow::Result<Vec<Entry>> {
        self.read(&format!("ledger?account={creator}")).await
    }

    /// Rules broken and refusals met since this was asked for the last time.
    pub(super) async fn verdict(&self) -> anyhow::Result<Verdict> {
        let mut verdict: Verdict = self.read("verify").await?;
        let judged = self.judged.load(Ordering::Relaxed);
        verdict.broken.retain(|broken| broken.seq > judged);
        verdict.refused.retain(|entry| entry.seq > judged);
        let broken = verdict.broken.iter().map(|broken| broken.seq);
        let refused = verdict.refused.iter().map(|entry| entry.seq);
        if let Some(last) = broken.chain(refused).max() {
            self.judged.fetch_max(last, Ordering::Relaxed);
        }
        Ok(verdict)
    }
}
