//! Which role is needed for what: every field of GraphQL and every route of the console that is for
//! operators. What is not here is refused by the console, and a test holds the list against the schema.

use clipqueue_entities::operator::Role::{self, Admin, Operator, Viewer};

/// The least role for one operation: `Mutation.pauseQueue`, `POST /ops/bulk`.
pub const OPERATIONS: &[(&str, Role)] = &[
    ("Mutation.approveDeletion", Admin),
    ("Mutation.cancelBulkAct", Admin),
    ("Mutation.cancelJob", Operator),
    ("Mutation.drainQueue", Operator),
    ("Mutation.pauseQueue", Operator),
    ("Mutation.refuseDeletion", Admin),
    ("Mutation.releaseJob", Operator),
    ("Mutation.resumeQueue", Operator),
    ("Mutation.retryJob", Operator),
    ("Mutation.setPlan", Admin),
    ("Mutation.settlePost", Admin),
    ("Mutation.startBulkAct", Admin),
    ("Query.auditLog", Viewer),
    ("Query.breakers", Viewer),
    ("Query.bulkAct", Viewer),
    ("Query.bulkActs", Viewer),
    ("Query.bulkPreview", Viewer),
    ("Query.canaries", Viewer),
    ("Query.deletionRequest", Admin),
    ("Query.deletionRequests", Admin),
    ("Query.driftReports", Viewer),
    ("Query.job", Viewer),
    ("Query.jobs", Viewer),
    ("Query.overdue", Viewer),
    ("Query.queues", Viewer),
    ("Query.retentionDays", Viewer),
    ("Query.retentionPlan", Viewer),
    ("Query.usageOf", Viewer),
    ("Subscription.bulkActUpdated", Viewer),
    ("Subscription.jobUpdated", Viewer),
    ("Subscription.queueStats", Viewer),
    // The console.
    ("GET /ops", Viewer),
    ("GET /ops/", Viewer),
    ("GET /ops/live", Viewer),
    ("GET /ops/find", Viewer),
    ("POST /ops/queues/{queue}/{act}", Operator),
    ("GET /ops/jobs", Viewer),
    ("GET /ops/jobs/{id}", Viewer),
    ("POST /ops/jobs/{id}/{act}", Operator),
    ("GET /ops/posts", Viewer),
    ("GET /ops/posts/{id}", Viewer),
    ("POST /ops/posts/{id}/settle", Admin),
    ("GET /ops/crons", Viewer),
    ("GET /ops/bulk", Viewer),
    ("POST /ops/bulk", Admin),
    ("GET /ops/bulk/new", Viewer),
    ("GET /ops/bulk/{id}", Viewer),
    ("POST /ops/bulk/{id}/stop", Admin),
    ("GET /ops/erasures", Viewer),
    ("GET /ops/erasures/{id}", Viewer),
    ("GET /ops/deletions", Admin),
    ("GET /ops/deletions/{id}", Admin),
    ("POST /ops/deletions/{id}/approve", Admin),
    ("POST /ops/deletions/{id}/refuse", Admin),
    ("GET /ops/retention", Viewer),
    ("GET /ops/audit", Viewer),
    ("POST /ops/sign-out", Viewer),
    ("GET /ops/{*rest}", Viewer),
];

/// The least role for an operation; none for one that is not in the table.
pub fn least(operation: &str) -> Option<Role> {
    OPERATIONS
        .iter()
        .find(|(name, _)| *name == operation)
        .map(|(_, role)| *role)
}

/// The name in the table of a root field of GraphQL; the field's own for one that is not for operators.
pub fn of_field(field: &str) -> &str {
    OPERATIONS
        .iter()
        .map(|(name, _)| *name)
        .find(|name| name.split_once('.').is_some_and(|(_, of)| of == field))
        .unwrap_or(field)
}
