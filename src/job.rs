//! The catalogue: every kind of job, how it is run, and when by itself. Plain data.
//!
//! A job's arguments are ids only; its worker reads the truth. Two live jobs never share a
//! [`Job::unique_key`]. Adding a kind: a variant here makes the matches below and in `workers` fail
//! to compile until they know it.

use std::time::Duration;

use clipqueue_entities::{
    AccountId, BulkActId, MediaImportId, NoticeId, PostId, Timestamp, UserId, VerifiedSourceId,
    WebhookDeliveryId, WebhookEndpointId,
};
use serde::{Deserialize, Serialize};

use crate::{
    config,
    queue::{Backoff, Catalogue, CatchUp, CronSpec, DEFAULT_LEASE, NewJob, Policy, QueueSpec},
};

/// The queue of uploads.
pub const UPLOADS: &str = "uploads";
/// The queue of questions after a post's status.
pub const STATUS: &str = "status";
/// The queue of token refreshes.
pub const TOKENS: &str = "tokens";
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
    /// Ends uploads that nobody finished.
    ExpireUploads {},
    /// Makes deliveries of a user's new events.
    FollowEvents {
        /// The user.
        user_id: UserId,
    },
    /// Fetches a file from a user's own address.
    ImportMedia {
        /// The import.
        import_id: MediaImportId,
        /// Its user, which is the lane.
        user_id: UserId,
    },
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
    /// Gets a new pair of tokens for one account.
    RefreshToken {
        /// The account.
        account_id: AccountId,
    },
    /// Finds what no job cares for of that which goes out: events, deliveries, checks, imports.
    SweepOutbound {},
    /// Finds posts that are overdue or that no job cares for.
    SweepPosts {},
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
    pub const KINDS: [&'static str; 16] = [
        "apply_notice",
        "audit_drift",
        "bulk_act",
        "canary",
        "check_source",
        "deliver_webhook",
        "expire_uploads",
        "follow_events",
        "import_media",
        "poll_post",
        "prune",
        "refresh_due_tokens",
        "refresh_token",
        "sweep_outbound",
        "sweep_posts",
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
            Self::ExpireUploads {} => "expire_uploads",
            Self::FollowEvents { .. } => "follow_events",
            Self::ImportMedia { .. } => "import_media",
            Self::PollPost { .. } => "poll_post",
            Self::Prune {} => "prune",
            Self::RefreshDueTokens {} => "refresh_due_tokens",
            Self::RefreshToken { .. } => "refresh_token",
            Self::SweepOutbound {} => "sweep_outbound",
            Self::SweepPosts {} => "sweep_posts",
            Self::UploadPost { .. } => "upload_post",
        }
    }

    /// At most one live job has this key.
    pub fn unique_key(&self) -> String {
        match self {
            Self::BulkAct { bulk_act_id } => format!("bulk:{bulk_act_id}"),
            Self::Canary { queue } => format!("canary:{queue}"),
            Self::AuditDrift {}
            | Self::ExpireUploads {}
            | Self::Prune {}
            | Self::RefreshDueTokens {}
            | Self::SweepOutbound {}
            | Self::SweepPosts {} => self.kind().to_owned(),
            Self::CheckSource { source_id, .. } => format!("source:{source_id}"),
            Self::DeliverWebhook { delivery_id, .. } => format!("deliver:{delivery_id}"),
            Self::FollowEvents { user_id } => format!("follow:{user_id}"),
            Self::ImportMedia { import_id, .. } => format!("import:{import_id}"),
            Self::ApplyNotice { notice_id, .. } => format!("notice:{notice_id}"),
            Self::PollPost { post_id, .. } => format!("poll:{post_id}"),
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
            | Self::RefreshToken { account_id }
            | Self::UploadPost { account_id, .. } => account_id.to_string(),
            Self::AuditDrift {}
            | Self::BulkAct { .. }
            | Self::Canary { .. }
            | Self::ExpireUploads {}
            | Self::Prune {}
            | Self::RefreshDueTokens {}
            | Self::SweepOutbound {}
            | Self::SweepPosts {} => String::new(),
            Self::DeliverWebhook { endpoint_id, .. } => endpoint_id.to_string(),
            Self::CheckSource { user_id, .. }
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

/// Retries are spread by a fifth, so that jobs that failed together do not come back together.
const JITTER_PERCENT: u8 = 20;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How each kind is run: queue, attempts, gaps between them, time limit.
fn policy(kind: &str, lease: Duration) -> Option<Policy> {
    let (queue, max_attempts, base, cap, timeout) = match kind {
        // An upload of 4 GB at 10 Mbit/s takes an hour; TikTok's upload address lives no longer.
        "upload_post" => (UPLOADS, 12, seconds(5), seconds(600), seconds(2 * 3600)),
        "poll_post" => (STATUS, 20, seconds(10), seconds(900), seconds(60)),
        // It calls nobody; its tries are for a database that is away.
        "apply_notice" => (STATUS, 20, seconds(5), seconds(300), seconds(30)),
        // A creator's grant hangs on it, so it tries for hours.
        "refresh_token" => (TOKENS, 30, seconds(5), seconds(600), seconds(60)),
        "refresh_due_tokens" => (TOKENS, 5, seconds(5), seconds(60), seconds(120)),
        "sweep_posts" | "sweep_outbound" | "expire_uploads" | "prune" => {
            (PURGE, 5, seconds(10), seconds(300), seconds(600))
        }
        // How often an event is sent is decided by its delivery; the tries are for a database that is away.
        "deliver_webhook" => (OUTBOUND, 20, seconds(5), seconds(300), seconds(60)),
        "follow_events" => (OUTBOUND, 20, seconds(1), seconds(60), seconds(120)),
        "check_source" => (OUTBOUND, 5, seconds(10), seconds(300), seconds(90)),
        // 4 GB at 5 Mbit/s take nearly two hours. What is stored is not fetched again by the next try.
        "import_media" => (IMPORTS, 12, seconds(5), seconds(900), seconds(2 * 3600)),
        "audit_drift" => (OPS, 3, seconds(10), seconds(60), seconds(240)),
        // It runs in the queue that it is for.
        "canary" => (OPS, 5, seconds(1), seconds(10), seconds(30)),
        "bulk_act" => (OPS, 10, seconds(1), seconds(60), seconds(600)),
        _ => return None,
    };
    Some(Policy {
        queue: queue.to_owned(),
        max_attempts,
        backoff: Backoff {
            base,
            cap,
            jitter_percent: JITTER_PERCENT,
        },
        timeout,
        lease,
    })
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
    pub const QUEUES: [&'static str; 7] = [UPLOADS, STATUS, TOKENS, PURGE, OPS, OUTBOUND, IMPORTS];
}

/// When canaries are sent: once a minute, away from the other crons.
const CANARY: &str = "20 * * * * *";

fn canary(queue: &str, at: Timestamp) -> NewJob {
    let queue = queue.to_owned();
    Job::Canary { queue }.to_new(at)
}

/// What runs by itself, and when (seconds first). Each slot fires once, whatever the number of
/// processes; of slots that passed while nobody ran, the latest fires.
fn crons() -> Vec<CronSpec> {
    fn cron(name: &str, expression: &str, job: fn(Timestamp) -> NewJob) -> CronSpec {
        CronSpec {
            name: name.to_owned(),
            expression: expression.to_owned(),
            job,
            catch_up: CatchUp::Latest,
        }
    }
    vec![
        cron("audit_drift", "40 */5 * * * *", |at| {
            Job::AuditDrift {}.to_new(at)
        }),
        cron("canary_uploads", CANARY, |at| canary(UPLOADS, at)),
        cron("canary_status", CANARY, |at| canary(STATUS, at)),
        cron("canary_tokens", CANARY, |at| canary(TOKENS, at)),
        cron("canary_purge", CANARY, |at| canary(PURGE, at)),
        cron("canary_ops", CANARY, |at| canary(OPS, at)),
        cron("canary_outbound", CANARY, |at| canary(OUTBOUND, at)),
        cron("canary_imports", CANARY, |at| canary(IMPORTS, at)),
        cron("expire_uploads", "0 */10 * * * *", |at| {
            Job::ExpireUploads {}.to_new(at)
        }),
        cron("prune", "0 17 * * * *", |at| Job::Prune {}.to_new(at)),
        cron("refresh_due_tokens", "30 */5 * * * *", |at| {
            Job::RefreshDueTokens {}.to_new(at)
        }),
        cron("sweep_outbound", "10 * * * * *", |at| {
            Job::SweepOutbound {}.to_new(at)
        }),
        cron("sweep_posts", "0 * * * * *", |at| {
            Job::SweepPosts {}.to_new(at)
        }),
    ]
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
