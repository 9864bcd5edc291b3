//! What watches the installation.

use async_graphql::{Context, Object, Result};

use crate::{
    domain::{actor::Scope, canaries, drift, overdue},
    graphql::{
        cost,
        guard::{Needs, app},
        types::watch::{Canary, DriftReport, Overdue},
        user_error::raise,
    },
    job::Jobs,
};

#[derive(Debug, Default)]
pub(crate) struct WatchQueries;

#[Object]
impl WatchQueries {
    /// What is past its deadline. Needs the scope `ops:read`.
    #[graphql(guard = "Needs(Scope::OpsRead)", complexity = "20 + child_complexity")]
    async fn overdue(&self, ctx: &Context<'_>) -> Result<Overdue> {
        let overdue = overdue::count(app(ctx)).await;
        overdue
            .map(Overdue::from)
            .map_err(|error| raise("Overdue", error))
    }

    /// How the canary of each queue fares. Needs the scope `ops:read`.
    #[graphql(
        guard = "Needs(Scope::OpsRead)",
        complexity = "cost::list(Jobs::QUEUES.len(), child_complexity)"
    )]
    async fn canaries(&self, ctx: &Context<'_>) -> Result<Vec<Canary>> {
        let readings = canaries::readings(app(ctx)).await;
        let readings = readings.map_err(|error| raise("Canary", error))?;
        Ok(readings.into_iter().map(Canary::from).collect())
    }

    /// What the last runs of the drift auditor found, newest first. Needs the scope `ops:read`.
    #[graphql(
        guard = "Needs(Scope::OpsRead)",
        complexity = "cost::page(first, None, child_complexity)"
    )]
    async fn drift_reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many; 1 to 100, 20 by default.")] first: Option<i32>,
    ) -> Result<Vec<DriftReport>> {
        let most = cost::MAX_PAGE as u64;
        let limit = first.map_or(cost::DEFAULT_PAGE as u64, |first| {
            u64::try_from(first).unwrap_or(1).clamp(1, most)
        });
        let reports = drift::reports(app(ctx), limit).await;
        let reports = reports.map_err(|error| raise("DriftReport", error))?;
        Ok(reports.into_iter().map(DriftReport).collect())
    }
}
