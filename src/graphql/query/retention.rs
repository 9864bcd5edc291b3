//! What is deleted by age.

use std::time::Duration;

use async_graphql::{Context, Object, Result};

use crate::{
    domain::{
        actor::Scope,
        retention::{self, Depth, RULES},
    },
    graphql::{
        cost,
        guard::{Needs, app},
        types::retention::{RetentionDay, RetentionRule},
        user_error::raise,
    },
};

/// Days that are shown at most.
const MOST_DAYS: u64 = 90;
/// Days that are shown by default.
const DAYS: u64 = 7;

#[derive(Debug, Default)]
pub(crate) struct RetentionQueries;

#[Object]
impl RetentionQueries {
    /// What each rule would delete by age now. Deletes nothing. What lies in the store of media and nobody
    /// knows is told by `clipqueue retention plan --objects` alone. Needs the scope `ops:read`.
    #[graphql(
        guard = "Needs(Scope::OpsRead)",
        complexity = "cost::list(RULES.len(), child_complexity)"
    )]
    async fn retention_plan(&self, ctx: &Context<'_>) -> Result<Vec<RetentionRule>> {
        let plan = retention::plan(app(ctx), Depth::Rows).await;
        let plan = plan.map_err(|error| raise("Retention", error))?;
        Ok(plan.into_iter().map(RetentionRule::from).collect())
    }

    /// How much was deleted by age on each of the last days, by rule; newest day first. Needs the scope
    /// `ops:read`.
    #[graphql(
        guard = "Needs(Scope::OpsRead)",
        complexity = "cost::list(RULES.len(), child_complexity)"
    )]
    async fn retention_days(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many days back; 1 to 90, 7 by default.")] days: Option<i32>,
    ) -> Result<Vec<RetentionDay>> {
        let app = app(ctx);
        let days = days.map_or(DAYS, |days| {
            u64::try_from(days).unwrap_or(1).clamp(1, MOST_DAYS)
        });
        let since = app.clock.now() - Duration::from_secs(days * 86_400);
        let days = retention::days(app, since).await;
        let days = days.map_err(|error| raise("Retention", error))?;
        Ok(days.into_iter().map(RetentionDay::from).collect())
    }
}
