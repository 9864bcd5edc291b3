//! Folders: those that something lies in, and moving one with everything in it.

use clipqueue_entities::{
    UserId,
    media::{self, MediaState},
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};

use super::{labels_of, path, search::within, store};
use crate::{
    app::App,
    domain::{
        actor::Actor,
        error::{Code, Refusal, Result},
    },
};

/// Folders that one list shows.
const MAX_FOLDERS: u64 = 1000;
/// Files that lie somewhere: those whose bytes are there or come.
const PRESENT: [MediaState; 2] = [MediaState::Uploading, MediaState::Ready];

/// A folder and what lies in it, without the folders below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its path; empty for the top.
    pub path: String,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The folders of `user` that hold files, by path.
pub async fn list(app: &App, user: UserId) -> Result<Vec<Folder>> {
    let rows: Vec<(String, i64, Option<i64>)> = media::Entity::find()
        .select_only()
        .column(media::Column::Folder)
        .expr_as(Expr::col(media::Column::Id).count(), "files")
        // PostgreSQL sums big integers into a numeric.
        .expr_as(
            Expr::col(media::Column::Size).sum().cast_as("bigint"),
            "bytes",
        )
        .filter(media::Column::UserId.eq(user))
        .filter(media::Column::State.is_in(PRESENT))
        .group_by(media::Column::Folder)
        .order_by_asc(media::Column::Folder)
        .limit(MAX_FOLDERS)
        .into_tuple()
        .all(app.db.read())
        .await?;
    Ok(rows
        .into_iter()
        .map(|(path, files, bytes)| Folder {
            path,
            files: files.unsigned_abs(),
            bytes: bytes.unwrap_or(0).unsigned_abs(),
        })
        .collect())
}

/// Moves a folder of the user, with everything in it and below, to another path. Gives how many files
/// moved; moving it again moves none.
pub async fn rename(app: &App, actor: &Actor, from: &str, to: &str) -> Result<u64> {
    let (from, to) = (path("from", from)?, path("to", to)?);
    if from.is_empty() {
        let text = "names the top, which cannot be moved; name a folder";
        return Err(Refusal::new("from", Code::Invalid, text).into());
    }
    let user = actor.user_id;
    let tx = app.db.begin().await?;
    let mut query = media::Entity::find().filter(media::Column::UserId.eq(user));
    if let Some(inside) = within(&from, true) {
        query = query.filter(inside);
    }
    let rows = query.lock_exclusive().all(&tx).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let mut labels = labels_of(&tx, user, &ids).await?;
    let mut moved = 0;
    for mut row in rows {
        let rest = row.folder.get(from.len()..).unwrap_or_default();
        row.folder = path("to", &format!("{to}{rest}"))?;
        let labels = labels.remove(&row.id).unwrap_or_default();
        store(app, &tx, row, &labels).await?;
        moved += 1;
    }
    tx.commit().await?;
    Ok(moved)
}
