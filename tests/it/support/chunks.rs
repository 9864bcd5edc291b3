//! Uploads in small chunks, begun as a worker that then died would leave them.

use std::{sync::OnceLock, time::Duration};

use clipqueue::domain::attempts;
use clipqueue_entities::{job::JobState, post};

use super::{app::TestApp, flows::long_clip};

/// A file of three chunks of the smallest size that TikTok takes.
pub(crate) fn three_chunks() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| long_clip(3 * SMALL_CHUNK + 1_000))
}

/// TikTok's smallest chunk.
pub(crate) const SMALL_CHUNK: usize = 5_242_880;

impl TestApp {
    /// Uploads a file of three chunks and begins its post with small chunks, as a worker that then died
    /// would leave it: UPLOADING, with an open attempt, and a job that is due.
    pub(crate) async fn begin_three_chunks(&mut self, caption: &str) -> post::Model {
        let account = self.connect("creator").await;
        let media = self.upload_bytes(three_chunks()).await;
        let post = self.post(Self::captioned(account.id, media, caption)).await;
        self.begin_small_chunks(post).await
    }

    async fn begin_small_chunks(&mut self, post: post::Model) -> post::Model {
        use clipqueue::domain::{
            post_change::{Change, Evidence},
            post_state::PostEvent,
            tokens,
        };
        let app = self.app.clone();
        let mut steps = self.steps();
        steps.relay().await.unwrap();
        let mut held = steps.fetch(10).await.unwrap();
        let held = held.remove(0);
        assert_eq!(held.job().kind, "upload_post");
        let lease = held.lease();
        let tx = attempts::fenced(&app, &lease).await.unwrap();
        let started = Change::new(PostEvent::Started, Evidence::own("test"));
        let post = attempts::close(&app, tx, post, "test", None, started)
            .await
            .unwrap();
        let chunk = SMALL_CHUNK as u64;
        let plan = tiktok::ChunkPlan::restore(three_chunks().len() as u64, chunk, 3).unwrap();
        let (post, attempt) = attempts::begin(&app, &lease, post, &plan).await.unwrap();
        let account = clipqueue::domain::accounts::for_worker(&app, post.account_id)
            .await
            .unwrap();
        let usable = tokens::usable(&app, &account, Duration::ZERO)
            .await
            .unwrap();
        app.tiktok.creator_info(&usable.token).await.unwrap();
        let answer = app
            .tiktok
            .init_video(
                &usable.token,
                &tiktok::publish::VideoPost {
                    title: Some(post.caption.clone()),
                    privacy_level: tiktok::PrivacyLevel::PublicToEveryone,
                    disable_duet: true,
                    disable_stitch: true,
                    disable_comment: false,
                    cover_timestamp_ms: None,
                    disclosure: tiktok::publish::Disclosure {
                        branded_content: false,
                        own_brand: false,
                    },
                    is_aigc: false,
                },
                &tiktok::publish::VideoSource::FileUpload(plan),
            )
            .await
            .unwrap();
        let evidence = Evidence::answer("publish.init", &answer, serde_json::json!({}));
        let url = answer.value.upload_url.unwrap();
        let publish_id = answer.value.publish_id;
        let (post, _) =
            attempts::accepted(&app, &lease, post, &attempt, &publish_id, &url, evidence)
                .await
                .unwrap();
        let snoozed = Ok(clipqueue::queue::Outcome::Snooze(Duration::ZERO));
        assert_eq!(steps.end(held, snoozed).await, Some(JobState::Scheduled));
        post
    }
}
