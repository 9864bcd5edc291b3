//! The catalogue: every kind of job, how it is run, and when by itself. Plain data.
//!
//! A job's arguments are ids only; its worker reads the truth. Two live jobs never share a
//! [`Job::unique_key`]. Adding a kind: a variant here makes the matches below and in `workers` fail
//! to compile until they know it.

mod crons;
mod policy;

use std::time::Duration;

use clipqueue_entities::{
    AccountId, BulkActId, DataExportId, DeletionRequestId, ErasureId, MailId, MediaImportId,
    NoticeId, PostId, Timestamp, UserId, VerifiedSourceId, WebhookDeliveryId, WebhookEndpointId,
};
use serde::{Deserialize, Serialize};

use self::{crons::crons, policy::policy};
use crate::{
    config,
    queue::{Catalogue, CronSpec, DEFAULT_LEASE, NewJob, Policy, QueueSpec},
};

/// The queue of uploads.
pub const UPLOADS: &str = "uploads";
/// The queue of questions after a post's status.
pub const STATUS: &str = "status";
/// The queue of token refreshes.
pub const TOKENS: &str = "tokens";
/// The queue of counters.
pub const METRICS: &str = "metrics";
/// The queue of clean-up.
pub const PURGE: &str = "purge";
/// The queue of what operators start and of what watches the installation.
pub const OPS: &str = "ops";
/// The queue of what users' own addresses are told and asked.
pub const OUTBOUND: &str = "outbound";
/// The queue of files that are fetched from users' own addresses.
pub const IMPORTS: &str = "imports";

/// One unit of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "args", rename_all = "snake_case")]
pub enum Job {
    /// Sees to it that what TikTok told by a webhook becomes known of a post or an account.
    ApplyNotice {
        /// The notice.
        notice_id: NoticeId,
        /// The account that it names, if that is connected; it is the lane.
        account_id: Option<AccountId>,
    },
    /// Compares rows, transport and TikTok.
    AuditDrift {},
    /// Carries an operator's act on many jobs out.
    BulkAct {
        /// The act.
        bulk_act_id: BulkActId,
    },
    /// Proves that a queue runs what it is given.
    Canary {
        /// The queue.
        queue: String,
    },
    /// Looks for the proof that a source is its user's.
    CheckSource {
        /// The source.
        source_id: VerifiedSourceId,
        /// Its user, which is the lane.
        user_id: UserId,
    },
    /// Tells a user's address of an event.
    DeliverWebhook {
        /// The delivery.
        delivery_id: WebhookDeliveryId,
        /// Its address, which is the lane: one that is slow keeps no other waiting.
        endpoint_id: WebhookEndpointId,
    },
    /// Erases an account or a user, step by step.
    Erase {
        /// The erasure.
        erasure_id: ErasureId,
    },
    /// Ends uploads that nobody finished.
    ExpireUploads {},
    /// Makes deliveries of a user's new events.
    FollowEvents {
        /// The user.
        user_id: UserId,
    },
    /// Writes everything that is held about a user into an archive.
    ExportData {
        /// The export.
        export_id: DataExportId,
        /// Its user, which is the lane.
        user_id: UserId,
    },
    /// Fetches a file from a user's own address.
    ImportMedia {
        /// The import.
        import_id: MediaImportId,
        /// Its user, which is the lane.
        user_id: UserId,
    },
    /// Reads the profile that a request for deletion names, until the code stands there.
    LookAtProfile {
        /// The request.
        request_id: DeletionRequestId,
    },
    /// Says whose counters are read within the next hour.
    PlanMetrics {},
    /// Asks TikTok how a post fares, until there is nothing left to learn.
    PollPost {
        /// The post.
        post_id: PostId,
        /// Its account, which is the lane.
        account_id: AccountId,
    },
    /// Deletes what is kept no longer: finished jobs, spent states, old idempotency keys.
    Prune {},
    /// Asks for a refresh of every token that ends soon.
    RefreshDueTokens {},
    /// Reads the counters of one account's videos.
    RefreshMetrics {
        /// The account, which is the lane.
        account_id: AccountId,
    },
    /// Gets a new pair of tokens for one account.
    RefreshToken {
        /// The account.
        account_id: AccountId,
    },
    /// Turns old readings of counters into one an hour, then one a day.
    RollUpMetrics {},
    /// Hands a letter to the mail server.
    SendMail {
        /// The letter.
        mail_id: MailId,
    },
    /// Finds what no job cares for of that which goes out: events, deliveries, checks, imports.
    SweepOutbound {},
    /// Finds posts that are overdue or that no job cares for.
    SweepPosts {},
    /// Finds requests for deletion, subscriptions and letters whose time has come.
    SweepTerms {},
    /// Sends a post's video to TikTok.
    UploadPost {
        /// The post.
        post_id: PostId,
        /// Its account, which is the lane.
        account_id: AccountId,
    },
}

