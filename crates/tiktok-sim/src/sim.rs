//! The simulator as a handle: steer it, ask it what happened.
//!
//! Handles are cheap to clone; when the last is dropped, the simulator stops.

use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::account::{Account, AccountPatch, Script};
use crate::clock::Clock;
use crate::config::SimConfig;
use crate::endpoint::AUTHORIZE_PATH;
use crate::error::SimError;
use crate::fault::{Fault, InstalledFault};
use crate::ledger::{Entry, LedgerFilter, Rule, RuleBroken, Verdict};
use crate::pipeline::Published;
use crate::report::{Duplicate, InitReport, UploadReport};
use crate::routes::authorize;
use crate::state::Core;
use crate::video::{Counters, Video};
use crate::webhook::WebhookRecord;

/// What a user decides on the consent page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// Everything asked for.
    All,
    /// Only these of the scopes asked for (`user.info.basic` cannot be refused).
    Scopes(Vec<String>),
    /// Nothing.
    Deny,
}

/// A running simulator.
#[derive(Debug, Clone)]
pub struct Sim {
    core: Arc<Core>,
    base_url: String,
    _stop: Arc<DropGuard>,
}

impl Sim {
    /// Where it listens, without a slash at the end. The consent page, the API and the upload host are all here.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.core.clock
    }

    /// Changes the configuration of the running simulator; new publishes, tokens and calls follow it.
    pub fn configure(&self, change: impl FnOnce(&mut SimConfig)) {
        self.core.with(|state, _| change(&mut state.config));
    }

    /// The configuration.
    pub fn config(&self) -> SimConfig {
        self.core.look(|state, _| state.config.clone())
    }

    /// Creates an account, or changes one.
    pub fn account(&self, username: &str, patch: AccountPatch) -> Account {
        self.core.with(|state, _| {
            let key = state.config.client_key.clone();
            state.accounts.upsert(&key, username, patch)
        })
    }

    /// All accounts.
    pub fn accounts(&self) -> Vec<Account> {
        self.core
            .look(|state, _| state.accounts.all().cloned().collect())
    }

    /// Makes the account's next publish deviate; several calls queue up.
    pub fn script(&self, username: &str, script: Script) -> Result<(), SimError> {
        self.core.with(|state, _| {
            let account = state.accounts.get_mut(username);
            account
                .ok_or(SimError::NoSuchAccount)?
                .scripts
                .push_back(script);
            Ok(())
        })
    }

    /// The creator disconnects the app (reason 1), or TikTok does for another reason of
    /// `authorization.removed`.
    pub fn disconnect(&self, username: &str, reason: u8) -> Result<(), SimError> {
        self.core.with(|state, now| {
            state
                .accounts
                .get(username)
                .ok_or(SimError::NoSuchAccount)?;
            state.disconnect(username, reason, now);
            Ok(())
        })
    }

    /// Whether the app has a living grant of this account.
    pub fn is_connected(&self, username: &str) -> bool {
        self.core.look(|state, _| state.tokens.connected(username))
    }

    /// Opens an authorize URL as a user would, decides, and gives the callback URL with its query.
    pub fn consent(
        &self,
        authorize_url: &str,
        username: &str,
        consent: &Consent,
    ) -> Result<String, SimError> {
        let wrong = |parameter: &str, why: String| SimError::BadAuthorizeUrl {
            parameter: parameter.to_owned(),
            why,
        };
        let url = Url::parse(authorize_url).map_err(|error| wrong("url", error.to_string()))?;
        if url.path() != AUTHORIZE_PATH {
            return Err(wrong("url", format!("the page is at {AUTHORIZE_PATH}")));
        }
        let query = url.query().unwrap_or_default();
        self.core.with(|state, now| {
            let asked = authorize::visit(state, query, now)
                .map_err(|(parameter, why)| wrong(parameter, why))?;
            authorize::settle(state, &asked, username, consent, now)
        })
    }

    /// Installs a fault; gives the number by which it is cleared.
    pub fn fault(&self, fault: Fault) -> u64 {
        self.core.with(|state, _| state.faults.install(fault))
    }

    /// The installed faults, spent ones included.
    pub fn faults(&self) -> Vec<InstalledFault> {
        self.core.look(|state, _| state.faults.list())
    }

    /// Clears one fault, or all. Says whether there was one.
    pub fn clear_faults(&self, id: Option<u64>) -> bool {
        self.core.with(|state, _| state.faults.clear(id))
    }

    /// The calls so far, in order.
    pub fn ledger(&self, filter: &LedgerFilter) -> Vec<Entry> {
        self.core.look(|state, _| state.ledger.select(filter))
    }

    /// All rules broken so far, expected ones included.
    pub fn broken(&self) -> Vec<RuleBroken> {
        self.core
            .look(|state, _| state.ledger.broken().cloned().collect())
    }

    /// Declares that refusals with this code are part of the test.
    pub fn expect_refusal(&self, code: &str) {
        self.core.with(|state, _| state.ledger.expect_code(code));
    }

    /// Declares that this rule will be broken as part of the test.
    pub fn expect_broken(&self, rule: Rule) {
        self.core.with(|state, _| state.ledger.expect_rule(rule));
    }

    /// Rules broken and refusals met that nobody expected.
    pub fn verify(&self) -> Verdict {
        self.core.look(|state, _| state.ledger.verdict())
    }

    /// What reached an inbox or an audience, in order.
    pub fn publishes(&self) -> Vec<Published> {
        self.core.look(|state, _| state.published.clone())
    }

    /// Media that reached the same place more than once by the app's doing.
    pub fn duplicates(&self) -> Vec<Duplicate> {
        self.core.look(|state, _| state.duplicates())
    }

    /// The inits that were accepted.
    pub fn inits(&self) -> Vec<InitReport> {
        self.core.look(|state, _| state.inits())
    }

    /// The file uploads and how much of each arrived.
    pub fn uploads(&self) -> Vec<UploadReport> {
        self.core.look(|state, _| state.uploads())
    }

    /// The creator posts a draft; gives the post id. A draft can be posted several times.
    pub fn finish_draft(
        &self,
        publish_id: &str,
        privacy: &str,
        caption: &str,
    ) -> Result<u64, SimError> {
        self.core
            .with(|state, now| state.finish_draft(publish_id, privacy, caption, now))
    }

    /// The creator discards a draft.
    pub fn discard_draft(&self, publish_id: &str) -> Result<(), SimError> {
        self.core.with(|state, _| state.discard_draft(publish_id))
    }

    /// Videos of one account, or of all.
    pub fn videos(&self, username: Option<&str>) -> Vec<Video> {
        let wanted = |video: &&Video| username.is_none_or(|name| name == video.account);
        self.core
            .look(|state, _| state.videos.all().filter(wanted).cloned().collect())
    }

    /// The creator posts a video in TikTok's own app, at once visible to everybody; gives its id. No event is
    /// sent: this app had nothing to do with it.
    pub fn add_video(&self, username: &str, caption: &str) -> u64 {
        self.core
            .with(|state, now| state.add_video(username, caption, now))
    }

    /// The creator makes a video public or private.
    pub fn set_public(&self, video: u64, public: bool) -> Result<(), SimError> {
        self.core
            .with(|state, now| state.set_visible(video, public, now))
    }

    /// The creator deletes a video.
    pub fn delete_video(&self, video: u64) -> Result<(), SimError> {
        self.core.with(|state, now| state.delete_video(video, now))
    }

    /// Sets a video's counters; they grow from there.
    pub fn set_counters(&self, video: u64, counters: Counters) -> Result<(), SimError> {
        self.core
            .with(|state, now| state.set_counters(video, counters, now))
    }

    /// Events so far and their deliveries.
    pub fn webhooks(&self) -> Vec<WebhookRecord> {
        self.core.look(|state, _| state.outbox.log.clone())
    }

    /// Sends the event of the portal's test button.
    pub fn ping_webhook(&self) {
        let content = json!({ "reason": "testing Webhook" });
        self.core
            .with(|state, now| state.emit("tiktok.ping", "", &content, now));
    }

    /// A handle on a started simulator; `stop` ends it with the last clone.
    pub(crate) fn on(core: Arc<Core>, base_url: String, stop: DropGuard) -> Self {
        Self {
            core,
            base_url,
            _stop: Arc::new(stop),
        }
    }

    /// A handle that keeps nothing alive, for the control endpoints.
    pub(crate) fn of(core: Arc<Core>) -> Self {
        Self::on(core, String::new(), CancellationToken::new().drop_guard())
    }
}
