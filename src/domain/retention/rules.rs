//! The table of rules.

use std::time::Duration;

use super::rows::{self, Rows};
use crate::config::Config;

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// A spent or expired consent is kept this long, so that a second use can be told from an unknown one.
const OAUTH_STATES: Duration = days(1);
/// What the drift auditor found is kept this long.
const DRIFT_REPORTS: Duration = days(30);
/// An act on many jobs is kept this long after its end.
const BULK_ACTS: Duration = days(90);
/// That there was an export is known this long after its end.
const EXPORT_RECORDS: Duration = days(30);
/// PayPal repeats an event for three days. One that comes later still is told by its own time.
const BILLING_EVENTS: Duration = days(90);
/// A payment may come before what says whose it is.
const STRANGE_SUBSCRIPTIONS: Duration = days(30);
/// How much went on a day is known for this long.
const TALLIES: Duration = days(400);

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name, which is a label of a metric too.
    pub name: &'static str,
    /// What it removes, in words.
    pub what: &'static str,
    /// The setting that says how long things are kept; nothing, when it is fixed.
    pub setting: Option<&'static str>,
    keep: fn(&Config) -> Duration,
    pub(super) work: Work,
}

impl Rule {
    /// How long things are kept.
    pub fn keep(&self, config: &Config) -> Duration {
        (self.keep)(config)
    }
}

/// How a rule is carried out.
#[derive(Debug)]
pub(super) enum Work {
    /// By deleting rows of a table.
    Rows(Rows),
    /// By the queue, which owns its tables.
    Jobs,
    /// From the start of the chain.
    Audit,
    /// With what lies beside the media.
    Receipts,
    /// By the store of media.
    Uploads,
    /// File by file, in the outbox.
    Letters,
    /// File by file, in the directory of logs.
    Logs,
    /// By emptying bodies.
    Evidence,
    /// With the archive, whose end is on record.
    Exports,
    /// File by file.
    Media,
    /// By a walk over the store.
    Strays,
    /// By a walk over files in the database.
    Lost,
}

const fn rule(
    name: &'static str,
    what: &'static str,
    setting: Option<&'static str>,
    keep: fn(&Config) -> Duration,
    work: Work,
) -> Rule {
    Rule {
        name,
        what,
        setting,
        keep,
        work,
    }
}

