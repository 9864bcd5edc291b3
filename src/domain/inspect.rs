//! What operators read besides jobs and queues: one post with everything that is on record about it,
//! the posts that somebody should look at, and the crons.
//!
//! Reads only, across tenants, in bounded work. Captions, tokens and upload addresses are no part of
//! what is given, but for the rows that hold them; a caller shows what an operator needs.

use std::collections::HashMap;

use clipqueue_entities::{
    AccountId, JobId, PostId, UserId, account, event, evidence, job,
    post::{self, PostState},
    post_attempt, user,
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select, sea_query::Expr,
};

use super::error::{Error, Result};
use crate::{
    app::App,
    job::Jobs,
    queue::ledger::{CronStatus, JobFilter, PageRequest},
};

/// Events, and proofs, of a post that are given; the newest ones.
pub const MAX_RECORD: u64 = 500;
/// Jobs of a post's account among which those of the post are looked for.
const JOBS_LOOKED_AT: u64 = 200;
/// Slots of each cron that are given.
const SLOTS: u64 = 10;
/// Counting stops here.
pub const COUNT_CAP: u64 = 1000;

/// Everything on record about a post.
#[derive(Clone, Debug)]
pub struct PostRecord {
    /// The post.
    pub post: post::Model,
    /// The creator's account.
    pub account: account::Model,
    /// The tenant's name.
    pub user_name: String,
    /// Attempts, first to last.
    pub attempts: Vec<post_attempt::Model>,
    /// Events, oldest first.
    pub events: Vec<event::Model>,
    /// Proofs, oldest first.
    pub evidence: Vec<evidence::Model>,
    /// Jobs, newest first, as far as they are among the newest of the account.
    pub jobs: Vec<job::Model>,
}

/// One post with its record.
pub async fn post(app: &App, id: PostId) -> Result<PostRecord> {
    let db = app.db.read();
    let post = post::Entity::find_by_id(id)
        .one(db)
        .await?
        .ok_or(Error::NotFound)?;
    let account = account::Entity::find_by_id(post.account_id)
        .one(db)
        .await?
        .ok_or(Error::NotFound)?;
    let user = user::Entity::find_by_id(post.user_id)
        .one(db)
        .await?
        .ok_or(Error::NotFound)?;
    let mut events = event::Entity::find()
        .filter(event::Column::UserId.eq(post.user_id))
        .filter(event::Column::PostId.eq(id))
        .order_by_desc(event::Column::Seq)
        .limit(MAX_RECORD)
        .all(db)
        .await?;
    events.reverse();
    let mut evidence = evidence::Entity::find()
        .filter(evidence::Column::PostId.eq(id))
        .order_by_desc(evidence::Column::Id)
        .limit(MAX_RECORD)
        .all(db)
        .await?;
    evidence.reverse();
    Ok(PostRecord {
        attempts: super::attempts::list(db, id).await?,
        jobs: jobs_of(app, post.account_id, id).await?,
        post,
        account,
        user_name: user.name,
        events,
        evidence,
    })
}

/// Jobs that are about a post, among the newest of its account.
async fn jobs_of(app: &App, account: AccountId, id: PostId) -> Result<Vec<job::Model>> {
    let filter = JobFilter {
        lane: Some(account.to_string()),
        ..JobFilter::default()
    };
    let page = PageRequest {
        limit: JOBS_LOOKED_AT,
        after: None,
        before: None,
    };
    let id = id.to_string();
    let mut jobs = app.queue.jobs(&filter, page).await?.jobs;
    jobs.retain(|job| job.args.get("post_id").and_then(|arg| arg.as_str()) == Some(&id));
    Ok(jobs)
}

/// Whether a job of that id exists.
pub async fn is_job(app: &App, id: JobId) -> Result<bool> {
    Ok(app.queue.job(id).await?.is_some())
}

/// Whether a post of that id exists.
pub async fn is_post(app: &App, id: PostId) -> Result<bool> {
    Ok(post::Entity::find_by_id(id).count(app.db.read()).await? == 1)
}