impl Job {
    /// The word of every kind.
    pub const KINDS: [&'static str; 24] = [
        "apply_notice",
        "audit_drift",
        "bulk_act",
        "canary",
        "check_source",
        "deliver_webhook",
        "erase",
        "expire_uploads",
        "export_data",
        "follow_events",
        "import_media",
        "look_at_profile",
        "plan_metrics",
        "poll_post",
        "prune",
        "refresh_due_tokens",
        "refresh_metrics",
        "refresh_token",
        "roll_up_metrics",
        "send_mail",
        "sweep_outbound",
        "sweep_posts",
        "sweep_terms",
        "upload_post",
    ];

    /// The fixed word of the kind, as stored.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ApplyNotice { .. } => "apply_notice",
            Self::AuditDrift {} => "audit_drift",
            Self::BulkAct { .. } => "bulk_act",
            Self::Canary { .. } => "canary",
            Self::CheckSource { .. } => "check_source",
            Self::DeliverWebhook { .. } => "deliver_webhook",
            Self::Erase { .. } => "erase",
            Self::ExpireUploads {} => "expire_uploads",
            Self::ExportData { .. } => "export_data",
            Self::FollowEvents { .. } => "follow_events",
            Self::ImportMedia { .. } => "import_media",
            Self::LookAtProfile { .. } => "look_at_profile",
            Self::PlanMetrics {} => "plan_metrics",
            Self::PollPost { .. } => "poll_post",
            Self::Prune {} => "prune",
            Self::RefreshDueTokens {} => "refresh_due_tokens",
            Self::RefreshMetrics { .. } => "refresh_metrics",
            Self::RefreshToken { .. } => "refresh_token",
            Self::RollUpMetrics {} => "roll_up_metrics",
            Self::SendMail { .. } => "send_mail",
            Self::SweepOutbound {} => "sweep_outbound",
            Self::SweepPosts {} => "sweep_posts",
            Self::SweepTerms {} => "sweep_terms",
            Self::UploadPost { .. } => "upload_post",
        }
    }

    /// At most one live job has this key.
    pub fn unique_key(&self) -> String {
        match self {
            Self::BulkAct { bulk_act_id } => format!("bulk:{bulk_act_id}"),
            Self::Canary { queue } => format!("canary:{queue}"),
            Self::Erase { erasure_id } => format!("erase:{erasure_id}"),
            Self::ExportData { export_id, .. } => format!("export:{export_id}"),
            Self::AuditDrift {}
            | Self::ExpireUploads {}
            | Self::PlanMetrics {}
            | Self::Prune {}
            | Self::RefreshDueTokens {}
            | Self::RollUpMetrics {}
            | Self::SweepOutbound {}
            | Self::SweepPosts {}
            | Self::SweepTerms {} => self.kind().to_owned(),
            Self::LookAtProfile { request_id } => format!("look:{request_id}"),
            Self::SendMail { mail_id } => format!("mail:{mail_id}"),
            Self::CheckSource { source_id, .. } => format!("source:{source_id}"),
            Self::DeliverWebhook { delivery_id, .. } => format!("deliver:{delivery_id}"),
            Self::FollowEvents { user_id } => format!("follow:{user_id}"),
            Self::ImportMedia { import_id, .. } => format!("import:{import_id}"),
            Self::ApplyNotice { notice_id, .. } => format!("notice:{notice_id}"),
            Self::PollPost { post_id, .. } => format!("poll:{post_id}"),
            Self::RefreshMetrics { account_id } => format!("metrics:{account_id}"),
            Self::RefreshToken { account_id } => format!("token:{account_id}"),
            Self::UploadPost { post_id, .. } => format!("upload:{post_id}"),
        }
    }

    /// Whose turn it uses.
    fn lane(&self) -> String {
        match self {
            Self::ApplyNotice { account_id, .. } => {
                account_id.map(|id| id.to_string()).unwrap_or_default()
            }
            Self::PollPost { account_id, .. }
            | Self::RefreshMetrics { account_id }
            | Self::RefreshToken { account_id }
            | Self::UploadPost { account_id, .. } => account_id.to_string(),
            Self::AuditDrift {}
            | Self::BulkAct { .. }
            | Self::Canary { .. }
            | Self::Erase { .. }
            | Self::ExpireUploads {}
            | Self::LookAtProfile { .. }
            | Self::PlanMetrics {}
            | Self::Prune {}
            | Self::RefreshDueTokens {}
            | Self::RollUpMetrics {}
            | Self::SendMail { .. }
            | Self::SweepOutbound {}
            | Self::SweepPosts {}
            | Self::SweepTerms {} => String::new(),
            Self::DeliverWebhook { endpoint_id, .. } => endpoint_id.to_string(),
            Self::CheckSource { user_id, .. }
            | Self::ExportData { user_id, .. }
            | Self::FollowEvents { user_id }
            | Self::ImportMedia { user_id, .. } => user_id.to_string(),
        }
    }

    /// The row to enqueue; due at `run_at`.
    pub fn to_new(&self, run_at: Timestamp) -> NewJob {
        let policy =
            policy(self.kind(), DEFAULT_LEASE).expect("every kind of the enum has a policy");
        let args = match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(mut map)) => map.remove("args").unwrap_or_default(),
            Ok(_) | Err(_) => serde_json::Value::Null,
        };
        let queue = match self {
            Self::Canary { queue } => queue.clone(),
            _ => policy.queue,
        };
        NewJob {
            queue,
            kind: self.kind().to_owned(),
            args,
            lane: self.lane(),
            priority: 0,
            run_at,
            max_attempts: policy.max_attempts,
            unique_key: Some(self.unique_key()),
        }
    }

    /// The unique key of a stored job; none when this version cannot read it.
    pub fn key_of(kind: &str, args: &serde_json::Value) -> Option<String> {
        let job = Self::read(kind, args.clone()).ok()?;
        Some(job.unique_key())
    }

    /// The job that a stored kind and arguments describe.
    pub fn read(kind: &str, args: serde_json::Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::json!({ "kind": kind, "args": args }))
    }
}

