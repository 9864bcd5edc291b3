//! What the user's webhooks are told of an erasure: that it begins, by an event of its fence, and when an
//! account is gone while its user stays, that too. The two are joined by the erasure's id, which names nobody.

use clipqueue_entities::{
    UserId, WebhookDeliveryId,
    erasure::{self, ErasureScope},
    user,
    webhook_delivery::{self as delivery, DeliveryState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _,
};
use serde_json::json;

use crate::{
    app::App,
    domain::{
        error::Result,
        events::{self, NewEvent},
        webhooks::follow,
    },
};

/// A user begins to leave with everything.
const USER: &str = "user.deleting";
/// An account begins to be deleted.
const ACCOUNT: &str = "account.disconnecting";
/// An account is deleted.
const GONE: &str = "account.deleted";

fn event(erasure: &erasure::Model, user: UserId, kind: &'static str) -> NewEvent {
    NewEvent {
        user_id: user,
        account_id: None,
        post_id: None,
        kind,
        data: json!({ "erasure": erasure.id.to_string() }),
        evidence_id: None,
    }
}

/// Appends that an erasure begins, in the transaction of its fence.
pub(super) async fn begun_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    erasure: &erasure::Model,
) -> Result<()> {
    let Some(user) = erasure.user_id else {
        return Ok(());
    };
    let event = match erasure.scope {
        ErasureScope::User => event(erasure, user, USER),
        ErasureScope::Account => NewEvent {
            account_id: erasure.account_id,
            ..event(erasure, user, ACCOUNT)
        },
    };
    events::append_in_tx(tx, app.clock.now(), event).await?;
    Ok(())
}

/// Deliveries of that event that nobody has tried yet.
pub async fn untried(app: &App, erasure: &erasure::Model) -> Result<Vec<WebhookDeliveryId>> {
    let Some(user) = erasure.user_id else {
        return Ok(Vec::new());
    };
    // Whether or not their follower has come to it.
    follow::follow(app, user).await?;
    let kind = match erasure.scope {
        ErasureScope::User => USER,
        ErasureScope::Account => ACCOUNT,
    };
    let mut query = delivery::Entity::find()
        .select_only()
        .column(delivery::Column::Id)
        .filter(delivery::Column::UserId.eq(user))
        .filter(delivery::Column::Kind.eq(kind))
        .filter(delivery::Column::State.eq(DeliveryState::Pending))
        .filter(delivery::Column::Tries.eq(0));
    if let Some(account) = erasure.account_id {
        query = query.filter(delivery::Column::AccountId.eq(account));
    }
    Ok(query.into_tuple().all(app.db.read()).await?)
}

/// Appends that an account is deleted, if its user stays; gives the user. Nothing in the event is the
/// account's.
pub(super) async fn ended_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    erasure: &erasure::Model,
) -> Result<Option<UserId>> {
    let (ErasureScope::Account, Some(id)) = (erasure.scope, erasure.user_id) else {
        return Ok(None);
    };
    let stays = user::Entity::find_by_id(id)
        .filter(user::Column::LeavingAt.is_null())
        .one(tx)
        .await?;
    if stays.is_none() {
        return Ok(None);
    }
    events::append_in_tx(tx, app.clock.now(), event(erasure, id, GONE)).await?;
    Ok(Some(id))
}
