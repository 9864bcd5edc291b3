//! What a subscription gives its user: the paid plan until access ends.
//!
//! A plan that an operator gave and that lasts longer is left alone. Nothing is done to posts: what was
//! accepted goes on after access has ended, and nothing more is accepted then.

use clipqueue_entities::{
    UserId,
    user_plan::{self, PlanName},
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait as _, sea_query::OnConflict};

use super::paid_for;
use crate::{app::App, domain::error::Result};

/// Gives `user` what the subscriptions are worth now.
pub(super) async fn give_in_tx(app: &App, tx: &impl ConnectionTrait, user: UserId) -> Result<()> {
    let Some(cutoff_at) = paid_for(tx, user).await? else {
        return Ok(());
    };
    let row = user_plan::Entity::find_by_id(user).one(tx).await?;
    let lasts_longer = row.as_ref().is_some_and(|row| {
        let lasting = row.ends_at.is_none_or(|end| end >= cutoff_at);
        !row.by_subscription && row.plan == PlanName::Paid && lasting
    });
    // What an operator gave is not taken away by the word of a subscription that is over.
    let comes_late =
        row.as_ref().is_some_and(|row| !row.by_subscription) && cutoff_at <= app.clock.now();
    let is_same = row.as_ref().is_some_and(|row| {
        row.by_subscription && row.plan == PlanName::Paid && row.ends_at == Some(cutoff_at)
    });
    if lasts_longer || comes_late || is_same {
        return Ok(());
    }
    user_plan::Entity::insert(user_plan::ActiveModel {
        user_id: Set(user),
        plan: Set(PlanName::Paid),
        ends_at: Set(Some(cutoff_at)),
        changed_at: Set(app.clock.now()),
        by_subscription: Set(true),
    })
    .on_conflict(
        OnConflict::column(user_plan::Column::UserId)
            .update_columns([
                user_plan::Column::Plan,
                user_plan::Column::EndsAt,
                user_plan::Column::ChangedAt,
                user_plan::Column::BySubscription,
            ])
            .to_owned(),
    )
    .exec_without_returning(tx)
    .await?;
    Ok(())
}
