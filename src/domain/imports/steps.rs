//! The changes of an import while its worker fetches. Each is repeatable, and none undoes an end.

use clipqueue_entities::{
    MediaImportId,
    media_import::{self as import, ImportState},
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _,
};
use serde_json::json;
use url::Url;

use super::place;
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        error::Result,
        events::{self, NewEvent},
    },
    media::{Media, MediaError, MediaState, NewUpload},
};

/// An import that has not ended, and its address.
#[derive(Debug)]
pub struct Open {
    /// The import.
    pub row: import::Model,
    /// The address. It may hold a secret.
    pub url: Url,
}

/// The import, if it has not ended.
pub async fn open(app: &App, id: MediaImportId) -> Result<Option<Open>> {
    let row = import::Entity::find_by_id(id).one(app.db.read()).await?;
    let Some(row) = row.filter(|row| row.ended_at.is_none()) else {
        return Ok(None);
    };
    let Some(sealed) = &row.url else {
        return Ok(None);
    };
    let name = id.to_string();
    let text = app.vault.application().open(place(&name), sealed);
    let text = text.map_err(anyhow::Error::from)?;
    let text = std::str::from_utf8(&text).map_err(anyhow::Error::from)?;
    let url = Url::parse(text).map_err(anyhow::Error::from)?;
    Ok(Some(Open { row, url }))
}

/// Reserves a file of `size` bytes whose content has `mark`. What the store refuses is its answer.
pub async fn reserve(
    app: &App,
    row: &import::Model,
    size: u64,
    mark: Option<String>,
) -> Result<Result<Media, MediaError>> {
    let new = NewUpload {
        size,
        filename: row.filename.clone(),
        ..NewUpload::default()
    };
    let tx = app.db.begin().await?;
    let media = match app.media.create_in_tx(&tx, row.user_id, new).await {
        Ok(media) => media,
        Err(error) => return Ok(Err(error)),
    };
    let changed = import::Entity::update_many()
        .set(import::ActiveModel {
            media_id: Set(Some(media.id)),
            mark: Set(mark),
            state: Set(ImportState::Fetching),
            updated_at: Set(app.clock.now()),
            ..Default::default()
        })
        .filter(import::Column::Id.eq(row.id))
        .filter(import::Column::EndedAt.is_null())
        .filter(import::Column::MediaId.is_null())
        .exec(&tx)
        .await?;
    if changed.rows_affected != 1 {
        tx.rollback().await?;
        return Err(anyhow::anyhow!("the import was taken up by somebody else").into());
    }
    crash::commit(tx, Commit::ImportReserved).await?;
    Ok(Ok(media))
}

/// Lets the import begin anew: the file at its address is another one than before.
pub async fn restart(app: &App, row: &import::Model) -> Result<()> {
    let tx = app.db.begin().await?;
    import::ActiveModel {
        id: Set(row.id),
        media_id: Set(None),
        mark: Set(None),
        restarts: Set(row.restarts + 1),
        updated_at: Set(app.clock.now()),
        ..Default::default()
    }
    .update(&tx)
    .await?;
    crash::commit(tx, Commit::ImportRestarted).await?;
    drop_file(app, row).await;
    Ok(())
}

/// The file is there.
pub async fn finish(app: &App, row: &import::Model) -> Result<()> {
    end(app, row, ImportState::Ready, None).await
}

/// The import is given up; `code` is a word, `message` says to people what to do.
pub async fn fail(app: &App, row: &import::Model, code: &str, message: &str) -> Result<()> {
    end(app, row, ImportState::Failed, Some((code, message))).await?;
    drop_file(app, row).await;
    Ok(())
}

/// Takes away what was stored of a file that will not become whole.
async fn drop_file(app: &App, row: &import::Model) {
    let Some(id) = row.media_id else {
        return;
    };
    let unfinished = app.media.get(row.user_id, id).await;
    if unfinished.is_ok_and(|media| media.state == MediaState::Uploading)
        && let Err(error) = app.media.terminate(row.user_id, id).await
    {
        // An unfinished upload expires by itself.
        tracing::debug!(%error, "what an import left will expire");
    }
}

async fn end(
    app: &App,
    row: &import::Model,
    state: ImportState,
    failure: Option<(&str, &str)>,
) -> Result<()> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let changed = import::Entity::update_many()
        .set(import::ActiveModel {
            state: Set(state),
            url: Set(None),
            failure_code: Set(failure.map(|(code, _)| code.to_owned())),
            failure_message: Set(failure.map(|(_, message)| message.to_owned())),
            updated_at: Set(now),
            ended_at: Set(Some(now)),
            ..Default::default()
        })
        .filter(import::Column::Id.eq(row.id))
        .filter(import::Column::EndedAt.is_null())
        .exec(&tx)
        .await?;
    if changed.rows_affected == 1 {
        let (kind, data) = match failure {
            None => ("media.imported", json!({})),
            Some((code, message)) => (
                "media.import_failed",
                json!({ "code": code, "message": message }),
            ),
        };
        let event = NewEvent {
            user_id: row.user_id,
            account_id: None,
            post_id: None,
            kind,
            data,
            evidence_id: None,
        };
        events::append_in_tx(&tx, now, event).await?;
    }
    crash::commit(tx, Commit::ImportEnded).await?;
    let outcome = failure.map_or("ready", |(code, _)| code).to_owned();
    metrics::counter!("clipqueue_imports_total", "outcome" => outcome).increment(1);
    app.announce(row.user_id).await;
    Ok(())
}
