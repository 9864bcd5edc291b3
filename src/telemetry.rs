//! Logs by `tracing`, as JSON or for people, in files by day where that is wanted, and the process's metrics.
//!
//! Fields are named by entity (`post.id`, `job.kind`) and chosen at the call: tokens, addresses for
//! uploading, captions and bodies are never given to a log call. Types that hold secrets cannot print.
//! Libraries that would print headers or frames at their finest levels are held back whatever the
//! filter says. A panic is a log line like any other.

use std::{
    fs, io,
    io::IsTerminal as _,
    panic,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::NaiveDate;
use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::Subscriber;
use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};
use tracing_subscriber::{
    EnvFilter, Layer, layer::SubscriberExt as _, registry::LookupSpan, util::SubscriberInitExt as _,
};

use crate::config::{Log, LogFormat};

/// Their traces hold headers, frames or statements, and so tokens.
const RETICENT: [&str; 10] = [
    "h2",
    "hyper",
    "hyper_util",
    "redis",
    "reqwest",
    "rustls",
    "sea_orm",
    "sqlx",
    "tokio_tungstenite",
    "tungstenite",
];

/// The histogram of attempts.
pub const JOB_SECONDS: &str = "clipqueue_job_duration_seconds";
/// Bounds of its buckets: a status question takes milliseconds, an upload up to hours.
const JOB_BUCKETS: [f64; 12] = [
    0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 7200.0,
];

/// The histogram of canaries.
pub const CANARY_SECONDS: &str = "clipqueue_canary_seconds";
/// Bounds of its buckets: milliseconds in health, a minute when something is wrong.
const CANARY_BUCKETS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0,
];

/// What the name of a log file begins with; the day follows, in UTC.
const FILE_PREFIX: &str = "clipqueue";
/// What it ends with.
const FILE_SUFFIX: &str = "log";

/// There can be no log.
#[derive(Debug, thiserror::Error)]
pub enum NoLog {
    /// The filter does not parse.
    #[error("log.filter is not a filter such as `info` or `clipqueue=debug,info`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// There can be no files.
    #[error("log.directory cannot be made; give one that this process may write into, or none")]
    Directory(#[source] io::Error),
    /// A file cannot be written.
    #[error("no file can be written in log.directory")]
    File(#[from] InitError),
}

/// Installs the process's log subscriber on standard output, for commands that stay. A second call
/// leaves the first in place.
pub fn init(log: &Log) -> Result<(), NoLog> {
    let layer = tracing_subscriber::fmt::layer();
    install(log, layer, std::io::stdout().is_terminal())
}

/// The same on standard error, for commands whose answer is on standard output.
pub fn init_beside_output(log: &Log) -> Result<(), NoLog> {
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    install(log, layer, std::io::stderr().is_terminal())
}

type FmtLayer<W> = tracing_subscriber::fmt::Layer<
    tracing_subscriber::layer::Layered<EnvFilter, tracing_subscriber::Registry>,
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    W,
>;

fn install<W>(log: &Log, layer: FmtLayer<W>, colours: bool) -> Result<(), NoLog>
where
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let registry = tracing_subscriber::registry().with(filter(&log.filter)?);
    let files = log.directory.as_deref().map(appender).transpose()?;
    let installed = match log.format {
        LogFormat::Json => registry
            .with(layer.json().flatten_event(true).with_current_span(true))
            .with(files.map(in_files))
            .try_init(),
        LogFormat::Pretty => registry
            .with(layer.compact().with_ansi(colours))
            .with(files.map(in_files))
            .try_init(),
    };
    match installed {
        Ok(()) => panic::set_hook(Box::new(|panicked| {
            let place = panicked.location().map(ToString::to_string);
            let text = panicked.payload_as_str().unwrap_or("without a text");
            tracing::error!(place, panic = text, "a part of the process panicked");
        })),
        Err(_) => tracing::debug!("a log subscriber is already installed"),
    }
    Ok(())
}

/// A file for each day, which nobody else on this machine can reach.
fn appender(directory: &Path) -> Result<RollingFileAppender, NoLog> {
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(directory).map_err(NoLog::Directory)?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(FILE_PREFIX)
        .filename_suffix(FILE_SUFFIX)
        .build(directory)?;
    Ok(appender)
}

/// The lines of files are objects, whatever the terminal shows.
fn in_files<S>(files: RollingFileAppender) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_subscriber::fmt::layer()
        .with_writer(files)
        .with_ansi(false)
        .json()
        .flatten_event(true)
        .with_current_span(true)
}

