//! Plans: what a user may use, who gives it, and what is used of it.
//!
//! A plan is a name in `user_plans`; what it allows is configured. Each limit is enforced where the
//! thing is accepted: posts by [`posts`], operations of the API by [`requests`], stored bytes by the
//! media store, and how long files are kept by [`library::life`](super::library::life). [`reached`] tells
//! users of the limits that they come to.

pub mod posts;
pub mod reached;
pub mod requests;
pub mod usage;

use std::collections::HashMap;

use clipqueue_entities::{
    Timestamp, UserId, user,
    user_plan::{self, PlanName},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    sea_query::OnConflict,
};
use serde_json::json;

use super::{
    actor::Actor,
    audit,
    error::{Code, Error, Refusal, Result},
};
use crate::{
    app::App,
    config::{AfterCutoff, Plan, plans::word},
};

/// What it is called in the audit log.
const SET: &str = "plan.set";

/// The plan of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The plan that is in force.
    pub name: PlanName,
    /// What it allows.
    pub limits: Plan,
    /// When it ends, if it was given for a time.
    pub ends_at: Option<Timestamp>,
    /// Since when it is in force; nothing when it always was.
    pub since: Option<Timestamp>,
    /// Whether a subscription gave another plan that has ended, so that no more posts are accepted.
    pub cut_off: bool,
}

impl Standing {
    /// The word for the plan.
    pub fn word(&self) -> &'static str {
        word(self.name)
    }
}

/// The plan of `user`.
pub async fn of(app: &App, db: &impl ConnectionTrait, user: UserId) -> Result<Standing> {
    let row = user_plan::Entity::find_by_id(user).one(db).await?;
    Ok(standing(app, row))
}

/// The plans of several users.
pub async fn of_many(app: &App, users: &[UserId]) -> Result<HashMap<UserId, Standing>> {
    let rows = user_plan::Entity::find()
        .filter(user_plan::Column::UserId.is_in(users.iter().copied()))
        .all(app.db.read())
        .await?;
    let mut rows: HashMap<UserId, user_plan::Model> =
        rows.into_iter().map(|row| (row.user_id, row)).collect();
    Ok(users
        .iter()
        .map(|user| (*user, standing(app, rows.remove(user))))
        .collect())
}

fn standing(app: &App, row: Option<user_plan::Model>) -> Standing {
    let (plans, now) = (&app.config.plans, app.clock.now());
    let by_subscription = row.as_ref().is_some_and(|row| row.by_subscription);
    let changed_at = row.as_ref().map(|row| row.changed_at);
    let given = row.map(|row| (row.plan, row.ends_at));
    let ended = given.and_then(|(_, end)| end).filter(|end| *end <= now);
    let name = plans.in_force(given, now);
    Standing {
        name,
        limits: plans.limits(name).clone(),
        ends_at: given.and_then(|(_, end)| end).filter(|end| *end > now),
        since: ended.or(changed_at),
        cut_off: by_subscription
            && ended.is_some()
            && app.config.paypal.after_cutoff == AfterCutoff::Stop,
    }
}

/// Gives the user of that name a plan, until `ends_at` or for good. `by` is the operator; nobody, when
/// it is done on the machine itself. Setting it again changes nothing but the time of the change.
pub async fn set(
    app: &App,
    by: Option<&Actor>,
    user_name: &str,
    plan: PlanName,
    ends_at: Option<Timestamp>,
) -> Result<(user::Model, Standing)> {
    let done = change(app, by, user_name, plan, ends_at).await;
    match by {
        // The name of somebody who is not there is not kept.
        Some(by) => {
            audit::refusal(app, by, SET, "user:", json!({ "plan": word(plan) }), done).await
        }
        None => done,
    }
}

async fn change(
    app: &App,
    by: Option<&Actor>,
    user_name: &str,
    plan: PlanName,
    ends_at: Option<Timestamp>,
) -> Result<(user::Model, Standing)> {
    let now = app.clock.now();
    if ends_at.is_some_and(|end| end <= now) {
        let text = "must lie in the future; leave it out for a plan without an end";
        return Err(Refusal::new("endsAt", Code::Invalid, text).into());
    }
    let tx = app.db.begin().await?;
    let user = user::Entity::find()
        .filter(user::Column::Name.eq(user_name))
        .filter(user::Column::LeavingAt.is_null())
        .one(&tx)
        .await?
        .ok_or(Error::NotFound)?;
    let before = of(app, &tx, user.id).await?;
    user_plan::Entity::insert(user_plan::ActiveModel {
        user_id: Set(user.id),
        plan: Set(plan),
        ends_at: Set(ends_at),
        changed_at: Set(now),
        by_subscription: Set(false),
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
    .exec_without_returning(&tx)
    .await?;
    let subject = format!("user:{}", user.id);
    let details = json!({
        "from": before.word(),
        "to": word(plan),
        "ends_at": ends_at.map(Timestamp::as_millis),
    });
    match by {
        Some(by) => audit::record_in_tx(app, &tx, by, SET, &subject, details).await?,
        None => audit::record_own_in_tx(app, &tx, SET, &subject, details).await?,
    };
    let standing = of(app, &tx, user.id).await?;
    tx.commit().await?;
    Ok((user, standing))
}

/// The user of that name, and the plan.
pub async fn of_name(app: &App, user_name: &str) -> Result<(user::Model, Standing)> {
    let user = user::Entity::find()
        .filter(user::Column::Name.eq(user_name))
        .one(app.db.read())
        .await?
        .ok_or(Error::NotFound)?;
    let standing = of(app, app.db.read(), user.id).await?;
    Ok((user, standing))
}
