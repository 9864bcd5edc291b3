//! How a loop meets an error.

use std::time::Duration;

/// How long a loop that met an error waits, first and at most. Work must resume within 5 s of an
/// outage's end.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Waits longer after each failure in a row.
pub(super) struct Patience(Duration);

impl Patience {
    pub(super) const fn new() -> Self {
        Self(RETRY.0)
    }

    pub(super) const fn calm(&mut self) {
        self.0 = RETRY.0;
    }

    pub(super) async fn wait(&mut self, what: &str, error: &(dyn std::error::Error + Sync)) {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%error, cause, "{what} failed and is tried again");
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(RETRY.1);
    }
}
