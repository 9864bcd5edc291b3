//! The catalogue: every kind of job, how it is run, and when by itself. Plain data.
//!
//! A job's arguments are ids only; its worker reads the truth. Two live jobs never share a
//! [`Job::unique_key`]. Adding a kind: a variant here makes the matches below and in `workers` fail
//! to compile until they know it.

use std::time::Duration;

use clipqueue_entities::{AccountId, BulkActId, ErasureId, NoticeId, PostId, Timestamp};
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
/// The queue of counters.
pub const METRICS: &str = "metrics";
/// The queue of clean-up.
pub const PURGE: &str = "purge";
/// The queue of what operators start and of what watches the installation.
pub const OPS: &str = "ops";

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
    /// Erases an account or a user, step by step.
    Erase {
        /// The erasure.
        erasure_id: ErasureId,
    },
    /// Ends uploads that nobody finished.
    ExpireUploads {},
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
    pub const KINDS: [&'static str; 15] = [
        "apply_notice",
        "audit_drift",
        "bulk_act",
        "canary",
        "erase",
        "expire_uploads",
        "plan_metrics",
        "poll_post",
        "prune",
        "refresh_due_tokens",
        "refresh_metrics",
        "refresh_token",
        "roll_up_metrics",
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
            Self::Erase { .. } => "erase",
            Self::ExpireUploads {} => "expire_uploads",
            Self::PlanMetrics {} => "plan_metrics",
            Self::PollPost { .. } => "poll_post",
            Self::Prune {} => "prune",
            Self::RefreshDueTokens {} => "refresh_due_tokens",
            Self::RefreshMetrics { .. } => "refresh_metrics",
            Self::RefreshToken { .. } => "refresh_token",
            Self::RollUpMetrics {} => "roll_up_metrics",
            Self::SweepPosts {} => "sweep_posts",
            Self::UploadPost { .. } => "upload_post",
        }
    }

    /// At most one live job has this key.
    pub fn unique_key(&self) -> String {
        match self {
            Self::BulkAct { bulk_act_id } => format!("bulk:{bulk_act_id}"),
            Self::Canary { queue } => format!("canary:{queue}"),
            Self::Erase { erasure_id } => format!("erase:{erasure_id}"),
            Self::AuditDrift {}
            | Self::ExpireUploads {}
            | Self::PlanMetrics {}
            | Self::Prune {}
            | Self::RefreshDueTokens {}
            | Self::RollUpMetrics {}
            | Self::SweepPosts {} => self.kind().to_owned(),
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
            | Self::PlanMetrics {}
            | Self::Prune {}
            | Self::RefreshDueTokens {}
            | Self::RollUpMetrics {}
            | Self::SweepPosts {} => String::new(),
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
        "plan_metrics" => (METRICS, 10, seconds(10), seconds(120), seconds(600)),
        // Fifty pages of a large account, each with its own leave.
        "refresh_metrics" => (METRICS, 20, seconds(15), seconds(900), seconds(300)),
        "sweep_posts" | "expire_uploads" | "prune" | "roll_up_metrics" => {
            (PURGE, 5, seconds(10), seconds(300), seconds(600))
        }
        // Its tries outlast a day of trouble; the clean-up begins a given-up one anew.
        "erase" => (PURGE, 200, seconds(2), seconds(600), seconds(900)),
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
                queue(METRICS, config.metrics),
                queue(PURGE, config.purge),
                queue(OPS, config.ops),
            ],
            crons: crons(),
            lease: config.lease,
        }
    }

    /// The names of all queues.
    pub const QUEUES: [&'static str; 6] = [UPLOADS, STATUS, TOKENS, METRICS, PURGE, OPS];
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
        cron("canary_metrics", CANARY, |at| canary(METRICS, at)),
        cron("canary_purge", CANARY, |at| canary(PURGE, at)),
        cron("canary_ops", CANARY, |at| canary(OPS, at)),
        cron("expire_uploads", "0 */10 * * * *", |at| {
            Job::ExpireUploads {}.to_new(at)
        }),
        cron("plan_metrics", "0 3 * * * *", |at| {
            Job::PlanMetrics {}.to_new(at)
        }),
        cron("prune", "0 17 * * * *", |at| Job::Prune {}.to_new(at)),
        cron("refresh_due_tokens", "30 */5 * * * *", |at| {
            Job::RefreshDueTokens {}.to_new(at)
        }),
        cron("roll_up_metrics", "0 41 2 * * *", |at| {
            Job::RollUpMetrics {}.to_new(at)
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
