//! What the clock brings: letters before and after access ends. The end itself needs nobody: a plan that
//! has ended is over at that instant, wherever it is asked for.

use std::time::Duration;

use clipqueue_entities::{Timestamp, UserId, subscription, user_plan};
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _};

use super::{Merged, facts::Facts, link, of};
use crate::{
    app::App,
    domain::{
        erasure::receipt::instant,
        error::Result,
        mails::{self, To, letters::Content},
    },
};

/// How long before its end the end of the grace is told.
const BEFORE: Duration = Duration::from_secs(2 * 86_400);
/// An end that is older than this is not told any more.
const NEWS: Duration = Duration::from_secs(7 * 86_400);
/// Plans that are read at once.
const BATCH: u64 = 500;

/// Tells a user of a payment that failed, if this event brought it to light.
pub(super) async fn tell_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    user: UserId,
    merged: &Merged,
) -> Result<()> {
    let after = Facts::of(&merged.after);
    let (Some(failed_at), Some(cutoff_at)) = (after.failed_at, merged.after.cutoff_at) else {
        return Ok(());
    };
    if !after.is_failing() || merged.before.failed_at == after.failed_at {
        return Ok(());
    }
    let content = Content::PaymentFailed {
        ends: instant(cutoff_at),
    };
    let id = merged.after.id;
    let cause = format!("billing:{id}:failed:{}", failed_at.as_millis());
    write(app, tx, user, &cause, &content).await
}

/// Tells users whose access ends soon, or has ended.
pub async fn sweep(app: &App) -> Result<()> {
    let now = app.clock.now();
    let mut after = None;
    // Those that were told stay among them for days: every page has its turn.
    loop {
        let mut ending = user_plan::Entity::find()
            .filter(user_plan::Column::BySubscription.eq(true))
            .filter(user_plan::Column::EndsAt.gt(now - NEWS))
            .filter(user_plan::Column::EndsAt.lte(now + BEFORE))
            .cursor_by((user_plan::Column::EndsAt, user_plan::Column::UserId));
        if let Some(last) = after {
            ending.after(last);
        }
        let page = ending.first(BATCH).all(app.db.read()).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = Some((last.ends_at, last.user_id));
        tell(app, now, page).await?;
    }
    mails::written(app);
    Ok(())
}

async fn tell(app: &App, now: Timestamp, ending: Vec<user_plan::Model>) -> Result<()> {
    for plan in ending {
        let Some(ends_at) = plan.ends_at else {
            continue;
        };
        let user = plan.user_id;
        let row: Option<subscription::Model> = of(app.db.read(), user).await?;
        let content = if ends_at <= now {
            Content::AccessEnded {
                ended: instant(ends_at),
            }
        } else if row.is_some_and(|row| row.paid_until.is_some_and(|until| until <= now)) {
            Content::GraceEnding {
                ends: instant(ends_at),
            }
        } else {
            continue;
        };
        let cause = format!("billing:{user}:{}:{}", content.kind(), ends_at.as_millis());
        let tx = app.db.begin().await?;
        write(app, &tx, user, &cause, &content).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn write(
    app: &App,
    tx: &impl ConnectionTrait,
    user: UserId,
    cause: &str,
    content: &Content,
) -> Result<()> {
    let Some(address) = link::contact(app, tx, user).await? else {
        return Ok(());
    };
    let to = To {
        address: &address,
        user: Some(user),
    };
    mails::write_in_tx(app, tx, cause, to, content).await
}
