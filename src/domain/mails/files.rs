//! Letters that lie as files in the outbox: as long as their rows, and no longer.

use std::collections::BTreeSet;

use clipqueue_entities::{MailId, Timestamp, UserId, mail};
use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use crate::{app::App, domain::error::Result, mail::Kept};

/// Files whose rows are asked for at once.
const BATCH: usize = 500;

/// The files whose letter ended before `before`, or of whose letter nothing is known any more.
async fn old(app: &App, before: Timestamp) -> Result<Vec<Kept>> {
    let kept = app.mail.kept().await.map_err(anyhow::Error::from)?;
    let named = kept.into_iter().filter_map(|file| {
        let id = file.name.parse::<MailId>().ok()?;
        Some((id, file))
    });
    let named: Vec<(MailId, Kept)> = named.collect();
    let mut old = Vec::new();
    for batch in named.chunks(BATCH) {
        let young: Vec<MailId> = mail::Entity::find()
            .select_only()
            .column(mail::Column::Id)
            .filter(mail::Column::Id.is_in(batch.iter().map(|(id, _)| *id)))
            .filter(
                Condition::any()
                    .add(mail::Column::EndedAt.is_null())
                    .add(mail::Column::EndedAt.gte(before)),
            )
            .into_tuple()
            .all(app.db.read())
            .await?;
        let young: BTreeSet<MailId> = young.into_iter().collect();
        let gone = batch.iter().filter(|(id, _)| !young.contains(id));
        old.extend(gone.map(|(_, file)| file.clone()));
    }
    Ok(old)
}

/// How many files would go.
pub async fn count(app: &App, before: Timestamp) -> Result<u64> {
    Ok(old(app, before).await?.len() as u64)
}

/// Deletes them. Gives how many.
pub async fn prune(app: &App, before: Timestamp) -> Result<u64> {
    let mut removed = 0;
    for file in old(app, before).await? {
        removed += forget(app, &file.name).await?;
    }
    Ok(removed)
}

/// Deletes the files of a user's letters.
pub async fn forget_user(app: &App, user: UserId) -> Result<u64> {
    forget_all(app, Condition::all().add(mail::Column::UserId.eq(user))).await
}

/// Deletes the files of letters whose causes begin so.
pub async fn forget_about(app: &App, causes: &str) -> Result<u64> {
    forget_all(
        app,
        Condition::all().add(mail::Column::Cause.starts_with(causes)),
    )
    .await
}

async fn forget_all(app: &App, which: Condition) -> Result<u64> {
    let ids: Vec<MailId> = mail::Entity::find()
        .select_only()
        .column(mail::Column::Id)
        .filter(which)
        .into_tuple()
        .all(app.db.read())
        .await?;
    let mut removed = 0;
    for id in ids {
        removed += forget(app, &id.to_string()).await?;
    }
    Ok(removed)
}

async fn forget(app: &App, name: &str) -> Result<u64> {
    let was_there = app.mail.forget(name).await.map_err(anyhow::Error::from)?;
    Ok(u64::from(was_there))
}
