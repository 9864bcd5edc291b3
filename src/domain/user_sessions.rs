//! Users who are signed in with a browser: what the cookie is worth, and ending it.
//!
//! A session is a row and a cookie `<id>.<secret>`; the row holds a keyed hash of the secret. It may what
//! a key of the user's with every scope of a tenant may. It ends by itself some time after its last use
//! and a longer time after its beginning, and when the user leaves.

use std::{net::IpAddr, time::Duration};

use clipqueue_entities::{Timestamp, UserId, UserSessionId, user, user_session};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, sea_query::Expr,
};

use super::{
    actor::{Actor, Scope},
    error::{Error, Result},
    session_cookie::{self, NewSession},
};
use crate::app::App;

/// Tries to sign in that one address has in a minute. A person needs one or two.
pub const TRIES: u32 = 20;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Which session.
    pub id: UserSessionId,
    /// Who.
    pub actor: Actor,
}

/// How long `source` has to wait before it may begin to sign in again, if it has to.
pub async fn too_often(app: &App, source: Option<IpAddr>) -> Option<Duration> {
    session_cookie::too_often(app, "sign-in", TRIES, source).await
}

/// Begins a session of `user`, who came back from TikTok. The one that the browser showed before ends:
/// a cookie that somebody planted is worth nothing afterwards.
pub async fn begin(app: &App, user: UserId, shown: Option<&str>) -> Result<NewSession> {
    let now = app.clock.now();
    let life = app.config.dashboard.session_life;
    let (id, hash, cookie) = session_cookie::draw(app);
    let row = user_session::Model {
        id: UserSessionId(id),
        user_id: user,
        hash,
        created_at: now,
        seen_at: now,
        expires_at: now + life,
    };
    let before = match shown {
        Some(text) => resume(app, text).await?,
        None => None,
    };
    let tx = app.db.begin().await?;
    if super::erasure::is_leaving(&tx, user).await? {
        tx.rollback().await?;
        return Err(Error::NotFound);
    }
    if let Some(before) = before {
        user_session::Entity::delete_by_id(before.id)
            .exec(&tx)
            .await?;
    }
    user_session::Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(&tx)
        .await?;
    tx.commit().await?;
    Ok(NewSession { cookie, life })
}

/// Who shows the cookie `text`; nobody when the session is over. It counts as a use.
pub async fn resume(app: &App, text: &str) -> Result<Option<Session>> {
    let Some((session, seen_at)) = find(app, text).await? else {
        return Ok(None);
    };
    let now = app.clock.now();
    if now.since(seen_at) >= session_cookie::SEEN_STEP {
        user_session::Entity::update_many()
            .col_expr(user_session::Column::SeenAt, Expr::value(now))
            .filter(user_session::Column::Id.eq(session.id))
            .exec(app.db.write())
            .await?;
    }
    Ok(Some(session))
}

/// The same without counting it as a use: what stays open keeps no session alive.
pub async fn lasts(app: &App, text: &str) -> Result<Option<Session>> {
    Ok(find(app, text).await?.map(|(session, _)| session))
}

/// The session whose cookie is `text`, and when it was used last. One that is over is deleted.
async fn find(app: &App, text: &str) -> Result<Option<(Session, Timestamp)>> {
    let Some((id, secret)) = session_cookie::parse(text) else {
        return Ok(None);
    };
    let id = UserSessionId(id);
    let row = user_session::Entity::find_by_id(id)
        .one(app.db.read())
        .await?;
    let Some(row) = row.filter(|row| app.vault.session_matches(&secret, &row.hash)) else {
        return Ok(None);
    };
    let owner = user::Entity::find_by_id(row.user_id)
        .one(app.db.read())
        .await?;
    let now = app.clock.now();
    let idle = app.config.dashboard.session_idle;
    let owner = owner.filter(|owner| {
        owner.leaving_at.is_none()
            && !session_cookie::is_over(row.seen_at, row.expires_at, idle, now)
    });
    let Some(owner) = owner else {
        user_session::Entity::delete_by_id(id)
            .exec(app.db.write())
            .await?;
        return Ok(None);
    };
    let actor = Actor {
        user_id: owner.id,
        user_name: owner.name,
        key_id: None,
        session_id: Some(id),
        scopes: Scope::TENANT.to_vec(),
        expires_at: Some(row.expires_at),
        accounts: None,
    };
    Ok(Some((Session { id, actor }, row.seen_at)))
}

/// The sessions of `user` that are not over, newest first.
pub async fn list(app: &App, user: UserId) -> Result<Vec<user_session::Model>> {
    let now = app.clock.now();
    let idle = app.config.dashboard.session_idle;
    let mut rows = user_session::Entity::find()
        .filter(user_session::Column::UserId.eq(user))
        .order_by_desc(user_session::Column::CreatedAt)
        .order_by_desc(user_session::Column::Id)
        .all(app.db.read())
        .await?;
    rows.retain(|row| !session_cookie::is_over(row.seen_at, row.expires_at, idle, now));
    Ok(rows)
}

/// Ends a session of `user`: its cookie opens nothing any more.
pub async fn end(app: &App, user: UserId, id: UserSessionId) -> Result<()> {
    let ended = user_session::Entity::delete_many()
        .filter(user_session::Column::Id.eq(id))
        .filter(user_session::Column::UserId.eq(user))
        .exec(app.db.write())
        .await?;
    match ended.rows_affected {
        0 => Err(Error::NotFound),
        _ => Ok(()),
    }
}