/// A log file.
#[derive(Clone, Debug)]
pub struct LogFile {
    /// Where it is.
    pub path: PathBuf,
    /// The day whose lines it holds, in UTC.
    pub day: NaiveDate,
}

/// The log files in a directory, and no other file of it.
pub fn files(directory: &Path) -> io::Result<Vec<LogFile>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let day = entry.file_name().to_str().and_then(day_of);
        files.extend(day.map(|day| LogFile {
            path: entry.path(),
            day,
        }));
    }
    Ok(files)
}

fn day_of(name: &str) -> Option<NaiveDate> {
    let rest = name.strip_prefix(FILE_PREFIX)?.strip_prefix('.')?;
    let day = rest.strip_suffix(FILE_SUFFIX)?.strip_suffix('.')?;
    day.parse().ok()
}

fn filter(directives: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    let mut filter = EnvFilter::try_new(directives)?;
    for library in RETICENT {
        filter = filter.add_directive(format!("{library}=warn").parse()?);
    }
    Ok(filter)
}

/// Installs the process's metrics, once, with a sentence for each.
pub fn install_metrics() -> Result<Arc<PrometheusHandle>, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(JOB_SECONDS.to_owned()), &JOB_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(CANARY_SECONDS.to_owned()), &CANARY_BUCKETS)?
        .install_recorder()?;
    describe();
    Ok(Arc::new(handle))
}

fn describe() {
    describe_gauge!(
        "clipqueue_deletion_requests",
        "Requests for deletion by people who cannot sign in, by whether they are proved"
    );
    describe_counter!(
        "clipqueue_deletion_requests_total",
        "Requests for deletion that were taken"
    );
    describe_counter!(
        "clipqueue_deletion_requests_refused_total",
        "Requests for deletion that came too often"
    );
    describe_counter!(
        "clipqueue_mails_total",
        "Tries to send letters, by how they ended"
    );
    describe_counter!(
        "clipqueue_paypal_webhooks_total",
        "Webhooks in PayPal's name, by what became of them"
    );
    describe_gauge!(
        "clipqueue_jobs",
        "Jobs by queue and state; counted up to 100,000."
    );
    describe_gauge!(
        "clipqueue_queue_oldest_waiting_seconds",
        "How long the job that has waited longest is overdue, by queue; 0 when none waits."
    );
    describe_gauge!(
        "clipqueue_queue_paused",
        "1 when workers leave the queue alone, else 0."
    );
    describe_counter!(
        "clipqueue_metric_looks_total",
        "Looks at creators' counters, by outcome."
    );
    describe_counter!(
        "clipqueue_metric_samples_total",
        "Readings and marks of gaps that were appended."
    );
    describe_counter!(
        "clipqueue_metric_rolled_total",
        "Old readings that were rolled up, by what they became."
    );
    describe_gauge!(
        "clipqueue_metric_accounts_planned",
        "Accounts that are read within the hour of the last plan."
    );
    describe_gauge!(
        "clipqueue_metric_accounts_waiting",
        "Accounts that were due and wait for the next plan."
    );
    describe_gauge!(
        "clipqueue_metric_calls_planned",
        "Calls that the last plan expects its hour to cost."
    );
    describe_gauge!("clipqueue_posts", "Posts by state, counted to 10,000.");
    describe_gauge!(
        "clipqueue_breaker_state",
        "Whether calls of an endpoint of TikTok go through: 0 closed, 1 half open, 2 open."
    );
    describe_gauge!(
        "clipqueue_breaker_parked",
        "Creators that wait for an endpoint of TikTok because their own calls fail."
    );
    describe_gauge!(
        "clipqueue_client_refused",
        "Whether TikTok refuses the app's own key or secret."
    );
    describe_counter!(
        "clipqueue_budget_corrections_total",
        "Refusals of TikTok's because a budget was used up, by budget."
    );
    describe_gauge!(
        "clipqueue_posts_past_deadline",
        "Posts whose state has lasted longer than it may."
    );
    describe_gauge!(
        "clipqueue_accounts",
        "Connected TikTok accounts by status; reauth_required ones wait for their creator."
    );
    describe_histogram!(
        JOB_SECONDS,
        "How long attempts of jobs took, in seconds, by kind and by how they ended."
    );
    describe_operations();
    describe_counter!(
        "clipqueue_erasures_completed_total",
        "Erasures that are complete."
    );
    describe_counter!(
        "clipqueue_grants_ended_total",
        "Grants at TikTok that an erasure was to end, by how that went."
    );
    describe_counter!(
        "clipqueue_imports_total",
        "Imports of files that ended, by outcome."
    );
    describe_counter!(
        "clipqueue_plan_refusals_total",
        "Requests that a plan did not allow, by limit."
    );
    describe_counter!(
        "clipqueue_webhook_deliveries_total",
        "Tries to deliver webhooks to clients' endpoints, by outcome."
    );
    describe_counter!(
        "clipqueue_retention_removed_total",
        "What was deleted by age, by rule."
    );
    describe_counter!(
        "clipqueue_token_refreshes_total",
        "Refreshes of TikTok tokens by outcome."
    );
    describe_counter!(
        "clipqueue_webhooks_total",
        "Deliveries of TikTok's webhooks by what was answered."
    );
    describe_counter!(
        "clipqueue_notices_settled_total",
        "Notices of TikTok's webhooks by what became of them."
    );
    describe_counter!(
        "clipqueue_posts_overdue_total",
        "Posts that the sweep found past the deadline of their state."
    );
    describe_counter!(
        "clipqueue_posts_orphaned_total",
        "Posts that the sweep found without the job that should care for them."
    );
}

