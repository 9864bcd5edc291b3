//! How soon a job starts: after its enqueuing when nothing else runs, and after its due time when
//! many fall due at once.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    Options, PATIENCE,
    cycle::{Order, one_by_one},
    processes::monotonic,
    stack::Stack,
    tally::{Tally, percentile},
    toys::{Shape, toy},
};
use crate::clock::Clock;

/// The pause between two enqueues, so that each meets an idle worker.
const GAP: Duration = Duration::from_millis(20);
/// Time for the loops to come to rest.
const SETTLE: Duration = Duration::from_secs(1);
/// How long enqueuing may take; a shared disk may need a tenth of a second for each.
const ENQUEUING: Duration = Duration::from_secs(8);
/// The least time between the last enqueue and the due instant.
const LEAD: Duration = Duration::from_secs(1);

/// One job at a time to an idle worker.
pub(super) async fn pickup(stack: &Stack, options: &Options) -> anyhow::Result<Map<String, Value>> {
    let count = options.pickups;
    let tally = Arc::new(Tally::new(count + 1));
    let work = stack.work(options.concurrency, &tally).await?;
    let producer = stack.other().await?;
    let shape = Shape {
        payload: options.payload,
        sleep_ms: 0,
    };
    let mut waits = Vec::new();
    for id in 0..=count {
        let asked = monotonic();
        producer.enqueue(toy(id, stack.now(), shape)).await?;
        tally.wait(id + 1, PATIENCE).await?;
        if id == 0 {
            // The first one wakes everything up, and does not count.
            tokio::time::sleep(SETTLE).await;
            continue;
        }
        waits.push(tally.at(id).saturating_sub(asked) as f64 / 1e6);
        tokio::time::sleep(GAP).await;
    }
    stack.completed(count + 1).await?;
    work.stop().await;
    let exact = tally.exact()?;
    waits.sort_by(f64::total_cmp);
    let mut figures = Map::new();
    figures.insert("pickup".to_owned(), spread(&waits, exact));
    Ok(figures)
}

/// Many jobs due at the same instant.
pub(super) async fn due(stack: &Stack, options: &Options) -> anyhow::Result<Map<String, Value>> {
    let count = options.due;
    let tally = Arc::new(Tally::new(count));
    let work = stack.work(options.concurrency, &tally).await?;
    let producer = stack.other().await?;
    let due = stack.now() + ENQUEUING + LEAD;
    let due_monotonic = monotonic() + (ENQUEUING + LEAD).as_nanos() as u64;
    let shape = Shape {
        payload: options.payload,
        sleep_ms: 0,
    };
    let order = Order {
        first: 0,
        count,
        producers: 1,
        shape,
        due: Some(due),
    };
    let took = one_by_one(&producer, || Clock::System.now(), order).await?;
    anyhow::ensure!(
        took < ENQUEUING,
        "enqueuing took {took:?}, so that the jobs were due before they were there"
    );
    tally.wait(count, PATIENCE).await?;
    stack.completed(count).await?;
    work.stop().await;
    let exact = tally.exact()?;
    let mut late: Vec<f64> = tally
        .times()
        .iter()
        .map(|at| (*at as f64 - due_monotonic as f64) / 1e6)
        .collect();
    late.sort_by(f64::total_cmp);
    // Our clock counts whole milliseconds.
    let early = late.first().is_some_and(|late| *late < -2.0);
    anyhow::ensure!(!early, "a job started before it was due");
    let mut figures = Map::new();
    figures.insert("due".to_owned(), spread(&late, exact));
    Ok(figures)
}

fn spread(sorted: &[f64], exact: Value) -> Value {
    let ms = |q| (percentile(sorted, q) * 1000.0).round() / 1000.0;
    json!({
        "jobs": sorted.len(),
        "p50_ms": ms(0.5),
        "p99_ms": ms(0.99),
        "max_ms": ms(1.0),
        "exact": exact,
    })
}
