//! The log of what happened, per tenant: appended in the transaction of the change, read by cursor.
//!
//! A cursor is a `seq`. For one tenant events become visible in the order of `seq`: on PostgreSQL
//! appending takes a lock on the tenant before it draws the number and holds it until the
//! transaction ends; SQLite has one writer anyway. So a reader that has seen `n` misses nothing by
//! asking for what comes after `n`.

use clipqueue_entities::{AccountId, EvidenceId, PostId, Timestamp, UserId, event};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, ConnectionTrait, DatabaseBackend, DbErr, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Statement,
};
use serde_json::Value;

use super::webhooks::follow;

/// First key of the advisory locks that order one tenant's events; any constant of our own.
const LOCK_CLASS: i32 = 0x4351_4556;

/// Events of one insert.
const CHUNK: usize = 500;

/// What to append.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The tenant.
    pub user_id: UserId,
    /// The account that it is about.
    pub account_id: Option<AccountId>,
    /// The post that it is about.
    pub post_id: Option<PostId>,
    /// A dotted word.
    pub kind: &'static str,
    /// The particulars.
    pub data: Value,
    /// The proof.
    pub evidence_id: Option<EvidenceId>,
}

/// Appends one event; gives its cursor.
pub async fn append_in_tx(
    tx: &impl ConnectionTrait,
    now: Timestamp,
    new: NewEvent,
) -> Result<i64, DbErr> {
    lock_log(tx, new.user_id).await?;
    let user = new.user_id;
    let inserted = event::Entity::insert(row(now, new)).exec(tx).await?;
    follow::wake_in_tx(tx, now, user).await?;
    Ok(inserted.last_insert_id)
}

/// Appends several events of one tenant, in their order.
pub async fn append_many_in_tx(
    tx: &impl ConnectionTrait,
    now: Timestamp,
    user: UserId,
    new: Vec<NewEvent>,
) -> Result<(), DbErr> {
    lock_log(tx, user).await?;
    let rows: Vec<event::ActiveModel> = new.into_iter().map(|new| row(now, new)).collect();
    for some in rows.chunks(CHUNK) {
        event::Entity::insert_many(some.to_vec())
            .exec_without_returning(tx)
            .await?;
    }
    follow::wake_in_tx(tx, now, user).await
}

/// Keeps others from drawing a number of the tenant's log until the transaction ends.
async fn lock_log(tx: &impl ConnectionTrait, user: UserId) -> Result<(), DbErr> {
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        let (_, low) = user.0.as_u64_pair();
        // The low 32 bits are random in a UUIDv7; two tenants sharing a lock only wait for each other.
        let key = u32::try_from(low & 0xFFFF_FFFF)
            .unwrap_or_default()
            .cast_signed();
        tx.execute_raw(Statement::from_sql_and_values(
            DatabaseBackend::Postgres,
            "SELECT pg_advisory_xact_lock($1, $2)",
            [LOCK_CLASS.into(), key.into()],
        ))
        .await?;
    }
    Ok(())
}

fn row(now: Timestamp, new: NewEvent) -> event::ActiveModel {
    event::ActiveModel {
        seq: NotSet,
        user_id: Set(new.user_id),
        account_id: Set(new.account_id),
        post_id: Set(new.post_id),
        kind: Set(new.kind.to_owned()),
        data: Set(new.data),
        evidence_id: Set(new.evidence_id),
        created_at: Set(now),
    }
}

/// At most `limit` events of a tenant after a cursor, oldest first; of one post, when given.
pub async fn after(
    db: &impl ConnectionTrait,
    user: UserId,
    post: Option<PostId>,
    cursor: i64,
    limit: u64,
) -> Result<Vec<event::Model>, DbErr> {
    let mut query = event::Entity::find()
        .filter(event::Column::UserId.eq(user))
        .filter(event::Column::Seq.gt(cursor));
    if let Some(post) = post {
        query = query.filter(event::Column::PostId.eq(post));
    }
    query
        .order_by_asc(event::Column::Seq)
        .limit(limit)
        .all(db)
        .await
}

/// Whether the event at a cursor is still kept. Events are deleted from the oldest on, so that what
/// comes after a kept one is complete.
pub async fn is_kept(db: &impl ConnectionTrait, user: UserId, cursor: i64) -> Result<bool, DbErr> {
    Ok(event::Entity::find_by_id(cursor)
        .filter(event::Column::UserId.eq(user))
        .one(db)
        .await?
        .is_some())
}

/// The newest cursor of a tenant; zero when nothing has happened.
pub async fn newest(db: &impl ConnectionTrait, user: UserId) -> Result<i64, DbErr> {
    Ok(event::Entity::find()
        .filter(event::Column::UserId.eq(user))
        .order_by_desc(event::Column::Seq)
        .limit(1)
        .one(db)
        .await?
        .map_or(0, |event| event.seq))
}

pub use crate::app::events_topic as topic;
