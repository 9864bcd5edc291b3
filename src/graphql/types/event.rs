//! Events of posts, and the proofs behind them.

use async_graphql::{Context, Enum, ID, Object, Result};
use clipqueue_entities::{PostId, event, evidence};

use super::{post::Post, post_state::PostState};
use crate::{
    domain::{actor::Scope, post_change},
    graphql::{
        guard::Needs,
        ids::Global as _,
        loaders::load,
        pagination::cursor,
        scalars::{BigInt, DateTime},
    },
};

/// Who told Clipqueue. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::evidence::EvidenceSource")]
pub(crate) enum EvidenceSource {
    /// TikTok, by its answer to a call.
    TiktokApi,
    /// TikTok, by a signed webhook.
    TiktokWebhook,
    /// The creator, or the front end on the creator's behalf.
    Creator,
    /// Whoever runs this installation.
    Operator,
    /// Clipqueue's own observation, such as a deadline that passed.
    Clipqueue,
}

#[derive(Clone, Debug)]
pub(crate) struct Evidence(evidence::Model);

/// The proof behind a change.
#[Object]
impl Evidence {
    /// Who told.
    async fn source(&self) -> EvidenceSource {
        self.0.source.into()
    }

    /// The call or request, such as `publish.status` or `createPost`.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The HTTP status of TikTok's answer.
    async fn http_status(&self) -> Option<i32> {
        self.0.http_status
    }

    /// TikTok's code; `ok` for a success.
    async fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// TikTok's log id, which its support asks for.
    async fn log_id(&self) -> Option<&str> {
        self.0.log_id.as_deref()
    }

    /// When it was learnt.
    async fn recorded_at(&self) -> DateTime {
        self.0.created_at.into()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Event(pub(crate) event::Model);

impl Event {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.data.get(name)?.as_str()
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.0.data.get(name)?.as_i64()
    }

    fn state(&self, name: &str) -> Option<PostState> {
        post_change::state_of(self.text(name)?).map(PostState::from)
    }
}

/// One thing that happened to a post.
#[Object(name = "PostEvent")]
impl Event {
    /// Its place among the events; give it to `postEvents` as `after` to go on behind it. Opaque.
    async fn cursor(&self) -> String {
        cursor(self.0.seq)
    }

    /// What happened, as a dotted word: `post.created`, `post.edited`, `post.state`,
    /// `post.progress`, `post.notice` (TikTok told something by a webhook), `post.suggestion` (a video
    /// may be the post), `post.video_parted` (a video turned out to be another post's),
    /// `post.photos_fetched`, `post.waiting`. More may come.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The id of the post.
    async fn post_id(&self) -> Option<ID> {
        self.0.post_id.map(|id: PostId| id.to_global())
    }

    /// The post as it is now. Needs the scope `posts:read`.
    #[graphql(guard = "Needs(Scope::PostsRead)")]
    async fn post(&self, ctx: &Context<'_>) -> Result<Option<Post>> {
        let Some(id) = self.0.post_id else {
            return Ok(None);
        };
        Ok(load(ctx, self.0.user_id, id).await?.map(Post))
    }

    /// The state that it left, when the state changed.
    async fn from(&self) -> Option<PostState> {
        self.state("from")
    }

    /// The state that it came into.
    async fn to(&self) -> Option<PostState> {
        self.state("to")
    }

    /// Why it is held, as a word.
    async fn reason(&self) -> Option<&str> {
        self.text("reason")
    }

    /// The code of the failure, or of why it was MISSED.
    async fn code(&self) -> Option<&str> {
        self.text("code")
    }

    /// A sentence about the failure, or about a time that was missed: what happened and what to do.
    async fn message(&self) -> Option<&str> {
        self.text("message")
    }

    /// TikTok's name of what its webhook told, for `post.notice`.
    async fn notice(&self) -> Option<&str> {
        self.text("notice")
    }

    /// TikTok's id of the video that it is about, for `post.notice`, `post.suggestion` and
    /// `post.video_parted`.
    async fn video_id(&self) -> Option<&str> {
        self.text("video_id")
    }

    /// Bytes that TikTok had acknowledged, for `post.progress`.
    async fn bytes_sent(&self) -> Option<BigInt> {
        self.number("bytes_sent").map(BigInt)
    }

    /// All bytes of the video, for `post.progress`.
    async fn bytes_total(&self) -> Option<BigInt> {
        self.number("bytes_total").map(BigInt)
    }

    /// The proof; null for what needs none.
    async fn evidence(&self, ctx: &Context<'_>) -> Result<Option<Evidence>> {
        let Some(id) = self.0.evidence_id else {
            return Ok(None);
        };
        Ok(load(ctx, self.0.user_id, id).await?.map(Evidence))
    }

    /// When it happened.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
}
