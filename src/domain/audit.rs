//! The record of what operators did: who, what, on what, when, with which parameters, and what came
//! of it. An act that was carried out is appended in its own transaction, so that the one exists
//! exactly when the other does; a refused one is appended by itself. Entries are never changed; they
//! make a chain ([`chain`]) that [`verify`] proves, and that an erasure can take names out of.

pub mod chain;
pub mod verify;

use std::collections::HashMap;

use clipqueue_entities::{ApiKeyId, AuditId, UserId, api_key, audit_entry, user};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde_json::Value;

use super::{
    actor::Actor,
    error::{Error, Result},
};
use crate::app::App;

/// The outcome of what was carried out.
pub const DONE: &str = "done";
/// The outcome of what broke inside.
const FAILED: &str = "failed";

/// Which entries. An absent field admits all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// What was done, as a word.
    pub action: Option<String>,
    /// On what, as it is recorded: `queue:uploads`.
    pub subject: Option<String>,
    /// By a key of the user of this name.
    pub user_name: Option<String>,
}

/// An entry with the names of whom it tells, as they are today.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The entry.
    pub row: audit_entry::Model,
    /// The user's name.
    pub user_name: Option<String>,
    /// The key's name.
    pub key_name: Option<String>,
}

/// Appends what `actor` did, in the transaction in which it is done.
pub async fn record_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    actor: &Actor,
    action: &'static str,
    subject: &str,
    details: Value,
) -> Result<AuditId> {
    let by = Some((actor.user_id, actor.key_id));
    append(app, tx, by, action, subject, details, DONE).await
}

/// Appends what the installation did by itself.
pub async fn record_own_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    action: &'static str,
    subject: &str,
    details: Value,
) -> Result<AuditId> {
    append(app, tx, None, action, subject, details, DONE).await
}

/// Passes `ended` on; when it is an error, nothing was done, and that is appended.
pub async fn refusal<T>(
    app: &App,
    actor: &Actor,
    action: &'static str,
    subject: &str,
    details: Value,
    ended: Result<T>,
) -> Result<T> {
    if let Err(error) = &ended {
        let by = Some((actor.user_id, actor.key_id));
        let outcome = outcome(error);
        let tx = app.db.begin().await?;
        append(app, &tx, by, action, subject, details, &outcome).await?;
        tx.commit().await?;
    }
    ended
}

async fn append(
    app: &App,
    connection: &impl ConnectionTrait,
    by: Option<(UserId, Option<ApiKeyId>)>,
    action: &'static str,
    subject: &str,
    details: Value,
    outcome: &str,
) -> Result<AuditId> {
    let id = AuditId::new();
    let (user_id, key_id) = by.unzip();
    let key_id = key_id.flatten();
    let row = audit_entry::Model {
        id,
        user_id,
        key_id,
        action: action.to_owned(),
        subject: subject.to_owned(),
        details,
        outcome: outcome.to_owned(),
        created_at: app.clock.now(),
        seq: None,
        by_salt: None,
        by_commitment: None,
        on_salt: None,
        on_commitment: None,
        hash: None,
    };
    chain::append_in_tx(connection, row).await?;
    tracing::info!(action, subject, outcome, "an operator's act");
    Ok(id)
}

/// Why nothing was done, as a word.
fn outcome(error: &Error) -> String {
    match error {
        Error::NotFound => "not_found".to_owned(),
        Error::Forbidden(_) => "forbidden".to_owned(),
        Error::Internal(_) => FAILED.to_owned(),
        Error::Refused(refusals) => refusals.first().map_or_else(
            || FAILED.to_owned(),
            |refusal| snake(&format!("{:?}", refusal.code)),
        ),
    }
}

/// `WrongState` as `wrong_state`.
fn snake(camel: &str) -> String {
    let mut word = String::with_capacity(camel.len() + 4);
    for (at, sign) in camel.char_indices() {
        if sign.is_ascii_uppercase() && at > 0 {
            word.push('_');
        }
        word.push(sign.to_ascii_lowercase());
    }
    word
}

/// Entries, newest first: at most `limit` behind `cursor`, or before it when `backward`.
pub async fn list(
    app: &App,
    filter: &AuditFilter,
    cursor: Option<AuditId>,
    backward: bool,
    limit: u64,
) -> Result<Vec<Entry>> {
    let mut query = audit_entry::Entity::find();
    if let Some(action) = &filter.action {
        query = query.filter(audit_entry::Column::Action.eq(action));
    }
    if let Some(subject) = &filter.subject {
        query = query.filter(audit_entry::Column::Subject.eq(subject));
    }
    if let Some(name) = &filter.user_name {
        let user = user::Entity::find()
            .filter(user::Column::Name.eq(name))
            .one(app.db.read())
            .await?;
        let Some(user) = user else {
            return Ok(Vec::new());
        };
        query = query.filter(audit_entry::Column::UserId.eq(user.id));
    }
    if backward {
        if let Some(cursor) = cursor {
            query = query.filter(audit_entry::Column::Id.gt(cursor));
        }
        query = query.order_by_asc(audit_entry::Column::Id);
    } else {
        if let Some(cursor) = cursor {
            query = query.filter(audit_entry::Column::Id.lt(cursor));
        }
        query = query.order_by_desc(audit_entry::Column::Id);
    }
    let mut rows = query.limit(limit).all(app.db.read()).await?;
    if backward {
        rows.reverse();
    }
    named(app, rows).await
}

/// One entry.
pub async fn get(app: &App, id: AuditId) -> Result<Entry> {
    let row = audit_entry::Entity::find_by_id(id)
        .one(app.db.read())
        .await?;
    let rows = row.into_iter().collect();
    named(app, rows).await?.pop().ok_or(Error::NotFound)
}

async fn named(app: &App, rows: Vec<audit_entry::Model>) -> Result<Vec<Entry>> {
    let users: HashMap<UserId, String> = user::Entity::find()
        .filter(user::Column::Id.is_in(rows.iter().filter_map(|row| row.user_id)))
        .all(app.db.read())
        .await?
        .into_iter()
        .map(|user| (user.id, user.name))
        .collect();
    let keys: HashMap<ApiKeyId, String> = api_key::Entity::find()
        .filter(api_key::Column::Id.is_in(rows.iter().filter_map(|row| row.key_id)))
        .all(app.db.read())
        .await?
        .into_iter()
        .map(|key| (key.id, key.name))
        .collect();
    Ok(rows
        .into_iter()
        .map(|row| Entry {
            user_name: row.user_id.and_then(|id| users.get(&id).cloned()),
            key_name: row.key_id.and_then(|id| keys.get(&id).cloned()),
            row,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::error::{Code, Refusal};

    #[test]
    fn outcomes_are_words() {
        let refused = Refusal::whole(Code::WrongState, "text").into();
        assert_eq!(outcome(&refused), "wrong_state");
        assert_eq!(outcome(&Error::NotFound), "not_found");
    }
}
