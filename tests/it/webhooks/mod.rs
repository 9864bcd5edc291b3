//! TikTok's webhooks: what the door lets in, and what becomes of it.

mod door;
mod grants;
mod hints;

use std::time::Duration;

use clipqueue_entities::{event, evidence::EvidenceSource, notice, post};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sea_orm::{EntityTrait as _, QueryOrder as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{app::TestApp, eventually};

/// How long a delivery over loopback may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Less than any gap between two questions but the first ones.
const MOMENT: Duration = Duration::from_secs(2);

impl TestApp {
    /// Serves the product's routes and lets the simulator send its webhooks there.
    pub(crate) async fn open_door(&self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let token = CancellationToken::new;
        let router = clipqueue::http::router(&self.app, None, token(), token());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let url = format!("http://{address}{}", clipqueue::http::webhooks::PATH);
        self.sim
            .configure(|config| config.webhooks.url = Some(url.clone()));
    }

    /// Waits until the simulator has delivered everything that happened, `copies` times each.
    pub(crate) async fn delivered(&self, copies: usize) {
        eventually(PATIENCE, "TikTok's webhooks have arrived", async || {
            let hooks = self.sim.webhooks();
            let done = hooks
                .iter()
                .all(|hook| hook.delivered && hook.attempts.len() >= copies);
            done.then_some(())
        })
        .await;
    }

    /// The notices on record, in the order in which they came.
    async fn notices(&self) -> Vec<notice::Model> {
        notice::Entity::find()
            .order_by_asc(notice::Column::Id)
            .all(self.app.db.read())
            .await
            .unwrap()
    }

    /// The notices that a post's timeline tells of.
    async fn told(&self, post: &post::Model) -> Vec<event::Model> {
        let mut events = self.events(post.id).await;
        events.retain(|event| event.kind == "post.notice");
        events
    }

    /// How many proofs of a post are webhooks.
    async fn webhook_proofs(&self, post: &post::Model) -> usize {
        let proofs = self.evidence(post.id).await;
        proofs
            .iter()
            .filter(|proof| proof.source == EvidenceSource::TiktokWebhook)
            .count()
    }

    /// A notice of this app's, as TikTok writes it.
    fn notice_body(&self, event: &str, open_id: &str, at_s: i64, content: &Value) -> Vec<u8> {
        let body = json!({
            "client_key": self.app.config.tiktok.client_key,
            "event": event,
            "create_time": at_s,
            "user_openid": open_id,
            "content": content.to_string(),
        });
        body.to_string().into_bytes()
    }

    /// Takes in a signed notice about a publish, as the door would.
    pub(crate) async fn take_notice(&self, event: &str, open_id: &str, publish_id: &str) {
        let content = json!({ "publish_id": publish_id });
        let body = self.notice_body(event, open_id, self.now_s(), &content);
        let header = sign(clipqueue::config::DEMO_CLIENT_SECRET, self.now_s(), &body);
        clipqueue::domain::notices::take(&self.app, Some(&header), &body)
            .await
            .unwrap();
    }

    fn now_s(&self) -> i64 {
        self.clock.now().as_secs()
    }
}

/// The signature header of `body` signed at `t` with `secret`.
fn sign(secret: &str, t: i64, body: &[u8]) -> String {
    let mut mac = <Hmac<Sha256>>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{t}.").as_bytes());
    mac.update(body);
    format!("t={t},s={}", hex::encode(mac.finalize().into_bytes()))
}
