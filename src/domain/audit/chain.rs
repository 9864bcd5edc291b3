//! The chain: each entry's hash covers the hash before it and what the entry says.
//!
//! Whom and what an entry names is covered by two salted commitments. An erasure takes the names out
//! together with their salts: the commitments stay, so that the chain still holds, and without the salt
//! nobody can find out by trying who it was. Whoever appends holds the row of the head until the commit,
//! so that writers in any number of processes make one chain.

use clipqueue_entities::{ApiKeyId, AuditId, Timestamp, UserId, audit_entry, audit_head};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    app::App,
    domain::{
        erasure::receipt::canonical,
        error::{Error, Result},
    },
    secrets::{random_bytes, sha256},
};

/// The one row of the head.
const HEAD: i32 = 1;
/// Entries of an older version that are taken into the chain in one transaction.
const PAGE: u64 = 500;
/// What stands where a name stood.
pub const NOBODY: &str = "erased";

/// A place in the chain, and the hash there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The place; 0 before the first entry.
    pub seq: i64,
    /// The hash, hexadecimal; zeros before the first entry.
    pub hash: String,
}

/// An entry as its hash covers it, and as it is exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its place, from one.
    pub seq: i64,
    /// Its id.
    pub id: AuditId,
    /// When, in milliseconds since 1970.
    pub at: Timestamp,
    /// What was done.
    pub action: String,
    /// What came of it.
    pub outcome: String,
    /// Whose key it was: `user` and `key`, both null for the installation's own acts and once erased.
    pub by: Value,
    /// The salt of `by_commitment`; absent once erased.
    pub by_salt: Option<String>,
    /// SHA-256 over the salt and `by`.
    pub by_commitment: String,
    /// On what and with which parameters: `subject` and `details`.
    pub on: Value,
    /// The salt of `on_commitment`; absent once erased.
    pub on_salt: Option<String>,
    /// SHA-256 over the salt and `on`.
    pub on_commitment: String,
    /// SHA-256 over the hash before it and everything above but `by`, `on` and their salts.
    pub hash: String,
}

impl Record {
    /// The stored entry; nothing, when it is not in the chain.
    pub fn of(row: &audit_entry::Model) -> Option<Self> {
        Some(Self {
            seq: row.seq?,
            id: row.id,
            at: row.created_at,
            action: row.action.clone(),
            outcome: row.outcome.clone(),
            by: by(row.user_id, row.key_id),
            by_salt: row.by_salt.clone(),
            by_commitment: row.by_commitment.clone()?,
            on: on(&row.subject, &row.details),
            on_salt: row.on_salt.clone(),
            on_commitment: row.on_commitment.clone()?,
            hash: row.hash.clone()?,
        })
    }

    /// The hash that it must have behind `previous`.
    pub fn hash_behind(&self, previous: &str) -> String {
        hash(&json!({
            "version": 1,
            "previous": previous,
            "seq": self.seq,
            "id": self.id,
            "at": self.at,
            "action": self.action,
            "outcome": self.outcome,
            "by": self.by_commitment,
            "on": self.on_commitment,
        }))
    }
}

/// Whose key it was.
pub(super) fn by(user: Option<UserId>, key: Option<ApiKeyId>) -> Value {
    json!({ "user": user, "key": key })
}

/// On what, and with which parameters.
pub(super) fn on(subject: &str, details: &Value) -> Value {
    json!({ "subject": subject, "details": details })
}

/// The commitment to a part of an entry.
pub(super) fn commitment(salt: &str, part: &Value) -> String {
    hash(&json!({ "salt": salt, "part": part }))
}

fn hash(value: &Value) -> String {
    hex::encode(sha256(canonical(value).as_bytes()))
}

/// The ends of the chain, kept as they are until the transaction ends.
async fn lock(tx: &impl ConnectionTrait) -> Result<audit_head::Model> {
    let row = audit_head::Entity::find_by_id(HEAD)
        .lock_exclusive()
        .one(tx)
        .await?;
    row.ok_or_else(|| Error::Internal(anyhow::anyhow!("the head of the audit log is gone")))
}

/// The ends of the chain: where it begins, and where it stands.
pub(super) async fn ends(db: &impl ConnectionTrait) -> Result<(Head, Head)> {
    let row = audit_head::Entity::find_by_id(HEAD).one(db).await?;
    let row =
        row.ok_or_else(|| Error::Internal(anyhow::anyhow!("the head of the audit log is gone")))?;
    let floor = Head {
        seq: row.floor_seq,
        hash: row.floor_hash,
    };
    let head = Head {
        seq: row.seq,
        hash: row.hash,
    };
    Ok((floor, head))
}