/// States of posts that somebody should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attention {
    /// Waits for a person or a cap.
    Held,
    /// May or may not exist at TikTok.
    Unconfirmed,
    /// Over, and nothing was posted.
    Failed,
}

impl Attention {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Held, Self::Unconfirmed, Self::Failed];

    /// The state.
    pub const fn state(self) -> PostState {
        match self {
            Self::Held => PostState::Held,
            Self::Unconfirmed => PostState::Unconfirmed,
            Self::Failed => PostState::Failed,
        }
    }

    /// Posts of that state, by their own index.
    fn select(self) -> Select<post::Entity> {
        post::Entity::find()
            .filter(post::Column::State.eq(self.state()))
            // Says to the planner that the partial index applies.
            .filter(Expr::cust("state IN ('held', 'unconfirmed', 'failed')"))
    }
}

/// A post in a list, with the names that tell whose it is.
#[derive(Clone, Debug)]
pub struct PostLine {
    /// The post.
    pub post: post::Model,
    /// The account's name at TikTok.
    pub username: Option<String>,
    /// The tenant's name.
    pub user_name: Option<String>,
}

/// Posts, newest first: at most `limit` behind `cursor`, or before it when `backward`. Of one state,
/// or all.
pub async fn posts(
    app: &App,
    state: Option<Attention>,
    cursor: Option<PostId>,
    backward: bool,
    limit: u64,
) -> Result<Vec<PostLine>> {
    let mut query = state.map_or_else(post::Entity::find, Attention::select);
    if let Some(cursor) = cursor {
        query = query.filter(if backward {
            post::Column::Id.gt(cursor)
        } else {
            post::Column::Id.lt(cursor)
        });
    }
    query = if backward {
        query.order_by_asc(post::Column::Id)
    } else {
        query.order_by_desc(post::Column::Id)
    };
    let mut posts = query.limit(limit).all(app.db.read()).await?;
    if backward {
        posts.reverse();
    }
    named(app, posts).await
}

async fn named(app: &App, posts: Vec<post::Model>) -> Result<Vec<PostLine>> {
    let accounts: HashMap<AccountId, Option<String>> = account::Entity::find()
        .filter(account::Column::Id.is_in(posts.iter().map(|post| post.account_id)))
        .all(app.db.read())
        .await?
        .into_iter()
        .map(|account| (account.id, account.username))
        .collect();
    let users: HashMap<UserId, String> = user::Entity::find()
        .filter(user::Column::Id.is_in(posts.iter().map(|post| post.user_id)))
        .all(app.db.read())
        .await?
        .into_iter()
        .map(|user| (user.id, user.name))
        .collect();
    Ok(posts
        .into_iter()
        .map(|post| PostLine {
            username: accounts.get(&post.account_id).cloned().flatten(),
            user_name: users.get(&post.user_id).cloned(),
            post,
        })
        .collect())
}

/// How many posts somebody should look at, and how many are overdue; each at most [`COUNT_CAP`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concerns {
    /// By state.
    pub states: Vec<(Attention, u64)>,
    /// Posts whose state has lasted longer than it may.
    pub overdue: u64,
}

/// Counts what somebody should look at.
pub async fn concerns(app: &App) -> Result<Concerns> {
    let mut states = Vec::new();
    for state in Attention::ALL {
        states.push((state, capped(app, state.select()).await?));
    }
    let overdue = post::Entity::find().filter(post::Column::DeadlineAt.lt(app.clock.now()));
    Ok(Concerns {
        states,
        overdue: capped(app, overdue).await?,
    })
}

async fn capped(app: &App, posts: Select<post::Entity>) -> Result<u64> {
    let ids: Vec<PostId> = posts
        .select_only()
        .column(post::Column::Id)
        .limit(COUNT_CAP)
        .into_tuple()
        .all(app.db.read())
        .await?;
    Ok(ids.len() as u64)
}

/// The crons, each with its newest slots.
pub async fn crons(app: &App) -> Result<Vec<CronStatus>> {
    let catalogue = Jobs::new(&app.config.queue);
    let crons = app.queue.crons(&catalogue, SLOTS).await;
    Ok(crons.map_err(anyhow::Error::from)?)
}
