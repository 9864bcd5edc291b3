//! Files that are fetched from tenants' own addresses, as their owner sees them.
//!
//! An import is accepted with the idempotency key, its row and its job in one transaction. The address
//! must lie below a verified source. It is sealed, since its query may be as good as a password, and
//! forgotten when the import is over; what is shown and logged is the address without its query.

pub mod steps;
pub mod sweep;

use clipqueue_entities::{
    MediaImportId, UserId,
    media_import::{self as import, ImportState},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::Serialize;
use url::Url;

use super::{
    actor::Actor,
    error::{Code, Error, Refusal, Result},
    idempotency::{Request, Seen},
    sources,
};
use crate::{
    app::App,
    crash::{self, Commit},
    job::{IMPORTS, Job},
    secrets::Place,
};

/// Imports of one tenant that may be under way.
const MAX_OPEN: u64 = 100;

/// A file that is to be fetched.
#[derive(Clone, Debug, Serialize)]
pub struct NewImport {
    /// Its address.
    pub url: String,
    /// Its name; the last part of the address, when absent.
    pub filename: Option<String>,
}

/// Accepts a file to fetch. The same key with the same request gives the same import.
pub async fn begin(
    app: &App,
    actor: &Actor,
    new: NewImport,
    idempotency_key: &str,
) -> Result<import::Model> {
    let user = actor.user_id;
    let request = Request::new(user, idempotency_key, "importMedia", &new)?;
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return get(app, user, MediaImportId(id)).await;
    }
    let refuse = |code, text: String| Error::from(Refusal::new("url", code, text));
    let mut url = match app.fetch.policy().read(&new.url) {
        Ok(url) => url,
        Err(problem) => return Err(refuse(Code::Invalid, problem.to_string())),
    };
    url.set_fragment(None);
    let Some(source) = sources::covering(app, user, &url).await? else {
        let text = "lies below none of your verified sources; name one with addVerifiedSource and \
                    put its proof in place";
        return Err(refuse(Code::Invalid, text.to_owned()));
    };
    let (id, now) = (MediaImportId::new(), app.clock.now());
    let name = id.to_string();
    let row = import::Model {
        id,
        user_id: user,
        source_id: source.id,
        url: Some(
            app.vault
                .application()
                .seal(place(&name), url.as_str().as_bytes()),
        ),
        shown_url: shown(&url),
        filename: new.filename.or_else(|| last_part(&url)),
        media_id: None,
        state: ImportState::Waiting,
        mark: None,
        restarts: 0,
        failure_code: None,
        failure_message: None,
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    let tx = app.db.begin().await?;
    let open = import::Entity::find()
        .filter(import::Column::UserId.eq(user))
        .filter(import::Column::EndedAt.is_null())
        .count(&tx)
        .await?;
    if open >= MAX_OPEN {
        let text = "100 imports are under way; wait until some have ended";
        return Err(Refusal::whole(Code::QuotaExceeded, text).into());
    }
    if let Seen::Before(id) = request.record_in_tx(&tx, now, id.0).await? {
        tx.rollback().await?;
        return get(app, user, MediaImportId(id)).await;
    }
    import::Entity::insert(row.clone().into_active_model().reset_all())
        .exec_without_returning(&tx)
        .await?;
    app.enqueue_in_tx(&tx, job(&row), None).await?;
    crash::commit(tx, Commit::ImportAccepted).await?;
    app.nudge(IMPORTS);
    Ok(row)
}

/// An import of `user`.
pub async fn get(app: &App, user: UserId, id: MediaImportId) -> Result<import::Model> {
    import::Entity::find_by_id(id)
        .filter(import::Column::UserId.eq(user))
        .one(app.db.read())
        .await?
        .ok_or(Error::NotFound)
}

/// Imports of `user`, newest first: at most `limit` behind `cursor`, or before it when `backward`.
pub async fn list(
    app: &App,
    user: UserId,
    cursor: Option<MediaImportId>,
    backward: bool,
    limit: u64,
) -> Result<Vec<import::Model>> {
    let mut query = import::Entity::find()
        .filter(import::Column::UserId.eq(user))
        .limit(limit);
    if let Some(cursor) = cursor {
        query = query.filter(if backward {
            import::Column::Id.gt(cursor)
        } else {
            import::Column::Id.lt(cursor)
        });
    }
    if !backward {
        let query = query.order_by_desc(import::Column::Id);
        return Ok(query.all(app.db.read()).await?);
    }
    let mut found = query
        .order_by_asc(import::Column::Id)
        .all(app.db.read())
        .await?;
    found.reverse();
    Ok(found)
}

fn job(row: &import::Model) -> Job {
    Job::ImportMedia {
        import_id: row.id,
        user_id: row.user_id,
    }
}

fn place(row: &str) -> Place<'_> {
    Place {
        table: "media_imports",
        column: "url",
        row,
        version: 1,
    }
}

/// The address without what may be secret.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}

fn last_part(url: &Url) -> Option<String> {
    let part = url.path_segments()?.next_back()?;
    (!part.is_empty()).then(|| part.to_owned())
}
