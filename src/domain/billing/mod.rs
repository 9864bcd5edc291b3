//! What users pay, as PayPal tells it: subscriptions, until when they are paid, and when access ends.
//!
//! A webhook is believed when its signature is PayPal's ([`crate::paypal`]); then its event counts once
//! ([`told`] reads it, [`facts`] joins it), in whatever order events come. Kept is the metadata alone:
//! PayPal's id, its status and plan, the ends of the paid period, the grace and the access, and of each
//! payment its time, its amount and how much of it went back ([`payments`]). A subscription is
//! joined to a user by a code that we gave ([`link`]), and by nothing else. What follows for the user's
//! plan is `access`'s; letters and ends by the clock are [`clock`]'s; [`keep`] is what an erasure leaves.

mod access;
pub mod clock;
pub mod facts;
pub mod keep;
pub mod link;
mod payments;
pub mod told;

use clipqueue_entities::{
    SubscriptionId, Timestamp, UserId, billing_event,
    subscription::{self, SubscriptionStatus},
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QuerySelect as _, sea_query::OnConflict,
};

use self::{
    facts::Facts,
    told::{About, OfSubscription, Told},
};
use super::{erasure, error::Result, mails};
use crate::{
    app::App,
    paypal::{NotBelieved, Transmission},
};

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It counts.
    New,
    /// It had come before.
    Repeated,
    /// It is about nothing that concerns us.
    Ignored,
}

