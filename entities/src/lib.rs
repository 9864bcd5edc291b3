//! Clipqueue's tables as types: one file per table, typed ids, millisecond timestamps.
//!
//! Nothing here knows a rule of the product. Who may write a table, and when, is decided in the
//! application's `domain` (and `queue` for the job tables). The schema itself is the `migration`
//! crate's; a test compares the two on SQLite and PostgreSQL.

pub mod account;
pub mod account_day;
pub mod account_key;
pub mod account_token;
pub mod api_key;
pub mod attempt_photo;
pub mod audit_entry;
pub mod audit_head;
pub mod billing_event;
pub mod billing_link;
pub mod billing_record;
pub mod budget_mark;
pub mod bulk_act;
pub mod canary;
pub mod console_session;
pub mod creator_snapshot;
pub mod cron_slot;
pub mod data_export;
pub mod deletion_request;
pub mod drift_report;
pub mod erasure;
pub mod erasure_step;
pub mod event;
pub mod evidence;
pub mod idempotency_key;
pub mod ids;
pub mod job;
pub mod job_attempt;
pub mod mail;
pub mod master_key;
pub mod media;
pub mod media_import;
pub mod media_label;
pub mod media_segment;
pub mod metric_plan;
pub mod metric_sample;
pub mod notice;
pub mod oauth_state;
pub mod operator;
pub mod operator_identity;
pub mod operator_sign_in;
pub mod post;
pub mod post_attempt;
pub mod post_photo;
pub mod post_video;
pub mod queue_control;
pub mod receipt_key;
pub mod retention_day;
pub mod retention_walk;
pub mod saved_text;
pub mod sealed;
pub mod subscription;
pub mod subscription_payment;
pub mod time;
pub mod tombstone;
pub mod tracked_video;
pub mod usage_day;
pub mod user;
pub mod user_plan;
pub mod user_session;
pub mod verified_source;
pub mod webhook_attempt;
pub mod webhook_delivery;
pub mod webhook_endpoint;

pub use ids::{
    AccountId, ApiKeyId, AttemptId, AuditId, BulkActId, ConsoleSessionId, DataExportId,
    DeletionRequestId, DriftReportId, ErasureId, EvidenceId, IdParseError, JobId, MailId, MediaId,
    MediaImportId, NoticeId, PostId, SavedTextId, SubscriptionId, TrackedVideoId, UserId,
    UserSessionId, VerifiedSourceId, WebhookDeliveryId, WebhookEndpointId,
};
pub use sealed::Sealed;
pub use time::Timestamp;
