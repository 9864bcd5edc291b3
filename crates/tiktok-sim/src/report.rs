//! Summaries for judges: which inits were made, which bytes arrived, what was posted more than once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::pipeline::Published;
use crate::publish::{Publish, Stage};
use crate::state::State;

/// An init that was accepted, and where its publish is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitReport {
    /// The publish.
    pub publish_id: String,
    /// Username of the creator.
    pub account: String,
    /// Whether it is a draft.
    pub draft: bool,
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// Caption.
    pub caption: String,
    /// `awaiting_bytes`, `awaiting_pull`, `processing`, `inbox`, `complete` or `failed`.
    pub stage: String,
    /// With `failed`.
    pub fail_reason: Option<String>,
    /// Whether nothing will happen any more without its creator.
    pub settled: bool,
    /// Post ids told so far.
    pub post_ids: Vec<u64>,
}

/// The bytes of a file upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadReport {
    /// The publish.
    pub publish_id: String,
    /// Username of the creator.
    pub account: String,
    /// Size announced.
    pub size: u64,
    /// Bytes received in whole chunks.
    pub received: u64,
    /// SHA-256 of the file, when complete.
    pub sha256: Option<String>,
}

/// The same media that reached the same creator's inbox or audience more than once by the app's doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Username of the creator.
    pub account: String,
    /// SHA-256 of the media.
    pub sha256: String,
    /// Caption they share.
    pub caption: String,
    /// Each time it appeared.
    pub times: Vec<Published>,
}

impl State {
    pub(crate) fn inits(&self) -> Vec<InitReport> {
        self.publishes.all().map(init_report).collect()
    }

    pub(crate) fn uploads(&self) -> Vec<UploadReport> {
        let report = |publish: &Publish| {
            let upload = publish.upload.as_ref()?;
            Some(UploadReport {
                publish_id: publish.id.clone(),
                account: publish.account.clone(),
                size: upload.plan.size,
                received: upload.received,
                sha256: publish.sha256.clone(),
            })
        };
        self.publishes.all().filter_map(report).collect()
    }

    /// Same creator, same bytes, same caption, same kind of reach, more than once.
    pub(crate) fn duplicates(&self) -> Vec<Duplicate> {
        let mut groups: BTreeMap<(&str, &str, &str), Vec<&Published>> = BTreeMap::new();
        for published in self.published.iter().filter(|row| !row.by_creator) {
            if let Some(sha256) = &published.sha256 {
                let key = (
                    published.account.as_str(),
                    sha256.as_str(),
                    published.caption.as_str(),
                );
                groups.entry(key).or_default().push(published);
            }
        }
        groups
            .into_iter()
            .filter(|(_, times)| times.len() > 1)
            .map(|((account, sha256, caption), times)| Duplicate {
                account: account.to_owned(),
                sha256: sha256.to_owned(),
                caption: caption.to_owned(),
                times: times.into_iter().cloned().collect(),
            })
            .collect()
    }
}

fn init_report(publish: &Publish) -> InitReport {
    let (stage, fail_reason) = match &publish.stage {
        Stage::AwaitingBytes => ("awaiting_bytes", None),
        Stage::AwaitingPull => ("awaiting_pull", None),
        Stage::Processing => ("processing", None),
        Stage::Inbox => ("inbox", None),
        Stage::Complete => ("complete", None),
        Stage::Failed(reason) => ("failed", Some(reason.clone())),
    };
    InitReport {
        publish_id: publish.id.clone(),
        account: publish.account.clone(),
        draft: publish.flow.is_draft(),
        at_ms: publish.created_ms,
        caption: publish.caption.clone(),
        stage: stage.to_owned(),
        fail_reason,
        settled: publish.stage.is_final(),
        post_ids: publish.post_ids.clone(),
    }
}
