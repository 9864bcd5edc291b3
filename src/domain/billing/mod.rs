//! What users pay, as PayPal tells it: subscriptions, until when they are paid, and when access ends.
//!
//! A webhook is believed when its signature is PayPal's ([`crate::paypal`]); then its event counts once
//! ([`told`] reads it, [`facts`] joins it), in whatever order events come. Kept is the metadata alone:
//! PayPal's id, its status, and the ends of the paid period, the grace and the access. A subscription is
//! joined to a user by a code that we gave ([`link`]), and by nothing else. What follows for the user's
//! plan is `access`'s; letters and ends by the clock are [`clock`]'s; [`keep`] is what an erasure leaves.

mod access;
pub mod clock;
pub mod facts;
pub mod keep;
pub mod link;
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
    told::{About, Told},
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
    let told = Told::read(body, app.config.paypal.period).ok_or(Rejected::Unreadable)?;
    let Some(about) = told.about else {
        return Ok(Taken::Ignored);
    };
    Ok(apply(app, &told.event, &about).await?)
}

async fn apply(app: &App, event: &str, about: &About) -> Result<Taken> {
    let user = whose(app, about).await?;
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
    if keep::is_kept(app, &tx, &about.subscription).await? {
        // Its user was erased; the record stays as it was then.
        tx.commit().await?;
        return Ok(Taken::Ignored);
    }
    // The user before the subscription, as everybody who changes both. Who leaves is joined to nothing.
    let user = match user {
        Some(user) if !erasure::is_leaving(&tx, user).await? => Some(user),
        _ => None,
    };
    let row = merge(app, &tx, about, user).await?;
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
async fn whose(app: &App, about: &About) -> Result<Option<UserId>> {
    let known = subscription::Entity::find()
        .filter(subscription::Column::PaypalId.eq(&about.subscription))
        .one(app.db.read())
        .await?
        .and_then(|row| row.user_id);
    if known.is_some() {
        return Ok(known);
    }
    match &about.joins {
        Some((code, plan)) if app.config.paypal.plan_ids.contains(plan) => {
            link::user_of(app, code).await
        }
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
    about: &About,
    user: Option<UserId>,
) -> Result<Merged> {
    let fresh = subscription::Model {
        id: SubscriptionId::new(),
        user_id: None,
        paypal_id: about.subscription.clone(),
        status: SubscriptionStatus::Unknown,
        paid_until: None,
        grace_until: None,
        cutoff_at: None,
        status_at: None,
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
        .filter(subscription::Column::PaypalId.eq(&about.subscription))
        .lock_exclusive()
        .one(tx)
        .await?
        .ok_or_else(|| anyhow::anyhow!("a subscription is gone that was just there"))?;
    let before = Facts::of(&row);
    let facts = before.join(about.facts);
    let ends = facts.ends(app.config.paypal.grace);
    if let Some((status, at)) = facts.status {
        row.status = status;
        row.status_at = Some(at);
    }
    row.paid_until = facts.paid_until;
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
