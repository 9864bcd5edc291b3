//! TikTok's caps of a day: posts of a creator, drafts in a creator's inbox, creators of the app.
//!
//! | cap | limit | whose | learned from |
//! | --- | --- | --- | --- |
//! | `posts_per_day` | about 15, known to TikTok alone; or `tiktok.posts_per_day` | the creator's | `spam_risk_too_many_posts` |
//! | `pending_drafts` | `tiktok.pending_drafts`, five | the creator's | `spam_risk_too_many_pending_share` |
//! | `creators_per_day` | five without an audit, else `tiktok.creators_per_day` | the app's | `reached_active_user_cap` |
//!
//! Counts come from the attempts, which are the truth; corrections from [`marks`]. The arithmetic is
//! [`window`]. Limits of a minute are counted elsewhere, in [`crate::calls`].

pub mod marks;
mod rows;
pub mod window;

use clipqueue_entities::{
    AccountId, Timestamp,
    post::{self, PostMode},
};
use tiktok::limits::{CAP_WINDOW, UNAUDITED_CREATORS_PER_DAY};

use self::window::Cap;
use super::error::Result;
use crate::app::App;

/// A cap by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// Direct posts of one creator within a day.
    PostsPerDay,
    /// Drafts that one creator has not finished, of a day.
    PendingDrafts,
    /// Creators with a direct post within a day.
    CreatorsPerDay,
}

impl Name {
    /// A stable word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::PostsPerDay => "posts_per_day",
            Self::PendingDrafts => "pending_drafts",
            Self::CreatorsPerDay => "creators_per_day",
        }
    }

    /// Why a post is held that waits for it.
    pub fn hold_reason(self) -> &'static str {
        match self {
            Self::PostsPerDay => "creator_cap",
            Self::PendingDrafts => "pending_drafts_cap",
            Self::CreatorsPerDay => "app_user_cap",
        }
    }

    /// The same in a sentence.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::PostsPerDay => "The creator has posted too much today for TikTok.",
            Self::PendingDrafts => "Five drafts wait in the creator's TikTok inbox already.",
            Self::CreatorsPerDay => "The app has reached TikTok's daily number of creators.",
        }
    }
}

/// One cap as it stands for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub name: Name,
    /// Its numbers.
    pub cap: Cap,
    /// TikTok's code, if its refusal says that the cap is used up.
    pub code: Option<String>,
}

/// A cap that has no room for a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Which.
    pub name: Name,
    /// When to try again.
    pub until: Timestamp,
}

/// The first cap that has no room for `post`, if there is one. Asks nobody but the database.
pub async fn full(app: &App, post: &post::Model) -> Result<Option<Full>> {
    let now = app.clock.now();
    let standings = match post.mode {
        PostMode::Inbox => vec![drafts(app, post.account_id, now).await?],
        PostMode::Direct => vec![
            posts(app, post.account_id, now).await?,
            creators(app, post.account_id, now).await?,
        ],
    };
    let full = |standing: &Standing| {
        let mut until = standing.cap.free_at(now)?;
        if standing.name == Name::PendingDrafts {
            // The creator may finish one at any time.
            until = until.min(now + marks::PENDING_DRAFTS_WAIT);
        }
        Some(Full {
            name: standing.name,
            until,
        })
    };
    Ok(standings.iter().find_map(full))
}

/// How every cap stands for an account.
pub async fn all(app: &App, account: AccountId) -> Result<Vec<Standing>> {
    let now = app.clock.now();
    Ok(vec![
        posts(app, account, now).await?,
        drafts(app, account, now).await?,
        creators(app, account, now).await?,
    ])
}

async fn posts(app: &App, account: AccountId, now: Timestamp) -> Result<Standing> {
    let uses = rows::direct_posts(app, account, now - CAP_WINDOW).await?;
    let limit = app.config.tiktok.posts_per_day;
    standing(app, Name::PostsPerDay, account, limit, uses, now).await
}

async fn drafts(app: &App, account: AccountId, now: Timestamp) -> Result<Standing> {
    let uses = rows::pending_drafts(app, account, now - CAP_WINDOW).await?;
    let limit = Some(app.config.tiktok.pending_drafts);
    standing(app, Name::PendingDrafts, account, limit, uses, now).await
}

async fn creators(app: &App, account: AccountId, now: Timestamp) -> Result<Standing> {
    let name = Name::CreatorsPerDay;
    let limit = match app.config.tiktok.audited {
        true => app.config.tiktok.creators_per_day,
        false => Some(UNAUDITED_CREATORS_PER_DAY),
    };
    let active = match limit {
        Some(_) => rows::active_creators(app, now - CAP_WINDOW).await?,
        None => Vec::new(),
    };
    let counted = active.iter().any(|(of, _)| *of == account);
    let uses = active.into_iter().map(|(_, last)| last).collect();
    let mut standing = standing(app, name, account, limit, uses, now).await?;
    if counted
        || !rows::direct_posts(app, account, now - CAP_WINDOW)
            .await?
            .is_empty()
    {
        // TikTok counts this creator already: another post makes it no more.
        standing.cap.limit = None;
        standing.cap.uses.clear();
        return Ok(standing);
    }
    // What TikTok refused to one newcomer it refuses to all.
    let marks = marks::holding(app.db.read(), account, now).await?;
    if let Some(mark) = marks::of(&marks, name, true) {
        standing.cap.spent_until = standing.cap.spent_until.max(Some(mark.spent_until));
        standing.code = Some(mark.code.clone());
    }
    Ok(standing)
}

async fn standing(
    app: &App,
    name: Name,
    account: AccountId,
    limit: Option<u32>,
    uses: Vec<Timestamp>,
    now: Timestamp,
) -> Result<Standing> {
    let marks = marks::holding(app.db.read(), account, now).await?;
    let mark = marks::of(&marks, name, false);
    Ok(Standing {
        name,
        cap: Cap {
            limit,
            window: CAP_WINDOW,
            uses,
            spent_until: mark.map(|mark| mark.spent_until),
        },
        code: mark.map(|mark| mark.code.clone()),
    })
}

/// When the next init of this kind fits into TikTok's minute, by the rows alone: what the transport
/// counted may be lost with it.
pub async fn init_fits_at(app: &App, post: &post::Model, limit: u32) -> Result<Option<Timestamp>> {
    let now = app.clock.now();
    let window = tiktok::limits::RATE_WINDOW;
    let cap = Cap {
        limit: Some(limit),
        window,
        uses: rows::inits(app, post.account_id, post.mode, now - window).await?,
        spent_until: None,
    };
    Ok(cap.free_at(now))
}
