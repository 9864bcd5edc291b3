//! Captions and sets of hashtags that users keep, and putting a caption together of them.

use clipqueue_entities::{
    PostId, SavedTextId, UserId, post,
    saved_text::{self, TextKind},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, sea_query::OnConflict,
};

use super::fits;
use crate::{
    app::App,
    domain::{
        actor::Actor,
        error::{Code, Error, Refusal, Result},
        posts::{self, PostEdit},
    },
};

/// Longest name.
const MAX_NAME: usize = 100;
/// Longest text: what TikTok takes as the description of photos, in characters.
const MAX_BODY: usize = 4000;
/// Most texts of a user.
const MAX_TEXTS: u64 = 1000;

/// What a caption is put together of.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// The text, when no saved caption is named.
    pub text: Option<String>,
    /// A saved caption.
    pub caption: Option<SavedTextId>,
    /// Saved sets of hashtags, to be put behind it.
    pub hashtags: Vec<SavedTextId>,
}

/// A text that is named and not there, by the field that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing(pub &'static str);

impl From<Missing> for Error {
    fn from(missing: Missing) -> Self {
        let text = "names no saved text of that kind that you have";
        Refusal::new(missing.0, Code::NotFound, text).into()
    }
}

/// Keeps a text under its name; one of that kind and name is replaced.
pub async fn save(
    app: &App,
    actor: &Actor,
    kind: TextKind,
    name: String,
    body: &str,
) -> Result<saved_text::Model> {
    let name = fits("name", name.trim().to_owned(), MAX_NAME)?;
    let body = match kind {
        TextKind::Caption => body.to_owned(),
        TextKind::Hashtags => tags(body)?.join(" "),
    };
    if body.trim().is_empty() || body.chars().count() > MAX_BODY || body.contains('\0') {
        let text = "must have 1 to 4000 characters";
        return Err(Refusal::new("body", Code::Invalid, text).into());
    }
    let (user, now) = (actor.user_id, app.clock.now());
    let of_name = || {
        saved_text::Entity::find()
            .filter(saved_text::Column::UserId.eq(user))
            .filter(saved_text::Column::Kind.eq(kind))
            .filter(saved_text::Column::Name.eq(&name))
    };
    let tx = app.db.begin().await?;
    let kept = saved_text::Entity::find()
        .filter(saved_text::Column::UserId.eq(user))
        .count(&tx)
        .await?;
    if kept >= MAX_TEXTS && of_name().one(&tx).await?.is_none() {
        let text = "1000 texts are kept already; delete some";
        return Err(Refusal::whole(Code::QuotaExceeded, text).into());
    }
    saved_text::Entity::insert(saved_text::ActiveModel {
        id: Set(SavedTextId::new()),
        user_id: Set(user),
        kind: Set(kind),
        name: Set(name.clone()),
        body: Set(body),
        created_at: Set(now),
        updated_at: Set(now),
    })
    .on_conflict(
        OnConflict::columns([
            saved_text::Column::UserId,
            saved_text::Column::Kind,
            saved_text::Column::Name,
        ])
        .update_columns([saved_text::Column::Body, saved_text::Column::UpdatedAt])
        .to_owned(),
    )
    .exec_without_returning(&tx)
    .await?;
    let row = of_name().one(&tx).await?;
    tx.commit().await?;
    row.ok_or(Error::NotFound)
}

/// The texts of `user`, of one kind when given, by name.
pub async fn list(
    app: &App,
    user: UserId,
    kind: Option<TextKind>,
) -> Result<Vec<saved_text::Model>> {
    let mut query = saved_text::Entity::find().filter(saved_text::Column::UserId.eq(user));
    if let Some(kind) = kind {
        query = query.filter(saved_text::Column::Kind.eq(kind));
    }
    Ok(query
        .order_by_asc(saved_text::Column::Name)
        .order_by_asc(saved_text::Column::Id)
        .all(app.db.read())
        .await?)
}

