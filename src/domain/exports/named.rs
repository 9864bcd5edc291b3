//! Acts of operators that name a user: theirs, and those on what is theirs.

use aho_corasick::AhoCorasick;
use clipqueue_entities::{AuditId, UserId, audit_entry};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        erasure::{receipt::instant, subject},
        error::Result,
    },
};

/// Entries that are read at once.
const PAGE: u64 = 500;

/// Looks through the audit log for a user's ids.
pub(super) struct Named {
    user: UserId,
    names: AhoCorasick,
    cursor: Option<AuditId>,
}

impl Named {
    pub(super) async fn of(app: &App, user: UserId) -> Result<Self> {
        let mut names = subject::identifiers(app, user, None).await?;
        names.retain(|name| Uuid::try_parse(name).is_ok());
        Ok(Self {
            user,
            names: AhoCorasick::new(&names).map_err(anyhow::Error::from)?,
            cursor: None,
        })
    }

    /// The entries of the next page that name the user; nothing, when there is no further page.
    pub(super) async fn next(&mut self, app: &App) -> Result<Option<Vec<Value>>> {
        let mut query = audit_entry::Entity::find().order_by_asc(audit_entry::Column::Id);
        if let Some(cursor) = self.cursor {
            query = query.filter(audit_entry::Column::Id.gt(cursor));
        }
        let page = query.limit(PAGE).all(app.db.read()).await?;
        let Some(last) = page.last() else {
            return Ok(None);
        };
        self.cursor = Some(last.id);
        Ok(Some(
            page.iter().filter_map(|row| self.shown(row)).collect(),
        ))
    }

    /// The entry as its subject may see it: who somebody else is stays out.
    fn shown(&self, row: &audit_entry::Model) -> Option<Value> {
        let is_own = row.user_id == Some(self.user);
        let is_on =
            self.names.is_match(&row.subject) || self.names.is_match(&row.details.to_string());
        (is_own || is_on).then(|| {
            json!({
                "id": row.id,
                "at": instant(row.created_at),
                "by_you": is_own,
                "key_id": row.key_id.filter(|_| is_own),
                "action": row.action,
                "subject": row.subject,
                "details": row.details,
                "outcome": row.outcome,
            })
        })
    }
}
