//! Loops that are watched: each has a name and is meant to run until the stop.

use tokio::task::JoinHandle;

/// A loop that ended although nobody had asked for a stop.
#[derive(Debug, thiserror::Error)]
#[error("the {name} loop of the queue ended by itself; its panic is in the log")]
pub struct LoopEnded {
    pub(super) name: &'static str,
}

/// The loops that end with the stop.
#[derive(Default)]
pub(super) struct Loops(Vec<(&'static str, JoinHandle<()>)>);

impl Loops {
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        self.0.push((name, tokio::spawn(work)));
    }

    /// A loop that has ended.
    pub(super) fn ended(&self) -> Option<&'static str> {
        let ended = self.0.iter().find(|(_, handle)| handle.is_finished());
        ended.map(|(name, _)| *name)
    }

    /// Waits for the end of them all.
    pub(super) async fn wait(self) {
        for (name, handle) in self.0 {
            if let Err(error) = handle.await {
                tracing::error!(%error, "the {name} loop did not end in peace");
            }
        }
    }
}
