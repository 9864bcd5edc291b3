//! Leaving: disconnecting an account, deleting a user, and the proof that nothing stays.

mod aggregates;
mod around;
mod disconnect;
mod dying;
mod fence;
mod pages;
mod removed;
mod restored;
mod tables;
mod whole;

use std::time::Duration;

use clipqueue::domain::{
    erasure::{
        self, Accepted, Status,
        receipt::verify,
        search::{self, Finding, Needle},
        subject,
    },
    posts::NewPost,
};
use clipqueue_entities::{AccountId, UserId, account};
use serde_json::Value;

use crate::support::{
    app::TestApp,
    flows::{HOUR, MINUTE},
};

/// Names that nothing else in the product or the simulator is called.
const CREATOR: &str = "zelda.quixote";
const OTHER: &str = "otto.wanderlust";
const CAPTION: &str = "Quixotic windmills at dawn";

impl TestApp {
    /// Runs an erasure to its end.
    pub(crate) async fn erased(&mut self, accepted: &Accepted) -> Status {
        for _ in 0..60 {
            self.drain().await;
            let status = erasure::by_code(&self.app, &accepted.code).await.unwrap();
            if status.is_complete {
                return status;
            }
            self.advance(Duration::from_secs(30));
        }
        let steps = erasure::steps(&self.app, accepted.erasure.id)
            .await
            .unwrap();
        panic!("the erasure does not end: {steps:?}");
    }

    pub(crate) async fn known_by(
        &self,
        user: UserId,
        account: Option<AccountId>,
        more: &[&str],
    ) -> Vec<String> {
        let mut texts = subject::identifiers(&self.app, user, account)
            .await
            .unwrap();
        texts.extend(more.iter().map(|text| (*text).to_owned()));
        texts
    }

    /// What is found of these identifiers: named by the receipt, and not.
    pub(crate) async fn scan(
        &self,
        identifiers: &[String],
        status: &Status,
    ) -> (Vec<Finding>, Vec<Finding>) {
        let needle = Needle::new(identifiers.iter().cloned()).unwrap();
        let found = search::everywhere(&self.app, &needle).await.unwrap();
        assert!(found.looked_at > 100, "{}", found.looked_at);
        search::judge(found.findings(), Some(&receipt(status)))
    }

    pub(crate) async fn assert_gone(&self, identifiers: &[String], status: &Status) {
        let (_, strays) = self.scan(identifiers, status).await;
        assert!(strays.is_empty(), "{strays:#?}");
        let keys = erasure::public_keys(&self.app).await.unwrap();
        verify(status.receipt.as_ref().unwrap(), &keys).unwrap();
    }

    /// Posts in many states for an account: published, in the inbox, scheduled, a draft, half uploaded.
    pub(crate) async fn busy_account(&mut self, account: &account::Model) {
        let (one, two) = (self.upload().await, self.upload().await);
        let named = |text: &str, media| TestApp::captioned(account.id, media, text);
        let published = self.post(named(CAPTION, one)).await;
        self.run_until(published.id, clipqueue_entities::post::PostState::Published)
            .await;
        self.advance(MINUTE);
        let inbox = self.post(TestApp::inbox(account.id, two)).await;
        self.run_until(inbox.id, clipqueue_entities::post::PostState::InInbox)
            .await;
        self.advance(MINUTE);
        let later = NewPost {
            publish_at: Some(self.clock.now() + HOUR * 5),
            ..named("Quixotic later", one)
        };
        self.post(later).await;
        let draft = NewPost {
            keep_draft: true,
            ..named("Quixotic draft", two)
        };
        self.post(draft).await;
    }
}

/// The part of a status that was signed.
fn receipt(status: &Status) -> Value {
    status.receipt.as_ref().unwrap()["receipt"].clone()
}

/// The counts of a step.
fn counts(status: &Status, step: &str) -> Value {
    let found = status.steps.iter().find(|row| row.step == step);
    found.unwrap_or_else(|| panic!("no {step}")).counts.clone()
}
