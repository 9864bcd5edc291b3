//! Files that the database knows as whole and whose objects are gone. One that no post needs is ended;
//! one that a post needs stays, and the log names it. When most of what was looked at is gone, or all of
//! a few, the store is another one than before, and nothing is ended.

use clipqueue_entities::{
    MediaId, Timestamp,
    media::{self, MediaState},
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{Count, media as files, tally};
use crate::{
    app::App,
    domain::{
        error::{Error, Result},
        library::life::Over,
    },
};

/// Files that are looked at in one run.
const PAGE: u64 = 200;
/// Fewer gone files than this may be all there are.
const FEW: usize = 10;

/// Looks at the next files. Gives how many were ended.
pub(super) async fn settle(app: &App, rule: &'static str, before: Timestamp) -> Result<u64> {
    let cursor = tally::cursor(app, rule).await?;
    let (looked, lost) = look(app, cursor.map(MediaId), before).await?;
    let most = lost.len() > FEW && lost.len() * 2 > looked.len();
    if most || (!lost.is_empty() && lost.len() == looked.len()) {
        return Err(Error::Internal(anyhow::anyhow!(
            "{} of {} files have no objects: media.url seems to name another store than before",
            lost.len(),
            looked.len()
        )));
    }
    let mut ended = 0;
    for row in lost {
        let file = Over {
            id: row.id,
            user_id: row.user_id,
            ready_at: row.ready_at.unwrap_or(row.updated_at),
            since: before,
        };
        if files::end(app, &file).await? {
            ended += 1;
        } else {
            tracing::error!(media = %row.id, "the objects of a file that a post has are gone");
        }
    }
    let last = looked.last().filter(|_| looked.len() as u64 == PAGE);
    tally::walked(app, rule, last.map(|row| row.id.0)).await?;
    Ok(ended)
}

/// How many there are in all.
pub(super) async fn count(app: &App, before: Timestamp) -> Result<Count> {
    let (mut found, mut cursor) = (Count::default(), None);
    loop {
        let (looked, lost) = look(app, cursor, before).await?;
        for row in lost {
            found.count += 1;
            found.oldest = match (found.oldest, row.ready_at) {
                (Some(oldest), Some(at)) => Some(oldest.min(at)),
                (oldest, at) => oldest.or(at),
            };
        }
        match looked.last() {
            Some(last) if looked.len() as u64 == PAGE => cursor = Some(last.id),
            _ => return Ok(found),
        }
    }
}

/// A page of files that are old enough, and those of them that lack an object.
async fn look(
    app: &App,
    after: Option<MediaId>,
    before: Timestamp,
) -> Result<(Vec<media::Model>, Vec<media::Model>)> {
    let mut query = media::Entity::find()
        .filter(media::Column::State.eq(MediaState::Ready))
        .filter(media::Column::ReadyAt.lt(before))
        .order_by_asc(media::Column::Id)
        .limit(PAGE);
    if let Some(after) = after {
        query = query.filter(media::Column::Id.gt(after));
    }
    let looked = query.all(app.db.read()).await?;
    let mut lost = Vec::new();
    for row in &looked {
        let is_whole = app.media.has_objects(row.id).await;
        if !is_whole.map_err(anyhow::Error::from)? {
            lost.push(row.clone());
        }
    }
    Ok((looked, lost))
}
