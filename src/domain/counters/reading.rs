//! What a look at an account brought, written down page by page.
//!
//! A look is a listing that may be interrupted: each page is committed with its place, so that the job
//! goes on from there. When the listing has ended, the videos that it should have shown and did not are
//! asked for by id; only what is missing there too counts as vanished.

use clipqueue_entities::{AccountId, Timestamp, TrackedVideoId, metric_plan, post, tracked_video};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _,
    sea_query::{Expr, OnConflict},
};
use tiktok::video::Video;

use super::{
    checkpoints, days,
    planner::{self, Depth},
    plans,
    samples::{self, KEY},
};
use crate::{
    app::App,
    domain::{attempts, error::Result, videos::Found},
    queue::Lease,
};

/// Videos that one look asks for by id: five calls.
pub const ASKED_AT_MOST: u64 = 100;

/// A look that is under way.
#[derive(Clone, Debug)]
pub struct Look {
    /// The account.
    pub account: AccountId,
    /// How much is read.
    pub depth: Depth,
    /// When the listing began.
    pub since: Timestamp,
    /// Where it goes on.
    pub cursor: Option<i64>,
}

/// Begins a look, or goes on with one that was interrupted within the day.
pub async fn begin(app: &App, account: AccountId) -> Result<Look> {
    let now = app.clock.now();
    plans::ensure(app.db.write(), account, now).await?;
    let plan = plans::of(app.db.write(), account).await?;
    let depth = plan
        .as_ref()
        .map_or(Depth::Whole, |plan| planner::depth(&plans::need(plan), now));
    let under_way = plan
        .and_then(|plan| Some((plan.listing_since?, plan.listing_cursor?)))
        .filter(|(since, _)| now.since(*since) < planner::WHOLE_WITHIN);
    Ok(match under_way {
        Some((since, cursor)) => Look {
            account,
            depth: Depth::Whole,
            since,
            cursor: Some(cursor),
        },
        None => Look {
            account,
            depth,
            since: now,
            cursor: None,
        },
    })
}

