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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{daemon::LOOK, transport::redis::SLOWEST_RECONNECT};

    #[test]
    fn work_resumes_within_five_seconds_however_long_the_outage_was() {
        let mut patience = Patience::new();
        for _ in 0..1000 {
            patience.0 = (patience.0 * 2).min(RETRY.1);
        }
        // A loop that has just begun its longest wait, finds a connection attempt that must run into
        // its timeout, and has to look once more.
        let worst = patience.0 + SLOWEST_RECONNECT + LOOK;
        assert!(worst <= Duration::from_secs(5), "{worst:?}");
    }
}
