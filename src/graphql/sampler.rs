//! How the queues stand, sampled once for everybody who watches.
//!
//! The first watcher starts the sampling, the last one's leaving ends it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::{app::App, domain::operators, queue::ledger::QueueStats};

/// The time between two samples.
const PERIOD: Duration = Duration::from_secs(2);

/// How every queue stands; none before the first look.
pub(crate) type Sample = Option<Arc<Vec<QueueStats>>>;

/// Samples the queues while somebody watches.
pub(crate) struct Sampler {
    app: App,
    latest: watch::Sender<Sample>,
    running: Mutex<bool>,
}

impl Sampler {
    /// A sampler at rest.
    pub(crate) fn new(app: App) -> Arc<Self> {
        Arc::new(Self {
            app,
            latest: watch::Sender::new(None),
            running: Mutex::new(false),
        })
    }

    /// Each sample that differs from the one before, from now on.
    pub(crate) fn watch(self: &Arc<Self>) -> watch::Receiver<Sample> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if !*running {
            *running = true;
            // What the last watcher saw is old by now.
            self.latest.send_replace(None);
            tokio::spawn(Arc::clone(self).run());
        }
        self.latest.subscribe()
    }

    async fn run(self: Arc<Self>) {
        loop {
            match operators::queues(&self.app).await {
                Ok(stats) => {
                    let sample = Some(Arc::new(stats));
                    self.latest.send_if_modified(|latest| {
                        let changed = *latest != sample;
                        *latest = sample;
                        changed
                    });
                }
                Err(error) => tracing::warn!(?error, "the queues could not be sampled"),
            }
            tokio::select! {
                () = self.app.clock.sleep(PERIOD) => {}
                () = self.latest.closed() => {}
            }
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            // Subscribing takes the same lock, so nobody comes between the look and the end.
            if self.latest.is_closed() {
                *running = false;
                return;
            }
        }
    }
}
