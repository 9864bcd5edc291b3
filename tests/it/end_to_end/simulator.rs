//! The simulator as a process of its own, which outlives the daemons.

use std::{path::Path, time::Duration};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tiktok_sim::{Endpoint, Entry, Fault, FaultKind, InitReport, InstalledFault, Published, Rule};

use super::{PATIENCE, child::Child, client::http};
use crate::support::eventually;
use crate::support::servers::free_port;

pub(super) struct Simulator {
    _process: Child,
    http: reqwest::Client,
    pub(super) base: String,
}

impl Simulator {
    pub(super) async fn start(directory: &Path) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let arguments = ["sim", "--listen", &address];
        let mut process = Child::start("simulator", directory, &arguments, &[]);
        let base = format!("http://{address}");
        let http = http();
        eventually(PATIENCE, "the simulator answers", async || {
            process.assert_running();
            http.get(format!("{base}/_sim/health")).send().await.ok()
        })
        .await;
        Self {
            _process: process,
            http,
            base,
        }
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.http.get(format!("{}/_sim/{path}", self.base));
        let answer = answer.send().await.unwrap().error_for_status().unwrap();
        answer.json().await.unwrap()
    }

    async fn tell(&self, path: &str, body: &Value) -> Value {
        let told = self.http.post(format!("{}/_sim/{path}", self.base));
        let answer = told.json(body).send().await.unwrap();
        let answer = answer.error_for_status().unwrap();
        answer.json().await.unwrap()
    }

    pub(super) async fn create_account(&self, username: &str) {
        self.tell("accounts", &json!({ "username": username }))
            .await;
    }

    /// The creator agrees; gives the address that the browser is sent back to.
    pub(super) async fn consent(&self, authorize_url: &str, username: &str) -> String {
        let body = json!({ "authorize_url": authorize_url, "account": username });
        let answer = self.tell("consent", &body).await;
        answer["callback_url"].as_str().unwrap().to_owned()
    }

    /// Lets `after` calls of the creator pass at `endpoint` and hits the next one.
    pub(super) async fn fault(
        &self,
        username: &str,
        endpoint: Endpoint,
        after: u32,
        kind: FaultKind,
    ) -> u64 {
        let fault = Fault::once(endpoint, kind).after(after).account(username);
        let answer = self.tell("faults", &json!(fault)).await;
        answer["id"].as_u64().unwrap()
    }

    /// Hits the next call at an endpoint that no creator makes.
    pub(super) async fn fault_of_app(&self, endpoint: Endpoint, kind: FaultKind) {
        self.tell("faults", &json!(Fault::once(endpoint, kind)))
            .await;
    }

    /// Sets the simulator's time forward.
    pub(super) async fn advance(&self, by: Duration) {
        self.tell("clock/advance", &json!({ "ms": by.as_millis() }))
            .await;
    }

    /// Waits until a call has run into the fault.
    pub(super) async fn until_hit(&self, fault: u64) {
        eventually(PATIENCE, "a call runs into the fault", async || {
            let faults: Vec<InstalledFault> = self.read("faults").await;
            faults
                .iter()
                .any(|installed| installed.id == fault && installed.hits > 0)
                .then_some(())
        })
        .await;
    }

    /// Whether a call has run into a fault.
    pub(super) async fn has_hit(&self) -> bool {
        let faults: Vec<InstalledFault> = self.read("faults").await;
        faults.iter().any(|installed| installed.hits > 0)
    }

    /// The creator posts a draft from the inbox.
    pub(super) async fn finish_draft(&self, publish_id: &str) {
        self.tell(&format!("drafts/{publish_id}/finish"), &json!({}))
            .await;
    }

    /// Changes knobs of the simulator.
    pub(super) async fn configure(&self, change: Value) {
        let told = self.http.patch(format!("{}/_sim/config", self.base));
        let answer = told.json(&change).send().await.unwrap();
        answer.error_for_status().unwrap();
    }

    /// Lets the simulator's time pass faster.
    pub(super) async fn set_rate(&self, rate: u32) {
        self.tell("clock/rate", &json!({ "rate": rate })).await;
    }

    /// The creator removes the app.
    pub(super) async fn disconnect(&self, username: &str) {
        self.tell(&format!("accounts/{username}/revoke"), &json!({}))
            .await;
    }

    /// Refusals and broken rules that a run brings about on purpose.
    pub(super) async fn expect(&self, codes: &[&str], rules: &[Rule]) {
        self.tell("expect", &json!({ "codes": codes, "rules": rules }))
            .await;
    }

    pub(super) async fn now_ms(&self) -> i64 {
        let clock: Value = self.read("clock").await;
        clock["now_ms"].as_i64().unwrap()
    }

    /// The creator's calls, in the order in which they ended.
    pub(super) async fn calls(&self, username: &str) -> Vec<Entry> {
        self.read(&format!("ledger?account={username}")).await
    }

    /// Whether a grant was ended at our asking.
    pub(super) async fn has_revoked(&self) -> bool {
        let calls: Vec<Entry> = self.read("ledger").await;
        calls
            .iter()
            .any(|call| call.endpoint == Endpoint::OauthRevoke && call.code == "ok")
    }

    /// Whether a new pair of tokens died with the process that it was given to: the old refresh token was
    /// sent once more, and refused.
    pub(super) async fn has_lost_a_pair(&self) -> bool {
        let calls: Vec<Entry> = self.read("ledger").await;
        let mut refreshes = calls
            .iter()
            .filter(|call| call.endpoint == Endpoint::OauthRefresh)
            .skip_while(|call| call.code != "ok");
        refreshes.any(|call| call.code == "invalid_grant")
    }

    /// The chunks that the simulator took from the creator, by their first byte.
    pub(super) async fn chunks_taken(&self, username: &str) -> Vec<u64> {
        let calls = self.calls(username).await;
        let chunks = calls
            .iter()
            .filter(|call| call.endpoint == Endpoint::Upload && call.code == "ok");
        chunks.map(|call| call.range.unwrap().0).collect()
    }

    /// What reached the creator's inbox or audience.
    pub(super) async fn published(&self, username: &str) -> Vec<Published> {
        let all: Vec<Published> = self.read("publishes").await;
        all.into_iter()
            .filter(|published| published.account == username)
            .collect()
    }

    /// The inits that were accepted for the creator.
    pub(super) async fn inits(&self, username: &str) -> Vec<InitReport> {
        let all: Vec<InitReport> = self.read("inits").await;
        all.into_iter()
            .filter(|init| init.account == username)
            .collect()
    }

    /// No rule was broken, nothing refused, nothing posted twice.
    pub(super) async fn assert_content(&self) {
        let verdict: Value = self.read("verify").await;
        assert_eq!(verdict["clean"], true, "{verdict:#}");
        let twice: Vec<Value> = self.read("duplicates").await;
        assert!(twice.is_empty(), "posted twice: {twice:?}");
    }
}
