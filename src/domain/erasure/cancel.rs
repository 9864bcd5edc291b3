//! Ending the work of whom is erased. With the fence every post is asked to stop that TikTok has not whole;
//! later the jobs go: those that wait are cancelled, those that run are asked to stop and waited for.

use clipqueue_entities::{
    PostId,
    erasure::{self, ErasureScope},
    post::{self, PostState},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use serde_json::{Value, json};

use super::lanes;
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{error::Result, exports},
    job::Job,
    queue::ledger,
};

/// Whether anything still runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Quiet {
    /// Nothing does. What was done, in numbers.
    Yes(Value),
    /// So many jobs do; look again soon.
    NotYet(u64),
}

/// States before the last byte, or before TikTok was asked to fetch.
const UNSENT: [PostState; 6] = [
    PostState::Draft,
    PostState::Scheduled,
    PostState::Held,
    PostState::Preflight,
    PostState::InitSent,
    PostState::Uploading,
];

/// Asks every post of theirs to stop, as its owner could. The commit point of each looks at this mark, so no
/// worker passes it behind the fence, however late the jobs are ended; and who finds the mark ends the post.
pub(super) async fn stop_posts_in_tx(
    tx: &impl ConnectionTrait,
    erasure: &erasure::Model,
) -> Result<()> {
    let whose = match (erasure.scope, erasure.account_id) {
        (ErasureScope::Account, Some(id)) => post::Column::AccountId.eq(id),
        _ => post::Column::UserId.eq(erasure.user_id),
    };
    let theirs = Condition::all()
        .add(whose)
        .add(post::Column::State.is_in(UNSENT));
    // Whoever locks several posts does so in this order.
    post::Entity::find()
        .select_only()
        .column(post::Column::Id)
        .filter(theirs.clone())
        .order_by_asc(post::Column::Id)
        .lock_exclusive()
        .into_tuple::<PostId>()
        .all(tx)
        .await?;
    post::Entity::update_many()
        .col_expr(post::Column::CancelRequested, Expr::value(true))
        .filter(theirs)
        .exec(tx)
        .await?;
    Ok(())
}

/// A refresh that was sent is never stopped: its answer holds the only pair of tokens that can still be
/// revoked. One that waits ends by itself at the fence.
fn stopped_kinds() -> Vec<&'static str> {
    let kept = ["refresh_token"];
    Job::KINDS
        .into_iter()
        .filter(|kind| !kept.contains(kind))
        .collect()
}

/// Cancels what waits and asks what runs to stop. Repeat it until it is quiet.
pub async fn cancel_jobs(app: &App, erasure: &erasure::Model) -> Result<Quiet> {
    let kinds = stopped_kinds();
    // Archives hold what is to be erased; whoever writes one finds that nobody wants it.
    if let Some(user) = erasure.user_id {
        exports::wipe(app, user).await?;
    }
    let mut running = 0;
    let lanes = lanes(app, erasure).await?;
    for lane in &lanes {
        let tx = app.db.begin().await?;
        let asked = ledger::cancel_lane(&tx, app.clock.now(), lane, &kinds).await?;
        crash::commit(tx, Commit::RowsErased).await?;
        app.queue.announce_stops(&asked).await;
        running += ledger::running_in_lane(app.db.read(), lane).await?;
    }
    if running > 0 {
        return Ok(Quiet::NotYet(running));
    }
    Ok(Quiet::Yes(json!({ "lanes": lanes.len() })))
}