/// What the queue is told about the kinds.
#[derive(Clone, Debug)]
pub struct Jobs {
    queues: Vec<QueueSpec>,
    crons: Vec<CronSpec>,
    lease: Duration,
}

impl Jobs {
    /// With the configured concurrency.
    pub fn new(config: &config::Queue) -> Self {
        let queue = |name: &str, concurrency| QueueSpec {
            name: name.to_owned(),
            concurrency,
            lane_limit: u32::try_from(config.per_creator).unwrap_or(u32::MAX),
        };
        Self {
            queues: vec![
                queue(UPLOADS, config.uploads),
                queue(STATUS, config.status),
                queue(TOKENS, config.tokens),
                queue(METRICS, config.metrics),
                queue(PURGE, config.purge),
                queue(OPS, config.ops),
                queue(OUTBOUND, config.outbound),
                queue(IMPORTS, config.imports),
            ],
            crons: crons(),
            lease: config.lease,
        }
    }

    /// The names of all queues.
    pub const QUEUES: [&'static str; 8] = [
        UPLOADS, STATUS, TOKENS, METRICS, PURGE, OPS, OUTBOUND, IMPORTS,
    ];
}

impl Catalogue for Jobs {
    fn queues(&self) -> &[QueueSpec] {
        &self.queues
    }

    fn policy(&self, kind: &str) -> Option<Policy> {
        policy(kind, self.lease)
    }

    fn reads(&self, kind: &str, args: &serde_json::Value) -> bool {
        Job::read(kind, args.clone()).is_ok()
    }

    fn crons(&self) -> &[CronSpec] {
        &self.crons
    }
}

#[cfg(test)]
mod tests;
