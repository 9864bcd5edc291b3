//! What people do while a post is on its way, on a daemon that may die meanwhile: each act is
//! repeated by the same key until it was answered.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{client::Client, world::World},
    story::Story,
};

/// How long a person waits before they look at the profile. The addresses of photos have ended by
/// then, and the product has had its say.
const PATIENCE: Duration = Duration::from_secs(3 * 3600);
/// What an edit writes.
const EDITED: &str = "A movie, edited";

/// The people of a run.
pub(super) struct Hand {
    story: Story,
    key: String,
    done: usize,
    /// The state in which the post was seen last.
    pub(super) state: String,
    /// Since when, by the steps of the clocks.
    waited: Duration,
}

/// Something that somebody does.
#[derive(Clone, Debug)]
enum Act {
    Edit,
    Cancel,
    Retry,
    Say { posted: bool, video: Value },
    FinishDraft(String),
    TakeJob,
}

impl Hand {
    pub(super) fn new(story: Story, key: &str) -> Self {
        Self {
            story,
            key: key.to_owned(),
            done: 0,
            state: String::new(),
            waited: Duration::ZERO,
        }
    }

    /// The clocks were set forward.
    pub(super) fn waited(&mut self, by: Duration) {
        self.waited += by;
    }

    /// Looks at the post, and does what is to be done now. An answer may fail to come.
    pub(super) async fn lend(
        &mut self,
        world: &World,
        client: &Client,
        post: &str,
    ) -> Result<Value, String> {
        let seen = client.try_look(post).await?;
        let state = seen["state"].as_str().unwrap();
        if self.state != state {
            state.clone_into(&mut self.state);
            self.waited = Duration::ZERO;
        }
        if let Some(act) = self.due(world, &seen).await {
            self.carry_out(world, client, post, &seen, act).await?;
            self.done += 1;
        }
        Ok(seen)
    }

    async fn due(&self, world: &World, seen: &Value) -> Option<Act> {
        match (self.story, self.done, &*self.state) {
            (Story::ChangedMind, 0, "SCHEDULED") => Some(Act::Edit),
            (Story::ChangedMind, 1, "SCHEDULED" | "CANCELLED")
            | (Story::Stopped, 0, "PROCESSING") => Some(Act::Cancel),
            (Story::ChangedMind, 2, "CANCELLED") => Some(Act::Retry),
            (Story::Told, 0, _) => {
                let inits = world.sim.inits("creator").await;
                let draft = inits.into_iter().find(|init| init.stage == "inbox");
                draft.map(|draft| Act::FinishDraft(draft.publish_id))
            }
            (Story::Doubted, 0, "UNCONFIRMED") => {
                let video = seen["videos"].get(0)?["videoId"].clone();
                Some(Act::Say {
                    posted: true,
                    video,
                })
            }
            (Story::JobLost, 0, "INIT_SENT") => world.sim.has_hit().await.then_some(Act::TakeJob),
            (Story::Photos | Story::PhotosLost | Story::JobLost, _, "FAILED") => Some(Act::Retry),
            (Story::Photos | Story::PhotosLost | Story::JobLost, _, "UNCONFIRMED") => {
                let posted = !world.sim.published("creator").await.is_empty();
                let video = Value::Null;
                (self.waited >= PATIENCE).then_some(Act::Say { posted, video })
            }
            _ => None,
        }
    }

    async fn carry_out(
        &self,
        world: &World,
        client: &Client,
        post: &str,
        seen: &Value,
        act: Act,
    ) -> Result<(), String> {
        let key = format!("{}-{}", self.key, self.done);
        match act {
            Act::Edit if seen["caption"] == EDITED => Ok(()),
            Act::Edit => {
                let input = json!({
                    "id": post,
                    "expectedVersion": seen["version"],
                    "changes": { "caption": EDITED },
                });
                client
                    .try_change("updatePost", "UpdatePostInput", input)
                    .await
            }
            // TikTok is asked once, and then it is too late to want it again.
            Act::Cancel if seen["cancelRequested"] == true => Ok(()),
            Act::Cancel => {
                let input = json!({ "id": post });
                client
                    .try_change("cancelPost", "CancelPostInput", input)
                    .await
            }
            Act::Retry => {
                let input = json!({ "id": post, "idempotencyKey": key });
                client
                    .try_change("retryPost", "RetryPostInput", input)
                    .await
            }
            Act::Say { posted, video } => {
                let input = json!({
                    "id": post,
                    "idempotencyKey": key,
                    "posted": posted,
                    "videoId": video,
                });
                client
                    .try_change("confirmPost", "ConfirmPostInput", input)
                    .await
            }
            Act::FinishDraft(publish_id) => {
                world.sim.finish_draft(&publish_id).await;
                Ok(())
            }
            Act::TakeJob => {
                // What another process does that takes the job for abandoned.
                world
                    .damage("UPDATE jobs SET fence = fence + 1 WHERE kind = 'upload_post' AND state = 'running'")
                    .await;
                Ok(())
            }
        }
    }
}
