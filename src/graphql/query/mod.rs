//! What can be asked.

mod audit;
mod billing;
mod bulk;
mod deletion;
mod export;
mod library;
mod metrics;
mod node;
mod ops;
mod outbound;
mod retention;
mod tenant;
mod watch;

use async_graphql::MergedObject;

pub(crate) use self::ops::JobFilter;

/// What can be asked. Ids are opaque; another user's objects answer as if they did not exist.
#[derive(Debug, Default, MergedObject)]
pub struct Query(
    node::Nodes,
    tenant::Tenant,
    ops::OperatorQueries,
    bulk::BulkQueries,
    audit::AuditQueries,
    watch::WatchQueries,
    metrics::MetricQueries,
    outbound::OutboundQueries,
    retention::RetentionQueries,
    export::ExportQueries,
    library::LibraryQueries,
    billing::BillingQueries,
    deletion::DeletionQueries,
);