/// Every rule, in the order in which they run: what refers to something goes before it.
pub const RULES: &[Rule] = &[
    rule(
        "finished_jobs",
        "jobs that are over, with their attempts, and slots of crons",
        Some("queue.keep_finished"),
        |config| config.queue.keep_finished,
        Work::Jobs,
    ),
    rule(
        "idempotency_keys",
        "answers to repeated requests",
        Some("retention.idempotency_keys"),
        |config| config.retention.idempotency_keys,
        Work::Rows(rows::IDEMPOTENCY_KEYS),
    ),
    rule(
        "oauth_states",
        "consents that were used or never came back",
        None,
        |_| OAUTH_STATES,
        Work::Rows(rows::OAUTH_STATES),
    ),
    rule(
        "operator_sign_ins",
        "operators' sign-ins at the provider that were used or never came back",
        None,
        |_| OAUTH_STATES,
        Work::Rows(rows::OPERATOR_SIGN_INS),
    ),
    rule(
        "console_sessions",
        "operators' sessions that are over",
        Some("console.session_life"),
        |_| Duration::ZERO,
        Work::Rows(rows::CONSOLE_SESSIONS),
    ),
    rule(
        "user_sessions",
        "users' sessions that are over",
        Some("dashboard.session_life"),
        |_| Duration::ZERO,
        Work::Rows(rows::USER_SESSIONS),
    ),
    rule(
        "budget_marks",
        "marks of caps that are free again",
        None,
        |_| Duration::ZERO,
        Work::Rows(rows::BUDGET_MARKS),
    ),
    rule(
        "notices",
        "notices of TikTok's webhooks",
        Some("retention.notices"),
        |config| config.retention.notices,
        Work::Rows(rows::NOTICES),
    ),
    rule(
        "drift_reports",
        "reports of the drift auditor",
        None,
        |_| DRIFT_REPORTS,
        Work::Rows(rows::DRIFT_REPORTS),
    ),
    rule(
        "bulk_acts",
        "acts on many jobs that are over",
        None,
        |_| BULK_ACTS,
        Work::Rows(rows::BULK_ACTS),
    ),
    rule(
        "deletion_requests",
        "that there was a request for deletion, which is over",
        Some("retention.deletion_requests"),
        |config| config.retention.deletion_requests,
        Work::Rows(rows::DELETION_REQUESTS),
    ),
    rule(
        "mails",
        "that a letter was sent",
        Some("retention.mails"),
        |config| config.retention.mails,
        Work::Rows(rows::MAILS),
    ),
    rule(
        "mail_files",
        "letters in the outbox, where letters are files",
        Some("retention.mails"),
        |config| config.retention.mails,
        Work::Letters,
    ),
    rule(
        "technical_logs",
        "log files of this machine",
        Some("retention.logs"),
        |config| config.retention.logs,
        Work::Logs,
    ),
    rule(
        "billing_events",
        "which of PayPal's events were taken",
        None,
        |_| BILLING_EVENTS,
        Work::Rows(rows::BILLING_EVENTS),
    ),
    rule(
        "strange_subscriptions",
        "subscriptions that belong to nobody here",
        None,
        |_| STRANGE_SUBSCRIPTIONS,
        Work::Rows(rows::STRANGE_SUBSCRIPTIONS),
    ),
    rule(
        "strange_payments",
        "refunds of payments for nothing here",
        None,
        |_| STRANGE_SUBSCRIPTIONS,
        Work::Rows(rows::STRANGE_PAYMENTS),
    ),
    rule(
        "billing_records",
        "records of subscriptions of users who were erased, whose time is over",
        Some("paypal.keep_records"),
        |_| Duration::ZERO,
        Work::Rows(rows::BILLING_RECORDS),
    ),
    rule(
        "webhook_deliveries",
        "deliveries to webhooks that are over, with their tries",
        Some("retention.webhook_deliveries"),
        |config| config.retention.webhook_deliveries,
        Work::Rows(rows::WEBHOOK_DELIVERIES),
    ),
    rule(
        "imports",
        "imports that are over",
        Some("retention.imports"),
        |config| config.retention.imports,
        Work::Rows(rows::IMPORTS),
    ),
    rule(
        "events",
        "the oldest events of each user that every enabled webhook was told of",
        Some("retention.events"),
        |config| config.retention.events,
        Work::Rows(rows::EVENTS),
    ),
    rule(
        "evidence_bodies",
        "what was said word by word about posts that are over",
        Some("retention.evidence"),
        |config| config.retention.evidence,
        Work::Evidence,
    ),
    rule(
        "audit_log",
        "the oldest acts of operators",
        Some("operations.keep_audit"),
        |config| config.operations.keep_audit,
        Work::Audit,
    ),
    rule(
        "receipts",
        "erasures with their receipts and tombstones",
        Some("erasure.keep"),
        |config| config.erasure.keep,
        Work::Receipts,
    ),
    rule(
        "unfinished_uploads",
        "uploads that nobody finished",
        Some("media.upload_ttl"),
        |config| config.media.upload_ttl,
        Work::Uploads,
    ),
    rule(
        "media",
        "files that no post can need any more, each for as long as its user's plan keeps it; shown is the default plan",
        Some("plans.*.media_retention"),
        |config| config.plans.default_media_retention().unwrap_or_default(),
        Work::Media,
    ),
    rule(
        "exports",
        "archives of exports whose time is over",
        Some("retention.exports"),
        |_| Duration::ZERO,
        Work::Exports,
    ),
    rule(
        "export_records",
        "records of exports that are over",
        None,
        |_| EXPORT_RECORDS,
        Work::Rows(rows::EXPORT_RECORDS),
    ),
    rule(
        "media_records",
        "records of files whose bytes are gone and that no post names",
        Some("retention.media_records"),
        |config| config.retention.media_records,
        Work::Rows(rows::MEDIA_RECORDS),
    ),
    rule(
        "stray_objects",
        "objects in the store that no row knows",
        Some("retention.strays"),
        |config| config.retention.strays,
        Work::Strays,
    ),
    rule(
        "lost_files",
        "files in the database whose objects are gone",
        Some("retention.strays"),
        |config| config.retention.strays,
        Work::Lost,
    ),
    rule(
        "retention_days",
        "how much went on a day",
        None,
        |_| TALLIES,
        Work::Rows(rows::TALLIES),
    ),
];
