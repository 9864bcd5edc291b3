//! Payments for subscriptions: when each was made, and whether it went back. A refund names the payment
//! alone and may be told before it, so a payment has a row of its own, under a keyed hash of PayPal's id.

use clipqueue_entities::{SubscriptionId, subscription, subscription_payment as payment};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};

use super::{
    facts::Payment,
    told::{About, Return, Sale},
};
use crate::{app::App, domain::error::Result};

/// PayPal's id of the subscription that a payment was for, if both are known.
pub(super) async fn subscription_of(app: &App, sale: &str) -> Result<Option<String>> {
    let db = app.db.read();
    let row = payment::Entity::find_by_id(key(app, sale)).one(db).await?;
    let Some(id) = row.and_then(|row| row.subscription_id) else {
        return Ok(None);
    };
    let row = subscription::Entity::find_by_id(id).one(db).await?;
    Ok(row.map(|row| row.paypal_id))
}

/// Records what an event tells of a payment. The caller holds the subscription's row.
pub(super) async fn record_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    subscription: SubscriptionId,
    about: &About,
) -> Result<()> {
    match about {
        About::Subscription(told) => match &told.payment {
            Some(sale) => made_in_tx(app, tx, subscription, sale).await,
            None => Ok(()),
        },
        About::Return(back) => went_back_in_tx(app, tx, back).await,
    }
}

/// Records money that went back of a payment that nothing is known of.
pub(super) async fn came_too_early_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    about: &About,
) -> Result<()> {
    let About::Return(back) = about else {
        return Ok(());
    };
    went_back_in_tx(app, tx, back).await?;
    let row = payment::Entity::find_by_id(key(app, &back.sale))
        .one(tx)
        .await?;
    if row.is_some_and(|row| row.subscription_id.is_some()) {
        let text = "a payment became known at this moment; PayPal tells again";
        return Err(anyhow::anyhow!(text).into());
    }
    Ok(())
}

/// The payments for a subscription.
pub(super) async fn of(
    db: &impl ConnectionTrait,
    subscription: SubscriptionId,
) -> Result<Vec<Payment>> {
    let rows = payment::Entity::find()
        .filter(payment::Column::SubscriptionId.eq(subscription))
        .all(db)
        .await?;
    let known = rows.into_iter().filter_map(|row| {
        // A part that goes back takes no time along.
        let is_whole = row.amount.is_none_or(|amount| row.returned >= amount);
        Some(Payment {
            at: row.paid_at?,
            is_back: row.returned > 0 && is_whole,
        })
    });
    Ok(known.collect())
}

async fn made_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    subscription: SubscriptionId,
    sale: &Sale,
) -> Result<()> {
    payment::Entity::insert(payment::ActiveModel {
        id: Set(key(app, &sale.id)),
        subscription_id: Set(Some(subscription)),
        paid_at: Set(Some(sale.at)),
        amount: Set(sale.amount),
        returned: Set(0),
        created_at: Set(app.clock.now()),
    })
    .on_conflict(
        OnConflict::column(payment::Column::Id)
            .update_columns([
                payment::Column::SubscriptionId,
                payment::Column::PaidAt,
                payment::Column::Amount,
            ])
            .to_owned(),
    )
    .exec_without_returning(tx)
    .await?;
    Ok(())
}

async fn went_back_in_tx(app: &App, tx: &impl ConnectionTrait, back: &Return) -> Result<()> {
    let returned = Expr::col((payment::Entity, payment::Column::Returned));
    payment::Entity::insert(payment::ActiveModel {
        id: Set(key(app, &back.sale)),
        subscription_id: Set(None),
        paid_at: Set(None),
        amount: Set(None),
        returned: Set(back.amount),
        created_at: Set(app.clock.now()),
    })
    .on_conflict(
        OnConflict::column(payment::Column::Id)
            .value(payment::Column::Returned, returned.add(back.amount))
            .to_owned(),
    )
    .exec_without_returning(tx)
    .await?;
    Ok(())
}

fn key(app: &App, sale: &str) -> String {
    app.vault.keyed("paypal-sale", sale)
}
