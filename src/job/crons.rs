//! What runs by itself, and when.

use clipqueue_entities::Timestamp;

use super::{IMPORTS, Job, METRICS, OPS, OUTBOUND, PURGE, STATUS, TOKENS, UPLOADS};
use crate::queue::{CatchUp, CronSpec, NewJob};

/// When canaries are sent: once a minute, away from the other crons.
const CANARY: &str = "20 * * * * *";

fn canary(queue: &str, at: Timestamp) -> NewJob {
    let queue = queue.to_owned();
    Job::Canary { queue }.to_new(at)
}

/// Every cron, seconds first in its expression. Each slot fires once, whatever the number of
/// processes; of slots that passed while nobody ran, the latest fires.
pub(super) fn crons() -> Vec<CronSpec> {
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
        cron("canary_outbound", CANARY, |at| canary(OUTBOUND, at)),
        cron("canary_imports", CANARY, |at| canary(IMPORTS, at)),
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
        cron("sweep_outbound", "10 * * * * *", |at| {
            Job::SweepOutbound {}.to_new(at)
        }),
        cron("sweep_posts", "0 * * * * *", |at| {
            Job::SweepPosts {}.to_new(at)
        }),
        cron("sweep_terms", "25 * * * * *", |at| {
            Job::SweepTerms {}.to_new(at)
        }),
    ]
}