/// Why a webhook is turned away.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// It is not PayPal's.
    #[error(transparent)]
    NotBelieved(#[from] NotBelieved),
    /// It is PayPal's, and cannot be read.
    #[error("the body is no event")]
    Unreadable,
    /// It cannot be stored; PayPal repeats it.
    #[error("it cannot be taken now")]
    Unavailable(#[source] anyhow::Error),
}

impl From<super::error::Error> for Rejected {
    fn from(error: super::error::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<sea_orm::DbErr> for Rejected {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Takes a webhook in: what PayPal sent beside the body, and its raw bytes.
pub async fn take(app: &App, sent: &Transmission, body: &[u8]) -> Result<Taken, Rejected> {
    app.paypal.verify(sent, body, app.clock.now())?;
    let told = Told::read(body).ok_or(Rejected::Unreadable)?;
    let Some(about) = told.about else {
        return Ok(Taken::Ignored);
    };
    Ok(apply(app, &told.event, &about).await?)
}

async fn apply(app: &App, event: &str, about: &About) -> Result<Taken> {
    let known = match about {
        About::Subscription(told) => Some(told.subscription.clone()),
        About::Return(back) => payments::subscription_of(app, &back.sale).await?,
    };
    let user = match &known {
        Some(subscription) => whose(app, subscription, about).await?,
        None => None,
    };
    let tx = app.db.begin().await?;
    let first = billing_event::Entity::insert(billing_event::ActiveModel {
        id: Set(app.vault.keyed("paypal-event", event)),
        received_at: Set(app.clock.now()),
    })
    .on_conflict(
        OnConflict::column(billing_event::Column::Id)
            .do_nothing()
            .to_owned(),
    )
    .exec_without_returning(&tx)
    .await?;
    if first == 0 {
        tx.rollback().await?;
        return Ok(Taken::Repeated);
    }
    let Some(subscription) = known else {
        // What was paid comes later, or was for something else.
        payments::came_too_early_in_tx(app, &tx, about).await?;
        tx.commit().await?;
        return Ok(Taken::New);
    };
    if keep::is_kept(app, &tx, &subscription).await? {
        // Its user was erased; the record stays as it was then.
        tx.commit().await?;
        return Ok(Taken::Ignored);
    }
    // The user before the subscription, as everybody who changes both. Who leaves is joined to nothing.
    let user = match user {
        Some(user) if !erasure::is_leaving(&tx, user).await? => Some(user),
        _ => None,
    };
    let row = merge(app, &tx, &subscription, about, user).await?;
    if let Some(user) = row.after.user_id {
        access::give_in_tx(app, &tx, user).await?;
        clock::tell_in_tx(app, &tx, user, &row).await?;
    }
    tx.commit().await?;
    mails::written(app);
    tracing::info!(
        subscription.id = %row.after.id,
        status = ?row.after.status,
        joined = row.after.user_id.is_some(),
        "PayPal told of a subscription"
    );
    Ok(Taken::New)
}

/// Whose subscription it is: whose it was, or whose code it has, for a plan that is offered here.
async fn whose(app: &App, paypal_id: &str, about: &About) -> Result<Option<UserId>> {
    let known = subscription::Entity::find()
        .filter(subscription::Column::PaypalId.eq(paypal_id))
        .one(app.db.read())
        .await?
        .and_then(|row| row.user_id);
    if known.is_some() {
        return Ok(known);
    }
    match about {
        About::Subscription(OfSubscription {
            joins: Some((code, plan)),
            ..
        }) if app.config.paypal.offers(plan) => link::user_of(app, code).await,
        _ => Ok(None),
    }
}

/// A subscription before and after an event.
pub(super) struct Merged {
    pub(super) before: Facts,
    pub(super) after: subscription::Model,
}

async fn merge(
    app: &App,
    tx: &impl ConnectionTrait,
    paypal_id: &str,
    about: &About,
    user: Option<UserId>,
) -> Result<Merged> {
    let fresh = subscription::Model {
        id: SubscriptionId::new(),
        user_id: None,
        paypal_id: paypal_id.to_owned(),
        status: SubscriptionStatus::Unknown,
        paid_until: None,
        grace_until: None,
        cutoff_at: None,
        status_at: None,
        plan_id: None,
        plan_at: None,
        told_until: None,
        paid_at: None,
        failed_at: None,
        created_at: app.clock.now(),
    };
    subscription::Entity::insert(fresh.into_active_model().reset_all())
        .on_conflict(
            OnConflict::column(subscription::Column::PaypalId)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    let mut row = subscription::Entity::find()
        .filter(subscription::Column::PaypalId.eq(paypal_id))
        .lock_exclusive()
        .one(tx)
        .await?
        .ok_or_else(|| anyhow::anyhow!("a subscription is gone that was just there"))?;
    payments::record_in_tx(app, tx, row.id, about).await?;
    let before = Facts::of(&row);
    let facts = match about {
        About::Subscription(told) => before.clone().join(told.facts.clone()),
        About::Return(_) => before.clone(),
    };
    let paypal = &app.config.paypal;
    let period = paypal.period_of(facts.plan.as_ref().map(|(plan, _)| plan.as_str()));
    let paid = payments::of(tx, row.id).await?;
    let ends = facts.ends(&paid, period, paypal.grace);
    if let Some((status, at)) = facts.status {
        row.status = status;
        row.status_at = Some(at);
    }
    (row.plan_id, row.plan_at) = facts.plan.unzip();
    row.told_until = facts.told_until;
    row.paid_until = ends.paid_until;
    row.paid_at = facts.paid_at;
    row.failed_at = facts.failed_at;
    row.grace_until = ends.grace_until;
    row.cutoff_at = ends.cutoff_at;
    row.user_id = row.user_id.or(user);
    subscription::Entity::update(row.clone().into_active_model().reset_all())
        .exec(tx)
        .await?;
    Ok(Merged { before, after: row })
}

/// The subscription that gives a user the most: the one whose access ends last.
pub async fn of(db: &impl ConnectionTrait, user: UserId) -> Result<Option<subscription::Model>> {
    let all = subscription::Entity::find()
        .filter(subscription::Column::UserId.eq(user))
        .all(db)
        .await?;
    let last = |row: &subscription::Model| (row.cutoff_at, row.created_at, row.id);
    Ok(all.into_iter().max_by_key(last))
}

/// Until when a user's subscriptions give access.
async fn paid_for(tx: &impl ConnectionTrait, user: UserId) -> Result<Option<Timestamp>> {
    Ok(of(tx, user).await?.and_then(|row| row.cutoff_at))
}
