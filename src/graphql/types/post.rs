//! Posts.

use async_graphql::{Context, ID, Object, Result};
use clipqueue_entities::post::{self, PostKind as Kind, PostMode as Mode};

use super::{
    account::Account,
    attempt::Attempt,
    direct::DirectPostSettings,
    event::Event,
    media::Media,
    photos::PostPhoto,
    post_parts::{CaptionHandoff, Consent, NextAction, PostFailure, Progress},
    post_state::{PostKind, PostMode, PostPhase, PostState},
    post_video::PostVideo,
    posting_budget::{PLACE, PostWait},
    when::{PostLateRule, PostLocalTime},
};
use crate::{
    domain::{actor::Scope, next_action, post_history, posts},
    graphql::{
        cost,
        guard::{Needs, app},
        ids::Global as _,
        loaders::{AttemptsOf, PhotosOf, VideosOf, load},
        pagination::{Connection, Paging, connect},
        scalars::{DateTime, Url},
        user_error::raise,
    },
};

#[derive(Clone, Debug)]
pub(crate) struct Post(pub(crate) post::Model);

/// One video, or some photos, on the way to one TikTok account.
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

    /// The video, or the first photo. Needs the scope `media:read`.
    #[graphql(guard = "Needs(Scope::MediaRead)")]
    async fn media(&self, ctx: &Context<'_>) -> Result<Option<Media>> {
        let row = load(ctx, self.0.user_id, self.0.media_id).await?;
        Ok(row.map(Media))
    }

    /// The id of the video, or of the first photo.
    async fn media_id(&self) -> ID {
        self.0.media_id.to_global()
    }

    /// What is posted.
    async fn kind(&self) -> PostKind {
        self.0.kind.into()
    }

    /// The photos in order; empty for a video.
    #[graphql(complexity = "cost::list(10, child_complexity)")]
    async fn photos(&self, ctx: &Context<'_>) -> Result<Vec<PostPhoto>> {
        if self.0.kind != Kind::Photo {
            return Ok(Vec::new());
        }
        let rows = load(ctx, self.0.user_id, PhotosOf(self.0.id)).await?;
        let of = |row: clipqueue_entities::post_photo::Model| PostPhoto {
            user: self.0.user_id,
            cover: Some(row.position) == self.0.cover_index,
            row,
        };
        Ok(rows.unwrap_or_default().into_iter().map(of).collect())
    }

    /// The title of photos.
    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// Whether TikTok adds music to photos; null for a video and for a draft.
    async fn auto_add_music(&self) -> Option<bool> {
        self.0.auto_add_music
    }

    /// How it reaches TikTok.
    async fn mode(&self) -> PostMode {
        self.0.mode.into()
    }

    /// The caption, which TikTok calls the description of photos.
    async fn caption(&self) -> &str {
        &self.0.caption
    }

    /// The caption for the creator to take along; null for a direct post and for photos, whose caption
    /// TikTok takes itself.
    async fn caption_handoff(&self) -> Option<CaptionHandoff> {
        (self.0.mode == Mode::Inbox && self.0.kind == Kind::Video).then(|| (&self.0).into())
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

    /// Which variant of that experiment it is.
    async fn experiment_variant(&self) -> Option<&str> {
        self.0.experiment_variant.as_deref()
    }

    /// The caller's own reference.
    async fn upload_reference(&self) -> Option<&str> {
        self.0.upload_reference.as_deref()
    }

    /// When it should go; at once, when null.
    async fn publish_at(&self) -> Option<DateTime> {
        self.0.publish_at.map(DateTime)
    }

    /// The local time that `publishAt` was made of; null when it was given as an instant.
    async fn publish_at_local(&self) -> Result<Option<PostLocalTime>> {
        PostLocalTime::of(&self.0).map_err(|error| raise("Post", error))
    }

    /// What becomes of it when it cannot be sent at its time.
    async fn late(&self, ctx: &Context<'_>) -> PostLateRule {
        PostLateRule::of(&self.0, app(ctx).config.posts.late_limit.as_secs())
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
    /// `creator_cap`, `app_user_cap`, `url_unverified`, `late`. More may come.
    async fn hold_reason(&self) -> Option<&str> {
        self.0.hold_reason.as_deref()
    }

    /// When a HELD post is tried again by itself; null when somebody must act first.
    async fn hold_until(&self) -> Option<DateTime> {
        self.0.hold_until.map(DateTime)
    }

    /// Why it FAILED or was MISSED, and what to do.
    async fn failure(&self) -> Option<PostFailure> {
        PostFailure::of(&self.0)
    }

    /// Whether somebody asked for it to be stopped; it ends CANCELLED unless TikTok has it whole.
    async fn cancel_requested(&self) -> bool {
        self.0.cancel_requested
    }

    /// How much of the video or the photos TikTok has taken in the current attempt.
    async fn progress(&self) -> Progress {
        (&self.0).into()
    }

    /// Who must act next, and how; null when it has ended well or for good.
    async fn next_action(&self, ctx: &Context<'_>) -> Result<Option<NextAction>> {
        let account = load(ctx, self.0.user_id, self.0.account_id).await?;
        let action = account.and_then(|account| next_action::next_action(&self.0, &account));
        Ok(action.map(NextAction::from))
    }

    /// Why it does not go although it is due, until when, and in which place; null when it waits for
    /// nothing but its time.
    #[graphql(complexity = "PLACE + child_complexity")]
    async fn waits_for(&self, ctx: &Context<'_>) -> Result<Option<PostWait>> {
        PostWait::of(ctx, &self.0).await
    }

    /// What was sent of it to TikTok, first to last.
    #[graphql(complexity = "cost::list(2, child_complexity)")]
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<Attempt>> {
        let rows = load(ctx, self.0.user_id, AttemptsOf(self.0.id)).await?;
        let attempt = |row| Attempt(row, self.0.user_id);
        Ok(rows.unwrap_or_default().into_iter().map(attempt).collect())
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

    /// The videos at TikTok that it became, and, while nobody knows which, those that it may have become.
    #[graphql(complexity = "cost::list(2, child_complexity)")]
    async fn videos(&self, ctx: &Context<'_>) -> Result<Vec<PostVideo>> {
        let rows = load(ctx, self.0.user_id, VideosOf(self.0.id)).await?;
        Ok(rows
            .unwrap_or_default()
            .into_iter()
            .map(PostVideo)
            .collect())
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
