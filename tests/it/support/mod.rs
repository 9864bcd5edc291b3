//! What the integration tests stand on.

pub mod app;
pub mod chunks;
pub mod dying;
pub mod flows;
pub mod s3;
pub mod servers;

use std::time::Duration;

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until `condition` gives something; fails with `what` after `limit`.
pub async fn eventually<T>(
    limit: Duration,
    what: &str,
    condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    match within(limit, condition).await {
        Some(found) => found,
        None => panic!("waited {limit:?} in vain until {what}"),
    }
}

/// What `condition` gives within `limit`, if it gives anything: for what tells nobody when it happens,
/// as a process that ends or a page that changes.
pub async fn within<T>(
    limit: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> Option<T> {
    let looking = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(limit, looking).await.ok()
}