/// Writes a page of the listing down, and where it goes on if it does.
pub async fn page(
    app: &App,
    lease: &Lease,
    look: &Look,
    listed: &[Video],
    next: Option<i64>,
) -> Result<()> {
    let tx = attempts::fenced(app, lease).await?;
    samples::take_in_tx(app, &tx, look.account, listed).await?;
    metric_plan::Entity::update_many()
        .col_expr(
            metric_plan::Column::ListingSince,
            Expr::value(next.map(|_| look.since)),
        )
        .col_expr(metric_plan::Column::ListingCursor, Expr::value(next))
        .filter(metric_plan::Column::AccountId.eq(look.account))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// What is to be asked for by id after the listing reached back to `covered` (to the end, when absent):
/// what it should have shown, and young videos beyond it that are due.
pub async fn unseen(
    app: &App,
    look: &Look,
    covered: Option<Timestamp>,
) -> Result<Vec<tracked_video::Model>> {
    let now = app.clock.now();
    let not_seen = Condition::any()
        .add(tracked_video::Column::LastSeenAt.lt(look.since))
        .add(tracked_video::Column::LastSeenAt.is_null());
    let mut query = tracked_video::Entity::find()
        .filter(tracked_video::Column::AccountId.eq(look.account))
        .filter(tracked_video::Column::VanishedAt.is_null())
        .filter(not_seen);
    if let Some(covered) = covered {
        let young = now - checkpoints::LAST_ENDS;
        query = query.filter(tracked_video::Column::PostedAt.gt(covered.min(young)));
    }
    let rows = query
        .order_by_desc(tracked_video::Column::PostedAt)
        .all(app.db.read())
        .await?;
    let wanted = |row: &tracked_video::Model| {
        let due = || checkpoints::next(row.posted_at, now, row.checkpoints);
        covered.is_none_or(|covered| row.posted_at > covered) || due().is_some_and(|at| at <= now)
    };
    let most = usize::try_from(ASKED_AT_MOST).unwrap_or(usize::MAX);
    Ok(rows.into_iter().filter(wanted).take(most).collect())
}

/// Writes down what TikTok said of the videos that it was `asked` for by id.
pub async fn told(
    app: &App,
    lease: &Lease,
    look: &Look,
    asked: &[tracked_video::Model],
    shown: &[Video],
) -> Result<u64> {
    let now = app.clock.now();
    let tx = attempts::fenced(app, lease).await?;
    samples::take_in_tx(app, &tx, look.account, shown).await?;
    let is_shown =
        |row: &&tracked_video::Model| shown.iter().any(|video| video.id.as_str() == row.video_id);
    // What was never seen cannot vanish: it may be a post that such lists do not show.
    let gone: Vec<TrackedVideoId> = asked
        .iter()
        .filter(|row| !is_shown(row) && row.last_seen_at.is_some())
        .map(|row| row.id)
        .collect();
    if !gone.is_empty() {
        tracked_video::Entity::update_many()
            .col_expr(tracked_video::Column::VanishedAt, Expr::value(now))
            .col_expr(tracked_video::Column::LastSampleAt, Expr::value(now))
            .filter(tracked_video::Column::Id.is_in(gone.iter().copied()))
            .exec(&tx)
            .await?;
        samples::mark_in_tx(&tx, &gone, now).await?;
    }
    tx.commit().await?;
    Ok(gone.len() as u64)
}

/// Ends a look: totals of the day, and when the account is read next. Gives the time of another look if
/// one is due before the next plan.
pub async fn end(app: &App, lease: &Lease, look: &Look) -> Result<Option<Timestamp>> {
    let now = app.clock.now();
    let tx = attempts::fenced(app, lease).await?;
    let videos = days::total_in_tx(&tx, look.account, now).await?;
    let young = tracked_video::Entity::find()
        .filter(tracked_video::Column::AccountId.eq(look.account))
        .filter(tracked_video::Column::VanishedAt.is_null())
        .filter(tracked_video::Column::PostedAt.gt(now - checkpoints::LAST_ENDS))
        .all(&tx)
        .await?;
    let checkpoint = young
        .iter()
        .filter_map(|row| checkpoints::after(row.posted_at, now, row.checkpoints))
        .min();
    let Some(plan) = plans::of(&tx, look.account).await? else {
        tx.rollback().await?;
        return Ok(None);
    };
    let mut need = plans::need(&plan);
    need.read_at = Some(now);
    need.checkpoint_at = checkpoint;
    if look.depth == Depth::Whole {
        need.whole_at = Some(now);
    }
    let row = metric_plan::ActiveModel {
        next_due_at: Set(Some(planner::next_due(&need, now))),
        checkpoint_at: Set(checkpoint),
        read_at: Set(need.read_at),
        whole_at: Set(need.whole_at),
        videos: Set(videos),
        listing_since: Set(None),
        listing_cursor: Set(None),
        paused_reason: Set(None),
        ..Default::default()
    };
    metric_plan::Entity::update_many()
        .set(row)
        .filter(metric_plan::Column::AccountId.eq(look.account))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(planner::again(&need, now))
}

/// Follows videos that were joined to a post, before any listing shows them.
pub async fn follow_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    post: &post::Model,
    joined: &[Found],
) -> Result<()> {
    let now = app.clock.now();
    for video in joined {
        let posted = video.posted_at.unwrap_or(now);
        let mut row = samples::newborn(post.account_id, video.id.clone(), posted, now);
        row.caption = video.caption.clone();
        row.share_url = video.share_url.clone();
        let inserted = tracked_video::Entity::insert(samples::whole(row))
            .on_conflict(OnConflict::columns(KEY).do_nothing().to_owned())
            .exec_without_returning(tx)
            .await?;
        if inserted > 0
            && let Some(at) = checkpoints::next(posted, now, 0)
        {
            plans::expect_in_tx(tx, post.account_id, now, at).await?;
        }
    }
    Ok(())
}
