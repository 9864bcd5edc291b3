//! What an erasure leaves of subscriptions: what the law on accounting asks for and nothing that leads to
//! anybody here. PayPal's id, status and the three ends, sealed, under a keyed hash of PayPal's id.

use clipqueue_entities::{Timestamp, UserId, billing_record, subscription};
use sea_orm::{
    ActiveEnum as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, sea_query::OnConflict,
};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    crash::{self, Commit},
    domain::error::Result,
    secrets::Place,
};

/// All that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// PayPal's id.
    pub paypal_id: String,
    /// What PayPal called it.
    pub status: String,
    /// The end of the paid period.
    pub paid_until: Option<Timestamp>,
    /// The end of the grace.
    pub grace_until: Option<Timestamp>,
    /// When access ended.
    pub cutoff_at: Option<Timestamp>,
}

/// How many subscriptions of a user there are, of which a record will be kept.
pub async fn count(app: &App, user: UserId) -> Result<u64> {
    Ok(subscription::Entity::find()
        .filter(subscription::Column::UserId.eq(user))
        .count(app.db.read())
        .await?)
}

/// Turns a user's subscriptions into records. Gives how many.
pub async fn leave_records(app: &App, user: UserId) -> Result<u64> {
    let theirs = subscription::Entity::find()
        .filter(subscription::Column::UserId.eq(user))
        .all(app.db.read())
        .await?;
    let mut kept = 0;
    for row in theirs {
        let id = key(app, &row.paypal_id);
        let record = Record {
            status: row.status.to_value(),
            paid_until: row.paid_until,
            grace_until: row.grace_until,
            cutoff_at: row.cutoff_at,
            paypal_id: row.paypal_id,
        };
        let text = serde_json::to_vec(&record).map_err(anyhow::Error::from)?;
        let tx = app.db.begin().await?;
        billing_record::Entity::insert(billing_record::ActiveModel {
            record_sealed: Set(app.vault.application().seal(place(&id), &text)),
            id: Set(id),
            keep_until: Set(app.clock.now() + app.config.paypal.keep_records),
        })
        .on_conflict(
            OnConflict::column(billing_record::Column::Id)
                .update_columns([
                    billing_record::Column::RecordSealed,
                    billing_record::Column::KeepUntil,
                ])
                .to_owned(),
        )
        .exec_without_returning(&tx)
        .await?;
        subscription::Entity::delete_by_id(row.id).exec(&tx).await?;
        crash::commit(tx, Commit::RowsErased).await?;
        kept += 1;
    }
    Ok(kept)
}

/// Whether a record is kept of this subscription.
pub(super) async fn is_kept(
    app: &App,
    db: &impl ConnectionTrait,
    paypal_id: &str,
) -> Result<bool, DbErr> {
    let row = billing_record::Entity::find_by_id(key(app, paypal_id))
        .one(db)
        .await?;
    Ok(row.is_some())
}

/// Every record, for whoever keeps the books.
pub async fn records(app: &App) -> Result<Vec<(Record, Timestamp)>> {
    let rows = billing_record::Entity::find()
        .order_by_asc(billing_record::Column::KeepUntil)
        .all(app.db.read())
        .await?;
    rows.into_iter()
        .map(|row| {
            let key = app.vault.application();
            let opened = key.open(place(&row.id), &row.record_sealed);
            let opened = opened.map_err(anyhow::Error::from)?;
            let record = serde_json::from_slice(&opened).map_err(anyhow::Error::from)?;
            Ok((record, row.keep_until))
        })
        .collect()
}

fn key(app: &App, paypal_id: &str) -> String {
    app.vault.keyed("billing-record", paypal_id)
}

fn place(row: &str) -> Place<'_> {
    Place {
        table: "billing_records",
        column: "record",
        row,
        version: 0,
    }
}
