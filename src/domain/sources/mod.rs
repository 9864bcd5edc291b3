//! Hosts, or parts of hosts, that tenants say are theirs, so that files may be fetched from there.
//!
//! Proof is a TXT record at `_clipqueue.<host>`, which speaks for the whole host, or a small file at a
//! known place, which speaks for what lies below it. It is looked for again every day; when it is
//! missing for a day, the source lapses and nothing more is fetched from it.

pub mod check;
pub mod proof;

use clipqueue_entities::{
    Timestamp, UserId, VerifiedSourceId,
    verified_source::{self as source, SourceState},
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _,
    IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
};
use url::Url;

use super::{
    actor::Actor,
    error::{Code, Error, Refusal, Result},
    idempotency::{Request, Seen},
};
use crate::{
    app::App,
    job::{Job, OUTBOUND},
    secrets::random_bytes,
};

/// Sources that one tenant may name.
const MAX_SOURCES: u64 = 50;

/// Names a source. It is looked for at once.
pub async fn add(
    app: &App,
    actor: &Actor,
    url: &str,
    idempotency_key: &str,
) -> Result<source::Model> {
    let user = actor.user_id;
    let request = Request::new(user, idempotency_key, "addVerifiedSource", &url)?;
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return get(app, user, VerifiedSourceId(id)).await;
    }
    let (origin, prefix) = read(app, url)?;
    let now = app.clock.now();
    let row = source::Model {
        id: VerifiedSourceId::new(),
        user_id: user,
        origin,
        prefix,
        token: hex::encode(random_bytes::<16>()),
        state: SourceState::Pending,
        method: None,
        failure: None,
        verified_at: None,
        checked_at: None,
        missing_since: Some(now),
        next_check_at: Some(now),
        created_at: now,
    };
    let tx = app.db.begin().await?;
    let mine = source::Entity::find().filter(source::Column::UserId.eq(user));
    if mine.clone().count(&tx).await? >= MAX_SOURCES {
        let text = "50 sources are the most; remove one that you no longer need";
        return Err(Refusal::whole(Code::QuotaExceeded, text).into());
    }
    let same = mine
        .filter(source::Column::Origin.eq(&row.origin))
        .filter(source::Column::Prefix.eq(&row.prefix))
        .one(&tx)
        .await?;
    let id = same.as_ref().map_or(row.id, |same| same.id);
    if let Seen::Before(id) = request.record_in_tx(&tx, now, id.0).await? {
        tx.rollback().await?;
        return get(app, user, VerifiedSourceId(id)).await;
    }
    if let Some(same) = same {
        tx.commit().await?;
        return Ok(same);
    }
    source::Entity::insert(row.clone().into_active_model().reset_all())
        .exec_without_returning(&tx)
        .await?;
    app.enqueue_in_tx(&tx, job(&row), None).await?;
    tx.commit().await?;
    app.nudge(OUTBOUND);
    Ok(row)
}

/// Has a source looked for now.
pub async fn check_now(app: &App, actor: &Actor, id: VerifiedSourceId) -> Result<source::Model> {
    let row = get(app, actor.user_id, id).await?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let mut change = source::ActiveModel {
        id: Set(id),
        next_check_at: Set(Some(now)),
        ..Default::default()
    };
    if row.state == SourceState::Lapsed {
        // It gets its time anew.
        change.state = Set(SourceState::Pending);
        change.missing_since = Set(Some(now));
    }
    let row = change.update(&tx).await?;
    app.hasten_in_tx(&tx, &job(&row)).await?;
    tx.commit().await?;
    app.nudge(OUTBOUND);
    Ok(row)
}

/// Forgets a source. Imports from it that have not ended fail.
pub async fn remove(app: &App, actor: &Actor, id: VerifiedSourceId) -> Result<source::Model> {
    let row = get(app, actor.user_id, id).await?;
    let tx = app.db.begin().await?;
    source::Entity::delete_by_id(id)
        .filter(source::Column::UserId.eq(actor.user_id))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(row)
}

/// A source of `user`.
pub async fn get(app: &App, user: UserId, id: VerifiedSourceId) -> Result<source::Model> {
    source::Entity::find_by_id(id)
        .filter(source::Column::UserId.eq(user))
        .one(app.db.read())
        .await?
        .ok_or(Error::NotFound)
}

/// The sources of `user`, oldest first.
pub async fn list(app: &App, user: UserId) -> Result<Vec<source::Model>> {
    Ok(source::Entity::find()
        .filter(source::Column::UserId.eq(user))
        .order_by_asc(source::Column::Id)
        .all(app.db.read())
        .await?)
}

