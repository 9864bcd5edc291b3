//! Posts.

use async_graphql::{Context, ID, Object, Result};
use clipqueue_entities::post::{self, PostMode as Mode};

use super::{
    account::Account,
    attempt::Attempt,
    direct::DirectPostSettings,
    event::Event,
    media::Media,
    post_parts::{CaptionHandoff, Consent, NextAction, PostFailure, Progress},
    post_state::{PostMode, PostPhase, PostState},
};
use crate::{
    domain::{actor::Scope, next_action, post_history, posts},
    graphql::{
        cost,
        guard::{Needs, app},
        ids::Global as _,
        loaders::{AttemptsOf, load},
        pagination::{Connection, Paging, connect},
        scalars::{DateTime, Url},
        user_error::raise,
    },
};

#[derive(Clone, Debug)]
pub(crate) struct Post(pub(crate) post::Model);

/// One video on its way to one TikTok account.
#[Object]
impl Post {
    /// The id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_global()
    }

    /// The creator's account. Needs the scope `accounts:read`.
    #[graphql(guard = "Needs(Scope::AccountsRead)")]
    async fn account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        let row = load(ctx, self.0.user_id, self.0.account_id).await?;
        Ok(row.map(Account))
    }

    /// The id of the creator's account.
    async fn account_id(&self) -> ID {
        self.0.account_id.to_global()
    }

    /// The video. Needs the scope `media:read`.
    #[graphql(guard = "Needs(Scope::MediaRead)")]
    async fn media(&self, ctx: &Context<'_>) -> Result<Option<Media>> {
        let row = load(ctx, self.0.user_id, self.0.media_id).await?;
        Ok(row.map(Media))
    }

    /// The id of the video.
    async fn media_id(&self) -> ID {
        self.0.media_id.to_global()
    }

    /// How it reaches TikTok.
    async fn mode(&self) -> PostMode {
        self.0.mode.into()
    }

    /// The caption.
    async fn caption(&self) -> &str {
        &self.0.caption
    }

    /// The caption for the creator to take along; null for a direct post, whose caption TikTok takes
    /// itself.
    async fn caption_handoff(&self) -> Option<CaptionHandoff> {
        (self.0.mode == Mode::Inbox).then(|| (&self.0).into())
    }

    /// The creator's choices; null for an inbox post, where the creator chooses in the TikTok app.
    async fn direct(&self) -> Result<Option<DirectPostSettings>> {
        let settings = posts::direct_settings(&self.0).map_err(|error| raise("Post", error))?;
        Ok(settings.map(DirectPostSettings::from))
    }

    /// The creator's agreement to TikTok's text; null for an inbox post and before the agreement.
    async fn consent(&self) -> Option<Consent> {
        Consent::of(&self.0)
    }

    /// A label that joins posts of one experiment.
    async fn experiment_label(&self) -> Option<&str> {
        self.0.experiment_label.as_deref()
    }

    /// The caller's own reference.
    async fn upload_reference(&self) -> Option<&str> {
        self.0.upload_reference.as_deref()
    }

    /// When it should go; at once, when null.
    async fn publish_at(&self) -> Option<DateTime> {
        self.0.publish_at.map(DateTime)
    }

    /// Where it stands.
    async fn state(&self) -> PostState {
        self.0.state.into()
    }

    /// Since when it stands there.
    async fn state_since(&self) -> DateTime {
        self.0.state_since.into()
    }

    /// The state in four words.
    async fn phase(&self) -> PostPhase {
        posts::phase(&self.0).into()
    }

    /// When the state counts as overdue and is settled by itself; null for final states.
    async fn deadline_at(&self) -> Option<DateTime> {
        self.0.deadline_at.map(DateTime)
    }

    /// Why it is HELD, as a word: `reauth_required`, `scope_missing`, `pending_drafts_cap`,
    /// `creator_cap`, `app_user_cap`. More may come.
    async fn hold_reason(&self) -> Option<&str> {
        self.0.hold_reason.as_deref()
    }

    /// When a HELD post is tried again by itself; null when somebody must act first.
    async fn hold_until(&self) -> Option<DateTime> {
        self.0.hold_until.map(DateTime)
    }

    /// Why it FAILED.
    async fn failure(&self) -> Option<PostFailure> {
        PostFailure::of(&self.0)
    }

    /// Whether somebody asked for it to be stopped; it ends CANCELLED unless TikTok has it whole.
    async fn cancel_requested(&self) -> bool {
        self.0.cancel_requested
    }

    /// How much of the video TikTok has taken in the current attempt.
    async fn progress(&self) -> Progress {
        (&self.0).into()
    }

    /// Who must act next, and how; null when it has ended well or for good.
    async fn next_action(&self, ctx: &Context<'_>) -> Result<Option<NextAction>> {
        let account = load(ctx, self.0.user_id, self.0.account_id).await?;
        let action = account.and_then(|account| next_action::next_action(&self.0, &account));
        Ok(action.map(NextAction::from))
    }

    /// What was sent of it to TikTok, first to last.
    #[graphql(complexity = "cost::list(2, child_complexity)")]
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<Attempt>> {
        let rows = load(ctx, self.0.user_id, AttemptsOf(self.0.id)).await?;
        Ok(rows.unwrap_or_default().into_iter().map(Attempt).collect())
    }

    /// What happened to it, oldest first, each change with its proof.
    #[graphql(complexity = "cost::page(first, last, child_complexity)")]
    async fn timeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many events from the front; 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only events behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many events from the end; 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only events before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Event>> {
        let (app, user, post) = (app(ctx), self.0.user_id, self.0.id);
        connect(
            Paging {
                first,
                after,
                last,
                before,
            },
            |row| row.seq,
            Event,
            |span| post_history::timeline(app, user, post, span.cursor, span.backward, span.limit),
            |error| raise("Post", error),
        )
        .await
    }

    /// TikTok's ids of the posts that became of it: one, or several when a creator posts a draft more
    /// than once. Ids have 64 bits, so they are strings.
    async fn tiktok_post_ids(&self) -> Vec<&str> {
        let ids = self.0.tiktok_post_ids.as_array();
        ids.into_iter()
            .flatten()
            .filter_map(|id| id.as_str())
            .collect()
    }

    /// The address of the post at TikTok, when known.
    async fn share_url(&self) -> Option<Url> {
        self.0.share_url.clone().map(Url)
    }

    /// Grows with each edit; give it to `updatePost` as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }
}
