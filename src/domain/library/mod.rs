//! The media library: how users keep their files in order, and the texts that they keep for posts.
//!
//! A file lies in one folder and has any number of labels, a note to be taken as a caption, and a
//! reference of the user's own. Folders are nested paths (`2027/may`) that exist as long as something
//! lies in them. [`search`] finds files, [`folders`] shows and moves folders, [`texts`] keeps captions
//! and hashtags, [`life`] says how long a file is kept, [`experiments`] lists what posts are labelled by.

pub mod experiments;
pub mod folders;
pub mod life;
pub mod search;
pub mod texts;

use std::collections::HashMap;

use clipqueue_entities::{MediaId, UserId, media, media_label};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{
    actor::Actor,
    error::{Code, Error, Refusal, Result},
};
use crate::{
    app::App,
    media::{Media, searchable},
};

/// Longest path of a folder, in characters.
const MAX_PATH: usize = 200;
/// Deepest folder.
const MAX_DEPTH: usize = 10;
/// Most labels of a file.
const MAX_LABELS: usize = 20;
/// Longest label, in characters.
const MAX_LABEL: usize = 50;
/// Longest reference, in characters.
const MAX_REFERENCE: usize = 200;
/// Longest note: what TikTok takes as the description of photos, in characters.
const MAX_CAPTION: usize = 4000;

/// What an edit changes; absent fields stay.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// Another folder; empty for the top.
    pub folder: Option<String>,
    /// All labels anew.
    pub labels: Option<Vec<String>>,
    /// Another note; `Some(None)` takes it away.
    pub caption: Option<Option<String>>,
    /// Another reference; `Some(None)` takes it away.
    pub reference: Option<Option<String>>,
}

/// Edits what the owner keeps about a file.
pub async fn edit(app: &App, actor: &Actor, id: MediaId, edit: Edit) -> Result<Media> {
    let user = actor.user_id;
    let folder = edit
        .folder
        .as_deref()
        .map(|text| path("folder", text))
        .transpose()?;
    let labels = edit.labels.map(labels).transpose()?;
    let caption = edit
        .caption
        .map(|text| text.map(caption).transpose())
        .transpose()?;
    let reference = edit
        .reference
        .map(|text| text.map(reference).transpose())
        .transpose()?;
    let tx = app.db.begin().await?;
    let mut row = media::Entity::find_by_id(id)
        .filter(media::Column::UserId.eq(user))
        .lock_exclusive()
        .one(&tx)
        .await?
        .ok_or(Error::NotFound)?;
    row.folder = folder.unwrap_or(row.folder);
    row.caption = caption.unwrap_or(row.caption);
    row.reference = reference.unwrap_or(row.reference);
    if let Some(labels) = &labels {
        relabel(&tx, user, id, labels).await?;
    }
    let labels = match labels {
        Some(labels) => labels,
        None => labels_of(&tx, user, &[id])
            .await?
            .remove(&id)
            .unwrap_or_default(),
    };
    let row = store(app, &tx, row, &labels).await?;
    tx.commit().await?;
    row.try_into()
        .map_err(|error| Error::Internal(anyhow::Error::new::<crate::media::MediaError>(error)))
}

/// Writes what the owner keeps about a file, and what it is found by.
async fn store(
    app: &App,
    tx: &impl ConnectionTrait,
    row: media::Model,
    labels: &[String],
) -> Result<media::Model> {
    let mut texts = vec![
        row.filename.as_deref(),
        row.caption.as_deref(),
        row.reference.as_deref(),
        Some(row.folder.as_str()),
    ];
    texts.extend(labels.iter().map(|label| Some(label.as_str())));
    let change = media::ActiveModel {
        id: Set(row.id),
        search: Set(searchable(&texts)),
        folder: Set(row.folder.clone()),
        caption: Set(row.caption.clone()),
        reference: Set(row.reference.clone()),
        updated_at: Set(app.clock.now()),
        ..Default::default()
    };
    Ok(change.update(tx).await?)
}

async fn relabel(
    tx: &impl ConnectionTrait,
    user: UserId,
    id: MediaId,
    labels: &[String],
) -> Result<()> {
    media_label::Entity::delete_many()
        .filter(media_label::Column::MediaId.eq(id))
        .exec(tx)
        .await?;
    if labels.is_empty() {
        return Ok(());
    }
    let rows = labels.iter().map(|label| media_label::ActiveModel {
        media_id: Set(id),
        label: Set(label.clone()),
        user_id: Set(user),
    });
    media_label::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// The labels of files of `user`, in order.
pub async fn labels_of(
    db: &impl ConnectionTrait,
    user: UserId,
    ids: &[MediaId],
) -> Result<HashMap<MediaId, Vec<String>>> {
    let rows = media_label::Entity::find()
        .filter(media_label::Column::UserId.eq(user))
        .filter(media_label::Column::MediaId.is_in(ids.iter().copied()))
        .order_by_asc(media_label::Column::Label)
        .all(db)
        .await?;
    let mut found: HashMap<MediaId, Vec<String>> = HashMap::new();
    for row in rows {
        found.entry(row.media_id).or_default().push(row.label);
    }
    Ok(found)
}

/// A folder's path in its one form: parts without spaces around them, joined by slashes.
pub(super) fn path(field: &'static str, text: &str) -> Result<String, Refusal> {
    let parts: Vec<&str> = text
        .split('/')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    let path = parts.join("/");
    let odd = |part: &&str| *part == "." || *part == ".." || part.chars().any(char::is_control);
    if parts.len() > MAX_DEPTH || path.chars().count() > MAX_PATH || parts.iter().any(odd) {
        let text = "must be a path such as 2027/may, with at most 10 parts and 200 characters";
        return Err(Refusal::new(field, Code::Invalid, text));
    }
    Ok(path)
}

/// A reference that can be kept.
pub(super) fn reference(text: String) -> Result<String, Refusal> {
    fits("reference", text, MAX_REFERENCE)
}

fn caption(text: String) -> Result<String, Refusal> {
    if text.chars().count() > MAX_CAPTION || text.contains('\0') {
        let text = "must have at most 4000 characters";
        return Err(Refusal::new("caption", Code::TooLong, text));
    }
    Ok(text)
}

/// Labels without spaces around them, each once, in order.
fn labels(labels: Vec<String>) -> Result<Vec<String>, Refusal> {
    let mut kept = Vec::with_capacity(labels.len());
    for label in labels {
        kept.push(fits("labels", label.trim().to_owned(), MAX_LABEL)?);
    }
    kept.sort_unstable();
    kept.dedup();
    if kept.len() > MAX_LABELS {
        let text = "a file has at most 20 labels; leave some out";
        return Err(Refusal::new("labels", Code::Invalid, text));
    }
    Ok(kept)
}

fn fits(field: &'static str, text: String, most: usize) -> Result<String, Refusal> {
    if text.trim().is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
        let text = format!("must have 1 to {most} characters, in one line");
        return Err(Refusal::new(field, Code::Invalid, text));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_has_one_form() {
        for text in ["2027/may", "/2027/ may/", "2027//may"] {
            assert_eq!(path("folder", text).unwrap(), "2027/may");
        }
        assert_eq!(path("folder", " / ").unwrap(), "");
        for text in ["a/../b", "a\u{7}", &"a/".repeat(11), &"a".repeat(201)] {
            assert!(path("folder", text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_path_that_is_taken_is_taken_as_it_is(text in ".{0,80}") {
            if let Ok(first) = path("folder", &text) {
                prop_assert_eq!(path("folder", &first), Ok(first.clone()));
            }
        }
    }
}
