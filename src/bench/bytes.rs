//! What jobs cost Redis, waiting and finished.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    Options, PATIENCE,
    cycle::{Order, in_bulk},
    stack::Stack,
    tally::Tally,
    toys::{Shape, Toys},
};
use crate::queue::steps::Steps;

/// Jobs whose pointers all fit into the transport at the same time; more would be rows alone and make
/// the figure look better than a pointer is.
const JOBS: u64 = 4000;

/// Delivers the pointers of some thousand jobs without running them, then runs them.
pub(super) async fn measure(
    stack: &Stack,
    options: &Options,
) -> anyhow::Result<Map<String, Value>> {
    let mut figures = Map::new();
    if stack.redis_url.is_some() {
        // The first round makes the server allocate what it keeps however many jobs come and go.
        round(stack, options).await?;
        figures.insert("redis_bytes".to_owned(), round(stack, options).await?);
    }
    Ok(figures)
}

async fn round(stack: &Stack, options: &Options) -> anyhow::Result<Value> {
    let before = stack.rows("completed").await?;
    let mut steps = Steps::new(&stack.queue, Arc::new(Toys::new(options.concurrency)));
    let empty = stack.redis_bytes()?;
    let order = Order {
        first: 0,
        count: JOBS,
        producers: 1,
        shape: Shape {
            payload: options.payload,
            sleep_ms: 0,
        },
        due: None,
    };
    in_bulk(stack, &stack.queue, order).await?;
    let mut delivered = 0;
    while delivered < JOBS {
        let more = steps.relay().await?;
        anyhow::ensure!(more > 0, "{delivered} of {JOBS} pointers were delivered");
        delivered += more;
    }
    let pending = stack.redis_bytes()?;
    drop(steps);
    let tally = Arc::new(Tally::new(JOBS));
    let work = stack.work(options.concurrency, &tally).await?;
    tally.wait(JOBS, PATIENCE).await?;
    stack.completed(before + JOBS).await?;
    work.stop().await;
    let exact = tally.exact()?;
    let finished = stack.redis_bytes()?;
    let each = |bytes: i64| ((bytes - empty) as f64 / JOBS as f64 * 10.0).round() / 10.0;
    Ok(json!({
        "jobs": JOBS,
        "per_pending_job": each(pending),
        "per_finished_job": each(finished),
        "left_in_all": finished - empty,
        "exact": exact,
    }))
}
