//! Enqueuing and draining.

use std::{sync::Arc, time::Duration};

use clipqueue_entities::Timestamp;
use serde_json::{Map, Value, json};
use tokio::{task::JoinSet, time::Instant};

use super::{
    Options, PATIENCE,
    stack::Stack,
    tally::Tally,
    toys::{QUEUE, Shape, toy},
};
use crate::queue::{Enqueued, Queue, enqueue_many};

/// Jobs of one bulk call.
const BULK: u64 = 500;
/// Producers of the second measure.
const PRODUCERS: u64 = 16;
/// The short backlog.
const SHORT: u64 = 10_000;
/// How often the backlogs are compared; the median counts.
const ROUNDS: usize = 3;

/// Which toys, and how they are enqueued.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) producers: u64,
    pub(super) shape: Shape,
    /// When they are due; at once by default.
    pub(super) due: Option<Timestamp>,
}

impl Order {
    fn new(first: u64, count: u64, options: &Options) -> Self {
        Self {
            first,
            count,
            producers: 1,
            shape: Shape {
                payload: options.payload,
                sleep_ms: 0,
            },
            due: None,
        }
    }
}

/// Enqueues one call a job, by as many producers as the order says. Every call returns after its
/// commit.
pub(super) async fn one_by_one(
    queue: &Queue,
    now: impl Fn() -> Timestamp + Clone + Send + 'static,
    order: Order,
) -> anyhow::Result<Duration> {
    let since = Instant::now();
    let mut producers = JoinSet::new();
    for producer in 0..order.producers {
        let (queue, now) = (queue.clone(), now.clone());
        producers.spawn(async move {
            let ids = (producer..order.count).step_by(order.producers as usize);
            for id in ids {
                let run_at = order.due.unwrap_or_else(&now);
                let job = toy(order.first + id, run_at, order.shape);
                let enqueued = queue.enqueue(job).await?;
                anyhow::ensure!(matches!(enqueued, Enqueued::New(_)), "a job was not new");
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = producers.join_next().await {
        ended??;
    }
    Ok(since.elapsed())
}

/// Enqueues [`BULK`] jobs a transaction.
pub(super) async fn in_bulk(
    stack: &Stack,
    queue: &Queue,
    order: Order,
) -> anyhow::Result<Duration> {
    let since = Instant::now();
    let mut done = 0;
    while done < order.count {
        let size = BULK.min(order.count - done);
        let now = stack.now();
        let run_at = order.due.unwrap_or(now);
        let jobs = (done..done + size)
            .map(|id| toy(order.first + id, run_at, order.shape))
            .collect();
        let tx = stack.db.begin().await?;
        enqueue_many(&tx, now, jobs).await?;
        tx.commit().await?;
        queue.nudge(QUEUE);
        done += size;
    }
    Ok(since.elapsed())
}

/// Enqueues in three ways, then drains everything.
pub(super) async fn measure(
    stack: &Stack,
    options: &Options,
) -> anyhow::Result<Map<String, Value>> {
    let mut figures = Map::new();
    let mut total = 0;
    for (name, count, producers) in [
        ("enqueue_1", options.jobs, 1),
        ("enqueue_16", options.jobs, PRODUCERS),
        ("enqueue_bulk", options.jobs.div_ceil(2), 0),
    ] {
        let mut order = Order::new(total, count, options);
        let cpu = stack.cpu();
        let took = if producers == 0 {
            in_bulk(stack, &stack.queue, order).await?
        } else {
            order.producers = producers;
            let clock = crate::clock::Clock::System;
            one_by_one(&stack.queue, move || clock.now(), order).await?
        };
        let cpu = stack.cpu() - cpu;
        total += count;
        let rows = stack.rows("available").await?;
        anyhow::ensure!(rows == total, "{rows} rows wait; there should be {total}");
        figures.insert(
            name.to_owned(),
            json!({
                "jobs": count,
                "per_s": round(count as f64 / took.as_secs_f64()),
                "cpu_s_per_1000": thousandth(cpu, count),
                "rows": rows,
            }),
        );
    }
    let tally = Arc::new(Tally::new(total));
    let cpu = stack.cpu();
    let work = stack.work(options.concurrency, &tally).await?;
    tally.wait(total, PATIENCE).await?;
    stack.completed(total).await?;
    let cpu = stack.cpu() - cpu;
    work.stop().await;
    let exact = tally.exact()?;
    figures.insert(
        "drain".to_owned(),
        json!({
            "jobs": total,
            "per_s": round(rate(&tally.times())),
            "cpu_s_per_1000": thousandth(cpu, total),
            "cpu_counts": stack.counted(),
            "exact": exact,
            "rows_completed": total,
        }),
    );
    Ok(figures)
}

/// Drains ten thousand jobs when they are all there is, and when there are many more.
pub(super) async fn backlog(
    stack: &Stack,
    options: &Options,
) -> anyhow::Result<Map<String, Value>> {
    let short = SHORT.min(options.backlog);
    let (mut alone, mut first) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        in_bulk(stack, &stack.queue, Order::new(first, short, options)).await?;
        alone.push(drain_some(stack, options, first, short, short).await?);
        first += short;
    }
    in_bulk(
        stack,
        &stack.queue,
        Order::new(first, options.backlog, options),
    )
    .await?;
    let mut before = Vec::new();
    let (mut done, end) = (first, first + options.backlog);
    for _ in 0..ROUNDS {
        let rate = drain_some(stack, options, first, end - first, short).await?;
        before.push(rate);
        done = stack.rows("completed").await?;
        if done + short > end {
            break;
        }
    }
    let (alone, before) = (median(&mut alone), median(&mut before));
    let mut figures = Map::new();
    figures.insert(
        "backlog".to_owned(),
        json!({
            "short": short,
            "long": options.backlog,
            "short_per_s": round(alone),
            "long_per_s": round(before),
            "ratio": (before / alone * 1000.0).round() / 1000.0,
            "rows_completed": done,
        }),
    );
    Ok(figures)
}

/// Works until `count` of the toys from `first` have started, and gives the rate of the first
/// `count` of them. Nothing may start twice, and whatever started must be completed at the end.
async fn drain_some(
    stack: &Stack,
    options: &Options,
    first: u64,
    all: u64,
    count: u64,
) -> anyhow::Result<f64> {
    let before = stack.rows("completed").await?;
    let tally = Arc::new(Tally::new(first + all));
    let work = stack.work(options.concurrency, &tally).await?;
    let waited = tally.wait(count, PATIENCE).await;
    work.stop().await;
    waited?;
    let started = tally.at_most_once()?;
    let after = stack.rows("completed").await?;
    anyhow::ensure!(
        after - before == started,
        "{started} jobs started and {} rows were completed",
        after - before
    );
    let mut times = tally.times();
    times.truncate(usize::try_from(count)?);
    Ok(rate(&times))
}

fn rate(sorted: &[u64]) -> f64 {
    match (sorted.first(), sorted.last()) {
        (Some(first), Some(last)) if last > first => {
            (sorted.len() - 1) as f64 / ((last - first) as f64 / 1e9)
        }
        _ => f64::NAN,
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    super::tally::percentile(values, 0.5)
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn thousandth(cpu: f64, jobs: u64) -> f64 {
    (cpu / jobs as f64 * 1000.0 * 10_000.0).round() / 10_000.0
}