/// The verified source of `user` that a URL lies below.
pub async fn covering(app: &App, user: UserId, url: &Url) -> Result<Option<source::Model>> {
    let found = list(app, user).await?;
    Ok(found
        .into_iter()
        .find(|row| row.state == SourceState::Verified && covers(row, url)))
}

/// Whether a source is verified still.
pub async fn stands(app: &App, user: UserId, id: VerifiedSourceId) -> Result<bool> {
    match get(app, user, id).await {
        Ok(row) => Ok(row.state == SourceState::Verified),
        Err(Error::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn job(row: &source::Model) -> Job {
    Job::CheckSource {
        source_id: row.id,
        user_id: row.user_id,
    }
}

/// Whether a URL lies below a source. A path that a server could read as leaving it does not.
pub fn covers(row: &source::Model, url: &Url) -> bool {
    let path = url.path();
    origin(url) == row.origin && path.starts_with(&row.prefix) && !climbs(path)
}

/// Whether a path has a step upwards, plain or encoded however often.
fn climbs(path: &str) -> bool {
    let mut text = path.to_ascii_lowercase();
    while text.contains("%25") {
        text = text.replace("%25", "%");
    }
    let text = text
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/")
        .replace('\\', "/");
    text.split('/').any(|step| matches!(step, "." | ".."))
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The origin and the prefix that a text names.
fn read(app: &App, text: &str) -> Result<(String, String)> {
    let refuse = |problem: String| Error::from(Refusal::new("url", Code::Invalid, problem));
    let policy = app.fetch.policy();
    let url = policy
        .read(text)
        .map_err(|problem| refuse(problem.to_string()))?;
    if url.query().is_some() || url.fragment().is_some() || climbs(url.path()) {
        let problem = "must be a host or the beginning of a path, without `?` and `#`";
        return Err(refuse(problem.to_owned()));
    }
    let named = matches!(url.host(), Some(url::Host::Domain(_)));
    if !named && !policy.loopback {
        return Err(refuse("must name a host, not an address".to_owned()));
    }
    let mut prefix = url.path().to_owned();
    if !prefix.ends_with('/') {
        prefix.push('/');
    }
    Ok((origin(&url), prefix))
}

/// When a source whose proof was found is looked for next, by what was found.
pub(super) fn next_look(found: bool, now: Timestamp) -> Timestamp {
    now + if found {
        check::EVERY
    } else {
        check::WHILE_MISSING
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(origin: &str, prefix: &str) -> source::Model {
        let now = Timestamp::from_millis(0);
        source::Model {
            id: VerifiedSourceId::new(),
            user_id: UserId::new(),
            origin: origin.into(),
            prefix: prefix.into(),
            token: "t".into(),
            state: SourceState::Verified,
            method: None,
            failure: None,
            verified_at: None,
            checked_at: None,
            missing_since: None,
            next_check_at: None,
            created_at: now,
        }
    }

    #[test]
    fn a_source_covers_what_lies_below_it_and_nothing_else() {
        let row = source("https://media.example.com", "/clips/");
        for text in [
            "https://media.example.com/clips/a.mp4",
            "https://MEDIA.example.com:443/clips/deep/a.mp4?sig=1#x",
            "https://media.example.com/clips/a%2Fb.mp4",
        ] {
            assert!(covers(&row, &Url::parse(text).unwrap()), "{text}");
        }
        for text in [
            "https://media.example.com/clips",
            "https://media.example.com/clipsy/a.mp4",
            "https://media.example.com/clips/../secret.mp4",
            "https://media.example.com/clips/%2e%2e/secret.mp4",
            "https://media.example.com/clips/..%2fsecret.mp4",
            "https://media.example.com/clips/%252e%252e%252fsecret.mp4",
            "https://media.example.com/clips/..%5csecret.mp4",
            "https://media.example.com:8443/clips/a.mp4",
            "http://media.example.com/clips/a.mp4",
            "https://example.com/clips/a.mp4",
            "https://media.example.com.evil.com/clips/a.mp4",
            "https://evil.com/https://media.example.com/clips/a.mp4",
        ] {
            assert!(!covers(&row, &Url::parse(text).unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_judged_without_panic_or_end(path in "[/.%25efc0-9a-z\\\\]{0,60}") {
            if let Ok(url) = Url::parse(&format!("https://media.example.com/{path}")) {
                let _ = covers(&source("https://media.example.com", "/clips/"), &url);
            }
            let _ = climbs(&path);
        }
    }
}