fn describe_operations() {
    describe_gauge!(
        "clipqueue_queue_draining",
        "1 when the queue is paused in order to be emptied, else 0."
    );
    describe_gauge!(
        "clipqueue_overdue",
        "What is past its deadline, by kind (post, job, lease, token); 0 in health."
    );
    describe_gauge!(
        "clipqueue_drift",
        "What the last drift audit found and could not mend or did mend, by kind; 0 in health."
    );
    describe_gauge!(
        "clipqueue_lost",
        "Accepted posts that nothing would move again, as the last drift audit found; 0 always."
    );
    describe_gauge!(
        "clipqueue_duplicate",
        "Posts that TikTok has more than once, as the last drift audit found; 0 always."
    );
    describe_gauge!(
        "clipqueue_drift_audit_age_seconds",
        "How long ago the drift auditor last finished; 0 before its first run."
    );
    describe_gauge!(
        "clipqueue_canary_age_seconds",
        "How long a queue has not proved that it runs; above 300 the canary is stale."
    );
    describe_gauge!(
        "clipqueue_canary_stale",
        "1 when no canary of the queue came back within five minutes, else 0."
    );
    describe_gauge!(
        "clipqueue_canary_last_seconds",
        "From the enqueuing of the queue's last canary until a worker had it."
    );
    describe_histogram!(
        CANARY_SECONDS,
        "From the enqueuing of a canary until a worker had it, in seconds, by queue."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talkative_libraries_stay_reticent_whatever_the_filter_says() {
        for directives in ["trace", "h2=trace,hyper=debug,info"] {
            let filter = filter(directives).unwrap().to_string();
            for library in RETICENT {
                assert!(filter.contains(&format!("{library}=warn")), "{filter}");
                assert!(!filter.contains(&format!("{library}=trace")), "{filter}");
                assert!(!filter.contains(&format!("{library}=debug")), "{filter}");
            }
        }
        assert!(super::filter("clipqueue=loud").is_err());
    }
}
