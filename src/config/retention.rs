//! How long things are kept that have no setting of their own elsewhere.

use std::time::Duration;

use super::reader::Reader;

/// What receipts promise at most of logs.
const LOGS_MOST: Duration = Duration::from_secs(90 * 86_400);

/// `[retention]`
#[derive(Clone, Debug)]
pub struct Retention {
    /// What is known of a file, after its bytes were removed.
    pub media_records: Duration,
    /// Events.
    pub events: Duration,
    /// What TikTok and others said word by word, after the post ended.
    pub evidence: Duration,
    /// Answers to repeated requests.
    pub idempotency_keys: Duration,
    /// TikTok's notices.
    pub notices: Duration,
    /// Deliveries to webhooks, after their end.
    pub webhook_deliveries: Duration,
    /// Imports, after their end.
    pub imports: Duration,
    /// Exports.
    pub exports: Duration,
    /// Requests for deletion, after their end.
    pub deletion_requests: Duration,
    /// That a letter was sent.
    pub mails: Duration,
    /// Log files.
    pub logs: Duration,
    /// How old an object must be to count as forgotten.
    pub strays: Duration,
}

pub(super) fn retention(r: &mut Reader<'_>) -> Retention {
    Retention {
        media_records: r.duration("retention.media_records"),
        events: r.duration("retention.events"),
        evidence: r.duration("retention.evidence"),
        idempotency_keys: r.duration("retention.idempotency_keys"),
        notices: r.duration("retention.notices"),
        webhook_deliveries: r.duration("retention.webhook_deliveries"),
        imports: r.duration("retention.imports"),
        exports: r.duration("retention.exports"),
        deletion_requests: r.duration("retention.deletion_requests"),
        mails: r.duration("retention.mails"),
        logs: logs(r),
        strays: r.duration("retention.strays"),
    }
}

fn logs(r: &mut Reader<'_>) -> Duration {
    const KEY: &str = "retention.logs";
    let logs = r.duration(KEY);
    if logs > LOGS_MOST {
        r.problem(
            KEY,
            "must be 90d at most: every receipt of an erasure promises it",
        );
    }
    logs
}
