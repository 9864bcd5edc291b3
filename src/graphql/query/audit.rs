//! What operators did.

use async_graphql::{Context, InputObject, Object, Result};

use crate::{
    domain::{
        actor::Scope,
        audit::{self, Entry},
    },
    graphql::{
        cost,
        guard::{Needs, app},
        pagination::{Connection, Paging, connect},
        types::audit::AuditEntry,
        user_error::raise,
    },
};

/// What the audit log is narrowed to. A field that is left out admits all.
#[derive(Clone, Debug, Default, InputObject)]
pub(crate) struct AuditFilter {
    /// Only acts of this kind, such as `job.retry`.
    action: Option<String>,
    /// Only acts on this, such as `queue:uploads`.
    subject: Option<String>,
    /// Only acts with keys of the user of this name.
    user_name: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct AuditQueries;

#[Object]
impl AuditQueries {
    /// What operators did and were refused, newest first. Needs the scope `ops:read`.
    #[graphql(
        guard = "Needs(Scope::OpsRead)",
        complexity = "cost::page(first, last, child_complexity)"
    )]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the list is narrowed to.")] filter: Option<AuditFilter>,
        #[graphql(desc = "How many from the front; 1 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end; 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<AuditEntry>> {
        let (app, filter) = (app(ctx), filter.unwrap_or_default());
        let filter = audit::AuditFilter {
            action: filter.action,
            subject: filter.subject,
            user_name: filter.user_name,
        };
        connect(
            Paging {
                first,
                after,
                last,
                before,
            },
            |entry: &Entry| entry.row.id,
            AuditEntry,
            |span| audit::list(app, &filter, span.cursor, span.backward, span.limit),
            |error| raise("AuditEntry", error),
        )
        .await
    }
}
