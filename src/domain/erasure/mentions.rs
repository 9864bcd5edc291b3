//! Records of other things that name what is erased: acts of operators and reports of audits stay,
//! without the names.

use aho_corasick::AhoCorasick;
use clipqueue_entities::{
    AuditId, BulkActId, DriftReportId, audit_entry, bulk_act, drift_report, erasure,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::subject;
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        audit::{chain, record_own_in_tx, verify::CLEARED},
        deletions,
        error::Result,
    },
};

/// Rows that are looked at together.
const PAGE: u64 = 500;

/// Takes the names out. Gives how many rows of each table were changed.
pub async fn clear_mentions(app: &App, erasure: &erasure::Model) -> Result<Value> {
    let Some(user) = erasure.user_id else {
        return Ok(json!({}));
    };
    // These records hold ids alone, and a name may be anybody's word.
    let mut names = subject::identifiers(app, user, erasure.account_id).await?;
    names.retain(|name| Uuid::try_parse(name).is_ok());
    let names = AhoCorasick::new(&names).map_err(anyhow::Error::from)?;
    chain::adopt(app).await?;
    let usernames: Vec<String> = super::accounts(app, erasure)
        .await?
        .into_iter()
        .filter_map(|account| account.username)
        .collect();
    Ok(json!({
        "deletion_requests": deletions::prove::forget_names(app, &usernames).await?,
        "audit_log": audit(app, &names).await?,
        "bulk_acts": acts(app, &names).await?,
        "drift_reports": reports(app, &names).await?,
    }))
}

async fn audit(app: &App, names: &AhoCorasick) -> Result<u64> {
    let (mut cleared, mut cursor) = (0, None::<AuditId>);
    loop {
        let mut query = audit_entry::Entity::find().order_by_asc(audit_entry::Column::Id);
        if let Some(cursor) = cursor {
            query = query.filter(audit_entry::Column::Id.gt(cursor));
        }
        let page = query.limit(PAGE).all(app.db.read()).await?;
        let Some(last) = page.last() else {
            return Ok(cleared);
        };
        cursor = Some(last.id);
        cleared += clear_page(app, names, page).await?;
    }
}

/// Takes the names out of a page of the chain, in one transaction with the entry that says where.
async fn clear_page(app: &App, names: &AhoCorasick, page: Vec<audit_entry::Model>) -> Result<u64> {
    let (mut of_by, mut of_on, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    for row in page {
        let user = row.user_id.map(|id| id.to_string()).unwrap_or_default();
        let key = row.key_id.map(|id| id.to_string()).unwrap_or_default();
        let by = names.is_match(&user) || names.is_match(&key);
        let on = names.is_match(&row.subject) || names.is_match(&row.details.to_string());
        let mut change = audit_entry::ActiveModel::default();
        if by {
            change.user_id = Set(None);
            change.key_id = Set(None);
            change.by_salt = Set(None);
            of_by.push(row.seq);
        }
        if on {
            change.subject = Set(chain::NOBODY.to_owned());
            change.details = Set(json!({}));
            change.on_salt = Set(None);
            of_on.push(row.seq);
        }
        if by || on {
            changes.push((row.id, change));
        }
    }
    if changes.is_empty() {
        return Ok(0);
    }
    let tx = app.db.begin().await?;
    let mut cleared = 0;
    for (id, change) in changes {
        let updated = audit_entry::Entity::update_many()
            .set(change)
            .filter(audit_entry::Column::Id.eq(id))
            .exec(&tx)
            .await?;
        cleared += updated.rows_affected;
    }
    let places = json!({ "by": of_by, "on": of_on });
    record_own_in_tx(app, &tx, CLEARED, "audit_log", places).await?;
    crash::commit(tx, Commit::RowsErased).await?;
    Ok(cleared)
}

async fn acts(app: &App, names: &AhoCorasick) -> Result<u64> {
    let (mut cleared, mut cursor) = (0, None::<BulkActId>);
    loop {
        let mut query = bulk_act::Entity::find().order_by_asc(bulk_act::Column::Id);
        if let Some(cursor) = cursor {
            query = query.filter(bulk_act::Column::Id.gt(cursor));
        }
        let page = query.limit(PAGE).all(app.db.read()).await?;
        let Some(last) = page.last() else {
            return Ok(cleared);
        };
        cursor = Some(last.id);
        for row in page {
            let error = row.last_error.as_deref().unwrap_or_default();
            if !names.is_match(&row.filter.to_string()) && !names.is_match(error) {
                continue;
            }
            // Its job finds it gone and ends.
            let delete = bulk_act::Entity::delete_by_id(row.id).exec(app.db.write());
            cleared += crash::write(Commit::RowsErased, delete)
                .await?
                .rows_affected;
        }
    }
}

async fn reports(app: &App, names: &AhoCorasick) -> Result<u64> {
    let (mut cleared, mut cursor) = (0, None::<DriftReportId>);
    loop {
        let mut query = drift_report::Entity::find().order_by_asc(drift_report::Column::Id);
        if let Some(cursor) = cursor {
            query = query.filter(drift_report::Column::Id.gt(cursor));
        }
        let page = query.limit(PAGE).all(app.db.read()).await?;
        let Some(last) = page.last() else {
            return Ok(cleared);
        };
        cursor = Some(last.id);
        for row in page {
            if !names.is_match(&row.remarks.to_string()) {
                continue;
            }
            let update = drift_report::Entity::update_many()
                .set(drift_report::ActiveModel {
                    remarks: Set(json!([])),
                    ..Default::default()
                })
                .filter(drift_report::Column::Id.eq(row.id))
                .exec(app.db.write());
            cleared += crash::write(Commit::RowsErased, update)
                .await?
                .rows_affected;
        }
    }
}
