//! What belongs to the caller: accounts, files, posts, keys.

use async_graphql::{Context, ID, InputObject, Object, Result};
use clipqueue_entities::AccountId;

use crate::{
    domain::{
        accounts,
        actor::Scope,
        api_keys, creator,
        library::search,
        post_state, posting_budget,
        posts::{self, Page, PostFilter as Filter},
        preflight,
    },
    graphql::{
        cost,
        guard::{Needs, actor, app},
        ids::Global as _,
        pagination::{Connection, Paging, connect},
        restricted,
        types::{
            account::Account,
            api_key::ApiKey,
            creator::CreatorInfo,
            direct::DirectPostInput,
            media::{Media, MediaState},
            photos::PhotosInput,
            post::Post,
            post_state::{PostPhase, PostState},
            posting_budget::PostingBudget,
            preflight::Preflight,
        },
        user_error::raise,
    },
};

/// What a question to TikTok costs beside its fields.
const ASK_TIKTOK: usize = 10;
/// What counting a creator's budgets costs beside their fields.
const BUDGET: usize = 10;
/// The length of a list of keys or accounts that a cost assumes.
const SHORT_LIST: usize = 10;

/// What a list of posts is narrowed to. A field that is left out admits all.
#[derive(Clone, Debug, Default, InputObject)]
pub(crate) struct PostFilter {
    /// Only posts to this account.
    account_id: Option<ID>,
    /// Only posts in one of these states.
    states: Option<Vec<PostState>>,
    /// Only posts in this phase.
    phase: Option<PostPhase>,
    /// Only posts of this experiment.
    experiment_label: Option<String>,
    /// Only posts with this reference.
    upload_reference: Option<String>,
}

impl From<PostFilter> for Filter {
    fn from(filter: PostFilter) -> Self {
        let of_phase = filter
            .phase
            .map(|phase| post_state::states_of(phase.into()));
        let states = filter
            .states
            .map(|states| states.into_iter().map(Into::into).collect::<Vec<_>>());
        Self {
            account_id: filter.account_id.map(|id| AccountId::from_global(&id)),
            states: match (states, of_phase) {
                (Some(mut states), Some(of_phase)) => {
                    states.retain(|state| of_phase.contains(state));
                    Some(states)
                }
                (states, of_phase) => states.or(of_phase),
            },
            experiment_label: filter.experiment_label,
            upload_reference: filter.upload_reference,
            accounts: None,
        }
    }
}

/// What a list of files is narrowed to. A field that is left out admits all.
#[derive(Clone, Debug, Default, InputObject)]
pub(crate) struct MediaFilter {
    /// Only files in this folder; empty for the top.
    folder: Option<String>,
    /// With `folder`: the folders below it too.
    #[graphql(default)]
    below: bool,
    /// Only files with this label.
    label: Option<String>,
    /// Only files with this reference of yours.
    reference: Option<String>,
    /// Only files in one of these states.
    states: Option<Vec<MediaState>>,
    /// Only files with all of these words in their name, note, labels, folder or reference, in any case.
    search: Option<String>,
}

impl From<MediaFilter> for search::MediaFilter {
    fn from(filter: MediaFilter) -> Self {
        let states = filter.states;
        Self {
            folder: filter.folder,
            below: filter.below,
            label: filter.label,
            reference: filter.reference,
            states: states.map(|states| states.into_iter().map(Into::into).collect()),
            words: filter.search,
        }
    }
}

/// A post that is to be judged.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct PreflightInput {
    /// The creator's account.
    account_id: ID,
    /// The video. A post has either this or `photos`.
    media_id: Option<ID>,
    /// The photos. A post has either these or `mediaId`.
    photos: Option<PhotosInput>,
    /// The caption.
    #[graphql(default)]
    caption: String,
    /// The creator's choices for a direct post; an inbox draft when left out.
    direct: Option<DirectPostInput>,
}

