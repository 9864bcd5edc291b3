//! How each kind of job is run.

use std::time::Duration;

use super::{IMPORTS, METRICS, OPS, OUTBOUND, PURGE, STATUS, TOKENS, UPLOADS};
use crate::queue::{Backoff, Policy};

/// Retries are spread by a fifth, so that jobs that failed together do not come back together.
const JITTER_PERCENT: u8 = 20;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Of a kind: queue, attempts, gaps between them, time limit.
pub(super) fn policy(kind: &str, lease: Duration) -> Option<Policy> {
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
        "sweep_posts" | "sweep_outbound" | "sweep_terms" | "expire_uploads" | "prune"
        | "roll_up_metrics" => (PURGE, 5, seconds(10), seconds(300), seconds(600)),
        // Its tries outlast a day of trouble; the clean-up begins a given-up one anew.
        "erase" => (PURGE, 200, seconds(2), seconds(600), seconds(900)),
        // How often an event is sent is decided by its delivery; the tries are for a database that is away.
        "deliver_webhook" => (OUTBOUND, 20, seconds(5), seconds(300), seconds(60)),
        // Three days of tries outlast most troubles of a mail server.
        "send_mail" => (OUTBOUND, 72, seconds(30), seconds(3600), seconds(120)),
        // It looks again by itself; the tries are for TikTok's troubles.
        "look_at_profile" => (STATUS, 30, seconds(60), seconds(3600), seconds(60)),
        "follow_events" => (OUTBOUND, 20, seconds(1), seconds(60), seconds(120)),
        "check_source" => (OUTBOUND, 5, seconds(10), seconds(300), seconds(90)),
        // 4 GB at 5 Mbit/s take nearly two hours. What is stored is not fetched again by the next try.
        "import_media" => (IMPORTS, 12, seconds(5), seconds(900), seconds(2 * 3600)),
        // All of a user's files; a try that died begins anew.
        "export_data" => (OPS, 5, seconds(30), seconds(900), seconds(2 * 3600)),
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
