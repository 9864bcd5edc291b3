//! Idempotency keys: the same key with the same request gives the same answer, with another request
//! a refusal. The key is recorded in the transaction that does the work, so it exists exactly when
//! the work does.

use clipqueue_entities::{Timestamp, UserId, idempotency_key};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, EntityTrait as _, QuerySelect as _, sea_query::OnConflict,
};
use serde::Serialize;
use uuid::Uuid;

use super::error::{Code, Refusal, Result};
use crate::secrets::sha256;

/// Longest key that is taken; a UUID has 36 characters.
const MAX_KEY: usize = 200;

/// A key together with the request that it was given for.
#[derive(Clone, Debug)]
pub struct Request {
    user_id: UserId,
    key: String,
    operation: &'static str,
    hash: Vec<u8>,
}

/// What a key says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is new.
    New,
    /// It was carried out before and made this.
    Before(Uuid),
}

impl Request {
    /// Binds `key` to `operation` with `body`.
    pub fn new(
        user_id: UserId,
        key: &str,
        operation: &'static str,
        body: &impl Serialize,
    ) -> Result<Self> {
        if key.is_empty() || key.len() > MAX_KEY || !key.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Refusal::new(
                "idempotencyKey",
                Code::Invalid,
                "must be 1 to 200 printable ASCII characters without spaces; a fresh UUID is a good choice",
            )
            .into());
        }
        let bytes = serde_json::to_vec(body).map_err(anyhow::Error::from)?;
        Ok(Self {
            user_id,
            key: key.to_owned(),
            operation,
            hash: sha256(&bytes).to_vec(),
        })
    }

    /// Whether the key was used before; a refusal when it was used for something else.
    pub async fn look_up(&self, db: &impl ConnectionTrait) -> Result<Seen> {
        let row = idempotency_key::Entity::find_by_id((self.user_id, self.key.clone()))
            .one(db)
            .await?;
        match row {
            None => Ok(Seen::New),
            Some(row) if row.operation == self.operation && row.request_hash == self.hash => {
                Ok(Seen::Before(row.result_id))
            }
            Some(_) => Err(Refusal::new(
                "idempotencyKey",
                Code::IdempotencyMismatch,
                "was used for another request; use a new key for a new request",
            )
            .into()),
        }
    }

    /// Keeps others who repeat the request waiting until the transaction ends. The key must be recorded.
    pub async fn lock_in_tx(&self, tx: &impl ConnectionTrait) -> Result<()> {
        idempotency_key::Entity::find_by_id((self.user_id, self.key.clone()))
            .lock_exclusive()
            .one(tx)
            .await?;
        Ok(())
    }

    /// Records the key with what the request made. When another transaction recorded it first, the
    /// answer is that one's and the caller must roll back.
    pub async fn record_in_tx(
        &self,
        tx: &impl ConnectionTrait,
        now: Timestamp,
        result_id: Uuid,
    ) -> Result<Seen> {
        let inserted = idempotency_key::Entity::insert(idempotency_key::ActiveModel {
            user_id: Set(self.user_id),
            key: Set(self.key.clone()),
            operation: Set(self.operation.to_owned()),
            request_hash: Set(self.hash.clone()),
            result_id: Set(result_id),
            created_at: Set(now),
        })
        .on_conflict(
            OnConflict::columns([
                idempotency_key::Column::UserId,
                idempotency_key::Column::Key,
            ])
            .do_nothing()
            .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
        if inserted == 1 {
            Ok(Seen::New)
        } else {
            self.look_up(tx).await
        }
    }
}
