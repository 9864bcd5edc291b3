//! `PlanMetrics`: says whose counters are read within the next hour.

use super::Step;
use crate::{app::App, domain::counters::plans};

pub(super) async fn run(app: &App) -> Step {
    let planned = plans::plan_hour(app).await?;
    let of = |ranks: &std::collections::BTreeMap<_, u32>| ranks.values().sum::<u32>();
    metrics::gauge!("clipqueue_metric_accounts_planned").set(f64::from(of(&planned.read)));
    metrics::gauge!("clipqueue_metric_accounts_waiting").set(f64::from(of(&planned.waiting)));
    metrics::gauge!("clipqueue_metric_calls_planned").set(f64::from(planned.calls));
    tracing::info!(
        adopted = planned.adopted,
        calls = planned.calls,
        read = ?planned.read,
        waiting = ?planned.waiting,
        "the reading of counters was planned"
    );
    Ok(())
}
