//! The end of an erasure: the receipt is signed and nothing else is left of it. And what is done about
//! erasures by age: a stopped one goes on, an old receipt goes.

use clipqueue_entities::{
    ErasureId,
    erasure::{self, ErasureScope, ErasureState},
    receipt_key, tombstone,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QuerySelect as _, sea_query::OnConflict,
};

use super::{
    earlier, get, last,
    receipt::{self, Beside},
    request, steps, told, tombstones,
};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{attempts, deletions, error::Result, mails},
    job::{Job, OUTBOUND, PURGE},
    queue::Lease,
};

/// Old erasures that are deleted in one run.
const BATCH: u64 = 200;

/// Signs the receipt and forgets whom it is about. When nobody could sign in as the user any more, the
/// erasure of the user begins in the same commit.
pub async fn finish(app: &App, lease: &Lease, id: ErasureId) -> Result<()> {
    // What stands beside the steps may change until the receipt is stored.
    while !try_to_finish(app, lease, id).await? {}
    Ok(())
}

async fn beside(
    db: &impl ConnectionTrait,
    erasure: &erasure::Model,
    fresh: ErasureId,
) -> Result<Beside> {
    Ok(Beside {
        follower: last::follower(db, erasure, fresh).await?,
        keeps_address: deletions::prove::waits_for_letter(db, erasure.id).await?,
    })
}

/// False when what the receipt says was overtaken: nothing was done.
async fn try_to_finish(app: &App, lease: &Lease, id: ErasureId) -> Result<bool> {
    let erasure = get(app, id).await?;
    if erasure.state == ErasureState::Completed {
        return Ok(true);
    }
    let now = app.clock.now();
    let signer = receipt::Signer::of(app);
    let fresh = ErasureId::new();
    let beside_steps = beside(app.db.read(), &erasure, fresh).await?;
    let mut body = receipt::body(app, &erasure, &steps(app, id).await?, &beside_steps, now);
    if let Some(first) = earlier::body(app, &erasure).await? {
        earlier::carry_over(&first, &mut body);
        earlier::put_aside(app, &erasure).await?;
    }
    let signed = signer.sign(&body);
    // First where it outlives the database: a second try writes it anew.
    app.media
        .storage()
        .keep(receipt::PLACE, &id.to_string(), signed.clone())
        .await
        .map_err(anyhow::Error::from)?;
    let tx = attempts::fenced(app, lease).await?;
    if let Some(user) = erasure.user_id {
        // Whoever connects an account or asks for an erasure of the user waits here.
        request::lock_user(&tx, user).await?;
    }
    if beside(&tx, &erasure, fresh).await? != beside_steps {
        tx.rollback().await?;
        return Ok(false);
    }
    receipt_key::Entity::insert(receipt_key::ActiveModel {
        id: Set(signer.id().to_owned()),
        public_key: Set(signer.public_key()),
        created_at: Set(now),
    })
    .on_conflict(
        OnConflict::column(receipt_key::Column::Id)
            .do_nothing()
            .to_owned(),
    )
    .exec_without_returning(&tx)
    .await?;
    erasure::Entity::update_many()
        .set(erasure::ActiveModel {
            state: Set(ErasureState::Completed),
            user_id: Set(None),
            account_id: Set(None),
            handed: Set(None),
            watched: Set(None),
            receipt: Set(Some(signed)),
            completed_at: Set(Some(now)),
            ..Default::default()
        })
        .filter(erasure::Column::Id.eq(id))
        .exec(&tx)
        .await?;
    deletions::prove::erased_in_tx(app, &tx, &erasure).await?;
    let heard = told::ended_in_tx(app, &tx, &erasure).await?;
    if let (Some(follower), Some(user)) = (beside_steps.follower, erasure.user_id) {
        let (scope, cause) = (ErasureScope::User, erasure.cause);
        request::begin_as_in_tx(app, &tx, follower, scope, cause, user, None).await?;
    }
    crash::commit(tx, Commit::ErasureCompleted).await?;
    if beside_steps.follower.is_some() {
        app.nudge(PURGE);
    }
    if let Some(user) = heard {
        app.nudge(OUTBOUND);
        app.announce(user).await;
    }
    mails::written(app);
    metrics::counter!("clipqueue_erasures_completed_total").increment(1);
    tracing::info!(erasure.id = %id, "an erasure is complete");
    Ok(true)
}

/// Sees to it that every erasure that is not over has its job.
pub async fn resume(app: &App) -> Result<()> {
    let running: Vec<ErasureId> = erasure::Entity::find()
        .select_only()
        .column(erasure::Column::Id)
        .filter(erasure::Column::State.eq(ErasureState::Running))
        .into_tuple()
        .all(app.db.read())
        .await?;
    for erasure_id in running {
        // One that is live already is not enqueued again.
        let tx = app.db.begin().await?;
        app.enqueue_in_tx(&tx, Job::Erase { erasure_id }, None)
            .await?;
        crash::commit(tx, Commit::ErasureAccepted).await?;
    }
    Ok(())
}

/// Deletes receipts and tombstones that were kept long enough. Gives how many erasures.
pub async fn prune(app: &App) -> Result<u64> {
    let before = app.clock.now() - app.config.erasure.keep;
    let old: Vec<ErasureId> = erasure::Entity::find()
        .select_only()
        .column(erasure::Column::Id)
        .filter(erasure::Column::CompletedAt.lt(before))
        .limit(BATCH)
        .into_tuple()
        .all(app.db.read())
        .await?;
    for id in &old {
        let name = id.to_string();
        for (kind, name) in [
            (receipt::PLACE, &name),
            (receipt::PLACE, &earlier::aside(*id)),
            (tombstones::PLACE, &name),
        ] {
            let dropped = app.media.storage().drop_kept(kind, name).await;
            dropped.map_err(anyhow::Error::from)?;
        }
        let tx = app.db.begin().await?;
        tombstone::Entity::delete_many()
            .filter(tombstone::Column::ErasureId.eq(*id))
            .exec(&tx)
            .await?;
        erasure::Entity::delete_by_id(*id).exec(&tx).await?;
        crash::commit(tx, Commit::RowsErased).await?;
    }
    Ok(old.len() as u64)
}