impl From<PreflightInput> for preflight::Plan {
    fn from(input: PreflightInput) -> Self {
        use clipqueue_entities::MediaId;
        Self {
            account_id: AccountId::from_global(&input.account_id),
            media_id: input.media_id.as_ref().map(MediaId::from_global),
            photos: input.photos.map(Into::into),
            caption: input.caption,
            direct: input.direct.map(Into::into),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tenant;

#[Object]
impl Tenant {
    /// The connected TikTok accounts, oldest first. Needs the scope `accounts:read`.
    #[graphql(
        guard = "Needs(Scope::AccountsRead)",
        complexity = "cost::list(SHORT_LIST, child_complexity)"
    )]
    async fn tiktok_accounts(&self, ctx: &Context<'_>) -> Result<Vec<Account>> {
        let actor = actor(ctx)?;
        let rows = accounts::list(app(ctx), actor.user_id).await;
        let rows = rows.map_err(|error| raise("TikTok account", error))?;
        let rows = restricted::visible(actor, rows);
        Ok(rows.into_iter().map(Account).collect())
    }

    /// What TikTok says that a creator may choose; at most a minute old. Needs the scope
    /// `accounts:read`.
    #[graphql(
        guard = "Needs(Scope::AccountsRead)",
        complexity = "ASK_TIKTOK + child_complexity"
    )]
    async fn creator_info(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The creator's account.")] account_id: ID,
    ) -> Result<CreatorInfo> {
        let account = restricted::account(ctx, &account_id)?;
        let view = creator::view(app(ctx), actor(ctx)?.user_id, account).await;
        view.map(CreatorInfo)
            .map_err(|error| raise("TikTok account", error))
    }

    /// What TikTok still lets a creator do, and which posts wait for more. Needs the scope
    /// `posts:read`.
    #[graphql(
        guard = "Needs(Scope::PostsRead)",
        complexity = "BUDGET + child_complexity"
    )]
    async fn posting_budget(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The creator's account.")] account_id: ID,
    ) -> Result<PostingBudget> {
        let account = restricted::account(ctx, &account_id)?;
        let budget = posting_budget::of(app(ctx), actor(ctx)?.user_id, account).await;
        budget
            .map(PostingBudget)
            .map_err(|error| raise("TikTok account", error))
    }

    /// Uploaded files, newest first, those that are over included; one of them comes by `node`. Needs
    /// the scope `media:read`.
    #[graphql(
        guard = "Needs(Scope::MediaRead)",
        complexity = "cost::page(first, last, child_complexity)"
    )]
    async fn media(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the list is narrowed to.")] filter: Option<MediaFilter>,
        #[graphql(desc = "How many from the front; 1 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end; 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Media>> {
        let (app, user) = (app(ctx), actor(ctx)?.user_id);
        let filter = search::MediaFilter::from(filter.unwrap_or_default());
        connect(
            Paging {
                first,
                after,
                last,
                before,
            },
            |row| row.id,
            Media,
            |span| search::list(app, user, &filter, span.cursor, span.backward, span.limit),
            |error| raise("Media", error),
        )
        .await
    }

    /// Posts, newest first. Needs the scope `posts:read`.
    #[graphql(
        guard = "Needs(Scope::PostsRead)",
        complexity = "cost::page(first, last, child_complexity)"
    )]
    async fn posts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the list is narrowed to.")] filter: Option<PostFilter>,
        #[graphql(desc = "How many from the front; 1 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end; 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Post>> {
        let mut filter = Filter::from(filter.unwrap_or_default());
        let actor = actor(ctx)?;
        filter.accounts.clone_from(&actor.accounts);
        filter.account_id = filter.account_id.map(|id| restricted::seen(actor, id));
        post_page(
            ctx,
            &filter,
            Paging {
                first,
                after,
                last,
                before,
            },
        )
        .await
    }

    /// Everything that can be known about a post before it is made, without writing anything. Needs
    /// the scope `posts:read`.
    #[graphql(
        guard = "Needs(Scope::PostsRead)",
        complexity = "ASK_TIKTOK + child_complexity"
    )]
    async fn preflight(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post that is to be judged.")] input: PreflightInput,
    ) -> Result<Preflight> {
        let actor = actor(ctx)?;
        let mut plan: preflight::Plan = input.into();
        plan.account_id = restricted::seen(actor, plan.account_id);
        let checks = preflight::checks(app(ctx), actor, &plan).await;
        let checks = checks.map_err(|error| raise("Preflight", error))?;
        Ok(checks.into())
    }

    /// The user's API keys, newest first, revoked ones included. Needs the scope `keys:admin`.
    #[graphql(
        guard = "Needs(Scope::KeysAdmin)",
        complexity = "cost::list(SHORT_LIST, child_complexity)"
    )]
    async fn api_keys(&self, ctx: &Context<'_>) -> Result<Vec<ApiKey>> {
        let rows = api_keys::list(app(ctx), actor(ctx)?.user_id).await;
        let rows = rows.map_err(|error| raise("API key", error))?;
        Ok(rows.into_iter().map(ApiKey).collect())
    }
}

async fn post_page(ctx: &Context<'_>, filter: &Filter, paging: Paging) -> Result<Connection<Post>> {
    let (app, user) = (app(ctx), actor(ctx)?.user_id);
    let fail = |error| raise("TikTok account", error);
    if let Some(account) = filter.account_id {
        // Somebody else's account must not look like an account without posts.
        accounts::get(app.db.read(), user, account)
            .await
            .map_err(fail)?;
    }
    let fetch = |span: crate::graphql::pagination::Span<_>| {
        let (after, before) = span.ends();
        let page = Page {
            after,
            before,
            limit: span.limit,
            backward: span.backward,
        };
        posts::list(app, user, filter, page)
    };
    connect(paging, |row| row.id, Post, fetch, fail).await
}
