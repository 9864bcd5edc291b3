//! TikTok's limits and TikTok's trouble: nobody exceeds the ones, nobody suffers from the other.

mod breakers;
mod caps;
mod line;
mod processes;
mod secret;
mod token_life;

use clipqueue::calls::{BreakerView, breaker::State};
use clipqueue_entities::{MediaId, PostId, post};
use tiktok::Endpoint;

use crate::support::{app::TestApp, flows::long_clip};

impl TestApp {
    /// How the breaker of an endpoint stands.
    async fn breaker(&self, endpoint: Endpoint) -> BreakerView {
        let mut all = self.app.calls.breakers().await;
        all.retain(|breaker| breaker.endpoint == endpoint);
        all.pop().unwrap()
    }

    async fn all_breakers_are_closed(&self) -> bool {
        let all = self.app.calls.breakers().await;
        all.iter().all(|breaker| breaker.state == State::Closed)
    }

    /// A file that differs from every other: the simulator takes equal drafts for one.
    async fn own_file(&self, number: usize) -> MediaId {
        let bytes = long_clip(600_000 + number).into_boxed_slice();
        self.upload_bytes(Box::leak(bytes)).await
    }

    async fn reload_all(&self, ids: &[PostId]) -> Vec<post::Model> {
        let mut posts = Vec::new();
        for id in ids {
            posts.push(self.reload(*id).await);
        }
        posts
    }
}