/// Gives the entry the next place behind `head`, salts, commitments and a hash.
fn link(head: &mut audit_head::Model, row: &mut audit_entry::Model) -> Result<()> {
    let salt = || Some(hex::encode(random_bytes::<16>()));
    (row.by_salt, row.on_salt) = (salt(), salt());
    let committed =
        |salt: &Option<String>, part: &Value| salt.as_deref().map(|salt| commitment(salt, part));
    row.by_commitment = committed(&row.by_salt, &by(row.user_id, row.key_id));
    row.on_commitment = committed(&row.on_salt, &on(&row.subject, &row.details));
    row.seq = Some(head.seq + 1);
    row.hash = Some(String::new());
    let record = Record::of(row);
    let record = record.ok_or_else(|| Error::Internal(anyhow::anyhow!("an entry is not whole")))?;
    let hash = record.hash_behind(&head.hash);
    head.seq += 1;
    head.hash.clone_from(&hash);
    row.hash = Some(hash);
    Ok(())
}

async fn save(tx: &impl ConnectionTrait, head: &audit_head::Model) -> Result<()> {
    let mut row = head.clone().into_active_model().reset_all();
    row.id = sea_orm::ActiveValue::Unchanged(HEAD);
    row.update(tx).await?;
    Ok(())
}

/// Appends an entry in the caller's transaction. It waits for others who append, and others wait for it,
/// so it comes last in its transaction.
pub(super) async fn append_in_tx(
    tx: &impl ConnectionTrait,
    mut row: audit_entry::Model,
) -> Result<()> {
    let mut head = lock(tx).await?;
    link(&mut head, &mut row)?;
    audit_entry::Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    save(tx, &head).await
}

/// Takes entries of an older version into the chain, in their order. Gives how many.
pub async fn adopt(app: &App) -> Result<u64> {
    let unchained = || {
        audit_entry::Entity::find()
            .filter(audit_entry::Column::Seq.is_null())
            .order_by_asc(audit_entry::Column::Id)
            .limit(PAGE)
    };
    let mut adopted = 0;
    while unchained().one(app.db.read()).await?.is_some() {
        let tx = app.db.begin().await?;
        let mut head = lock(&tx).await?;
        for mut row in unchained().all(&tx).await? {
            link(&mut head, &mut row)?;
            let change = audit_entry::ActiveModel {
                seq: Set(row.seq),
                by_salt: Set(row.by_salt),
                by_commitment: Set(row.by_commitment),
                on_salt: Set(row.on_salt),
                on_commitment: Set(row.on_commitment),
                hash: Set(row.hash),
                ..Default::default()
            };
            audit_entry::Entity::update_many()
                .set(change)
                .filter(audit_entry::Column::Id.eq(row.id))
                .exec(&tx)
                .await?;
            adopted += 1;
        }
        save(&tx, &head).await?;
        tx.commit().await?;
    }
    if adopted > 0 {
        tracing::info!(
            entries = adopted,
            "older entries of the audit log are chained"
        );
    }
    Ok(adopted)
}

/// Deletes the entries from the start of the chain that are older than `before`, at most `limit`; the
/// chain then stands on the hash of the last of them. Gives how many.
pub async fn forget(app: &App, before: Timestamp, limit: u64) -> Result<u64> {
    let tx = app.db.begin().await?;
    let mut head = lock(&tx).await?;
    let oldest = audit_entry::Entity::find()
        .filter(audit_entry::Column::Seq.gt(head.floor_seq))
        .order_by_asc(audit_entry::Column::Seq)
        .limit(limit)
        .all(&tx)
        .await?;
    let old = oldest.iter().take_while(|row| row.created_at < before);
    let Some(last) = old.last().and_then(Record::of) else {
        tx.rollback().await?;
        return Ok(0);
    };
    let deleted = audit_entry::Entity::delete_many()
        .filter(audit_entry::Column::Seq.lte(last.seq))
        .exec(&tx)
        .await?;
    (head.floor_seq, head.floor_hash) = (last.seq, last.hash);
    save(&tx, &head).await?;
    tx.commit().await?;
    Ok(deleted.rows_affected)
}