/// Forgets a text.
pub async fn delete(app: &App, actor: &Actor, id: SavedTextId) -> Result<saved_text::Model> {
    let tx = app.db.begin().await?;
    let row = saved_text::Entity::find_by_id(id)
        .filter(saved_text::Column::UserId.eq(actor.user_id))
        .one(&tx)
        .await?
        .ok_or(Error::NotFound)?;
    saved_text::Entity::delete_by_id(id).exec(&tx).await?;
    tx.commit().await?;
    Ok(row)
}

/// Puts a caption together: the text, and behind it the hashtags that it does not have already.
pub async fn compose(
    app: &App,
    user: UserId,
    parts: &Parts,
) -> Result<std::result::Result<String, Missing>> {
    let mut ids = parts.hashtags.clone();
    ids.extend(parts.caption);
    let rows = saved_text::Entity::find()
        .filter(saved_text::Column::UserId.eq(user))
        .filter(saved_text::Column::Id.is_in(ids))
        .all(app.db.read())
        .await?;
    let body = |id: SavedTextId, kind: TextKind| {
        let row = rows.iter().find(|row| row.id == id && row.kind == kind);
        row.map(|row| row.body.as_str())
    };
    let text = match parts.caption {
        Some(id) => match body(id, TextKind::Caption) {
            Some(text) => text,
            None => return Ok(Err(Missing("captionId"))),
        },
        None => parts.text.as_deref().unwrap_or_default(),
    };
    let mut sets = Vec::with_capacity(parts.hashtags.len());
    for id in &parts.hashtags {
        match body(*id, TextKind::Hashtags) {
            Some(set) => sets.push(set),
            None => return Ok(Err(Missing("hashtagSetIds"))),
        }
    }
    Ok(Ok(join(text, &sets)))
}

/// Puts a saved caption, or the one that is there, and saved hashtags on a post that has not begun.
pub async fn apply(
    app: &App,
    actor: &Actor,
    id: PostId,
    expected_version: i32,
    mut parts: Parts,
) -> Result<post::Model> {
    // What is named and missing is told first, whatever the post is.
    compose(app, actor.user_id, &parts).await??;
    let post = posts::get(app.db.read(), actor.user_id, id).await?;
    parts.text = Some(post.caption);
    let caption = compose(app, actor.user_id, &parts).await??;
    let edit = PostEdit {
        caption: Some(caption),
        ..PostEdit::default()
    };
    posts::update(app, actor, id, expected_version, edit).await
}

fn join(text: &str, sets: &[&str]) -> String {
    let mut seen: Vec<String> = text
        .split_whitespace()
        .filter(|word| word.starts_with('#'))
        .map(str::to_lowercase)
        .collect();
    let mut caption = text.trim_end().to_owned();
    for tag in sets.iter().flat_map(|set| set.split_whitespace()) {
        let small = tag.to_lowercase();
        if seen.contains(&small) {
            continue;
        }
        if !caption.is_empty() {
            caption.push(' ');
        }
        caption.push_str(tag);
        seen.push(small);
    }
    caption
}

/// The hashtags of a text, each with its sign.
fn tags(text: &str) -> Result<Vec<String>, Refusal> {
    text.split(|sign: char| sign.is_whitespace() || sign == ',')
        .map(|word| word.trim_start_matches('#'))
        .filter(|word| !word.is_empty())
        .map(|word| {
            let fits = word
                .chars()
                .all(|sign| sign.is_alphanumeric() || sign == '_');
            fits.then(|| format!("#{word}")).ok_or_else(|| {
                let text = "a hashtag has letters, digits and underscores alone";
                Refusal::new("body", Code::Invalid, text)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashtags_follow_once() {
        assert_eq!(
            tags("cats, #dogs\nbirds").unwrap().join(" "),
            "#cats #dogs #birds"
        );
        assert!(tags("two-parts").is_err());
        assert_eq!(
            join("Hello #Cats", &["#cats #dogs", "#dogs #birds"]),
            "Hello #Cats #dogs #birds"
        );
        assert_eq!(join("", &["#a"]), "#a");
    }
}
