//! Counting from the attempts. Every question is bounded by a day and an index.

use clipqueue_entities::{
    AccountId, Timestamp,
    post::{self, PostMode, PostState},
    post_attempt::{self, AttemptPhase},
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait, Select, sea_query::Expr,
};

use crate::{app::App, domain::error::Result};

/// No creator sends more within a day; TikTok lets through about fifteen.
const MOST_ATTEMPTS: u64 = 1_000;
/// More creators of one day than this are counted as this many.
const MOST_CREATORS: u64 = 100_000;
/// How attempts end that TikTok took.
const TAKEN: [&str; 2] = ["published", "inbox"];
/// How attempts end that TikTok goes on counting until their upload address ends.
const LEFT: [&str; 2] = ["cancelled", "gave_up"];

/// Attempts since `after` that were or may have been sent, with their posts.
fn since(mode: PostMode, after: Timestamp) -> Select<post_attempt::Entity> {
    let mut query = post_attempt::Entity::find()
        .select_only()
        .filter(post_attempt::Column::CreatedAt.gt(after))
        .filter(post::Column::Mode.eq(mode));
    QueryTrait::query(&mut query).inner_join(
        post::Entity,
        Expr::col((post::Entity, post::Column::Id))
            .equals((post_attempt::Entity, post_attempt::Column::PostId)),
    );
    query
}

/// The same of one account, newest first.
fn of_account(
    account: AccountId,
    mode: PostMode,
    after: Timestamp,
) -> Select<post_attempt::Entity> {
    since(mode, after)
        .column(post_attempt::Column::CreatedAt)
        .filter(post_attempt::Column::AccountId.eq(account))
        .order_by_desc(post_attempt::Column::CreatedAt)
        .limit(MOST_ATTEMPTS)
}

/// Attempts that TikTok still waits for, although nobody sends to them any more.
fn left_open(app: &App) -> sea_orm::sea_query::SimpleExpr {
    let now = app.clock.now();
    post_attempt::Column::Outcome
        .is_in(LEFT)
        .and(post_attempt::Column::UploadUrlExpiresAt.gt(now))
}

/// Attempts that TikTok accepted or, when it fetches by itself, may have accepted without our knowing.
fn accepted() -> sea_orm::sea_query::SimpleExpr {
    post_attempt::Column::PublishId
        .is_not_null()
        .or(post_attempt::Column::Phase.eq(AttemptPhase::PullSent))
}

/// When inits of an account were sent, answered or not.
pub(super) async fn inits(
    app: &App,
    account: AccountId,
    mode: PostMode,
    after: Timestamp,
) -> Result<Vec<Timestamp>> {
    let query = of_account(account, mode, after);
    Ok(query.into_tuple().all(app.db.read()).await?)
}

/// When the direct posts of an account began that TikTok has, or may have, or will have.
pub(super) async fn direct_posts(
    app: &App,
    account: AccountId,
    after: Timestamp,
) -> Result<Vec<Timestamp>> {
    let query = of_account(account, PostMode::Direct, after)
        .filter(accepted())
        .filter(
            post_attempt::Column::Phase
                .ne(AttemptPhase::Closed)
                .or(post_attempt::Column::Outcome.is_in(TAKEN))
                .or(left_open(app)),
        );
    Ok(query.into_tuple().all(app.db.read()).await?)
}

/// When the drafts of an account began that wait in its inbox, or are on the way there.
pub(super) async fn pending_drafts(
    app: &App,
    account: AccountId,
    after: Timestamp,
) -> Result<Vec<Timestamp>> {
    let waiting = [PostState::InInbox, PostState::Lapsed];
    let query = of_account(account, PostMode::Inbox, after)
        .filter(accepted())
        .filter(
            post_attempt::Column::Phase
                .ne(AttemptPhase::Closed)
                .or(post_attempt::Column::Outcome
                    .is_in(TAKEN)
                    .and(post::Column::State.is_in(waiting)))
                .or(left_open(app)),
        );
    Ok(query.into_tuple().all(app.db.read()).await?)
}

/// The creators with a direct post, each with the time of its last.
pub(super) async fn active_creators(
    app: &App,
    after: Timestamp,
) -> Result<Vec<(AccountId, Timestamp)>> {
    let query = since(PostMode::Direct, after)
        .column(post_attempt::Column::AccountId)
        .column_as(post_attempt::Column::CreatedAt.max(), "last")
        .filter(post_attempt::Column::AccountId.is_not_null())
        .filter(accepted())
        .group_by(post_attempt::Column::AccountId)
        .limit(MOST_CREATORS);
    Ok(query.into_tuple().all(app.db.read()).await?)
}
