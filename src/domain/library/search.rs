//! Finding files: by folder, label, reference, state, and by words in whatever their owner can read
//! of them.
//!
//! Every word must be found, in any place and whatever its case. Pages go by id, newest first, so that
//! files that come or go meanwhile shift nothing.

use clipqueue_entities::{
    MediaId, UserId,
    media::{self, MediaState},
    media_label,
};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _, sea_query::LikeExpr,
};

use super::path;
use crate::{
    app::App,
    domain::error::{Error, Result},
    media::Media,
};

/// Words that are looked for; more are left out.
const MAX_WORDS: usize = 10;
/// Stands before a sign that would match anything.
const ESCAPE: char = '!';

/// What a list of files is narrowed to. An absent field admits all.
#[derive(Clone, Debug, Default)]
pub struct MediaFilter {
    /// Only files in this folder; empty for the top.
    pub folder: Option<String>,
    /// The folders below it too.
    pub below: bool,
    /// Only files with this label.
    pub label: Option<String>,
    /// Only files with this reference.
    pub reference: Option<String>,
    /// Only files in one of these states.
    pub states: Option<Vec<MediaState>>,
    /// Only files with all of these words in their name, note, labels, folder or reference.
    pub words: Option<String>,
}

/// Files of `user`, newest first: at most `limit` behind `cursor`, or before it when `backward`.
pub async fn list(
    app: &App,
    user: UserId,
    filter: &MediaFilter,
    cursor: Option<MediaId>,
    backward: bool,
    limit: u64,
) -> Result<Vec<Media>> {
    let mut query = media::Entity::find()
        .filter(condition(user, filter)?)
        .limit(limit);
    if let Some(cursor) = cursor {
        query = query.filter(if backward {
            media::Column::Id.gt(cursor)
        } else {
            media::Column::Id.lt(cursor)
        });
    }
    let query = if backward {
        query.order_by_asc(media::Column::Id)
    } else {
        query.order_by_desc(media::Column::Id)
    };
    let mut rows = query.all(app.db.read()).await?;
    if backward {
        rows.reverse();
    }
    let files: Result<Vec<Media>, _> = rows.into_iter().map(Media::try_from).collect();
    files.map_err(|error| Error::Internal(error.into()))
}

fn condition(user: UserId, filter: &MediaFilter) -> Result<Condition> {
    let mut all = Condition::all().add(media::Column::UserId.eq(user));
    if let Some(folder) = &filter.folder {
        let folder = path("folder", folder)?;
        all = all.add_option(within(&folder, filter.below));
    }
    if let Some(label) = &filter.label {
        let labelled = media_label::Entity::find()
            .select_only()
            .column(media_label::Column::MediaId)
            .filter(media_label::Column::UserId.eq(user))
            .filter(media_label::Column::Label.eq(label.trim()))
            .into_query();
        all = all.add(media::Column::Id.in_subquery(labelled));
    }
    if let Some(reference) = &filter.reference {
        all = all.add(media::Column::Reference.eq(reference));
    }
    if let Some(states) = &filter.states {
        all = all.add(media::Column::State.is_in(states.iter().copied()));
    }
    let words = filter.words.as_deref().unwrap_or_default().to_lowercase();
    for word in words.split_whitespace().take(MAX_WORDS) {
        let like = LikeExpr::new(format!("%{}%", plain(word))).escape(ESCAPE);
        all = all.add(media::Column::Search.like(like));
    }
    Ok(all)
}

/// What lies in a folder, and with `below` in those below it; no condition for everything.
pub(super) fn within(folder: &str, below: bool) -> Option<Condition> {
    match (folder, below) {
        ("", true) => None,
        (folder, true) => {
            let inner = LikeExpr::new(format!("{}/%", plain(folder))).escape(ESCAPE);
            Some(
                Condition::any()
                    .add(media::Column::Folder.eq(folder))
                    .add(media::Column::Folder.like(inner)),
            )
        }
        (folder, false) => Some(Condition::all().add(media::Column::Folder.eq(folder))),
    }
}

/// The text as a pattern that matches itself alone.
fn plain(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for sign in text.chars() {
        if matches!(sign, '%' | '_' | ESCAPE) {
            pattern.push(ESCAPE);
        }
        pattern.push(sign);
    }
    pattern
}
