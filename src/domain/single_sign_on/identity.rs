//! Who somebody at the provider is here, and with which role.
//!
//! Issuer and subject are who they are; a name or an address of mail never is. The first sign-in with a
//! role makes a user and an operator; each later one gives the role of then. When the provider gives none
//! any more, the operator lapses until it does again. Whom the command line revoked stays revoked.

use clipqueue_entities::{
    Timestamp, UserId,
    operator::{self, Role},
    operator_identity, user,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QuerySelect as _, SqlErr,
};
use serde_json::json;

use super::NotSignedIn;
use crate::{
    app::App,
    domain::{
        actor::Actor, audit, console_sessions, erasure, error::Result, names, roles,
        session_cookie::NewSession,
    },
    oidc::{Claims, Provider},
};

/// What an operator without a name is called.
const NAMELESS: &str = "operator";
/// Turns that a sign-in has when others of the same person come first. The second finds the operator.
const TURNS: usize = 2;

/// An operator who signed in without a key, if they may still be here.
pub async fn still(app: &App, user: UserId) -> Result<Option<Actor>> {
    let Some(provider) = &app.oidc else {
        return Ok(None);
    };
    let db = app.db.read();
    let identity = operator_identity::Entity::find_by_id(user).one(db).await?;
    let is_of_provider =
        identity.is_some_and(|identity| identity.issuer == provider.settings().issuer);
    let operator = operator::Entity::find_by_id(user).one(db).await?;
    let owner = user::Entity::find_by_id(user).one(db).await?;
    Ok(match (operator, owner) {
        (Some(operator), Some(owner))
            if is_of_provider && operator.ended_at.is_none() && owner.leaving_at.is_none() =>
        {
            Some(actor(owner.id, owner.name, operator.role))
        }
        _ => None,
    })
}

fn actor(user_id: UserId, user_name: String, role: Role) -> Actor {
    Actor {
        user_id,
        user_name,
        key_id: None,
        session_id: None,
        scopes: roles::scopes(role),
        expires_at: None,
        accounts: None,
    }
}

/// Signs in whom the claims are about, with the role that they give.
pub(super) async fn sign_in(
    app: &App,
    provider: &Provider,
    claims: &Claims,
) -> std::result::Result<NewSession, NotSignedIn> {
    let settings = provider.settings();
    let role = settings.role(&claims.values);
    for _ in 0..TURNS {
        if let Some(session) = admit(app, &settings.issuer, claims, role).await? {
            return Ok(session);
        }
    }
    let error = anyhow::anyhow!("other sign-ins of the same operator were always faster");
    Err(NotSignedIn::Internal(error.into()))
}

/// One turn; nothing, when another first sign-in of the same person made the operator meanwhile.
async fn admit(
    app: &App,
    issuer: &str,
    claims: &Claims,
    role: Option<Role>,
) -> std::result::Result<Option<NewSession>, NotSignedIn> {
    let tx = app.db.begin().await?;
    let known = operator_identity::Entity::find()
        .filter(operator_identity::Column::Issuer.eq(issuer))
        .filter(operator_identity::Column::Subject.eq(&claims.subject))
        .lock_exclusive()
        .one(&tx)
        .await?;
    let actor = match (known, role) {
        (None, None) => {
            tx.rollback().await?;
            return Err(NotSignedIn::NoRole);
        }
        (Some(known), None) => {
            lapse(app, &tx, known).await?;
            tx.commit().await?;
            return Err(NotSignedIn::NoRole);
        }
        (None, Some(role)) => match make(app, &tx, issuer, claims, role).await? {
            Some(actor) => actor,
            None => {
                tx.rollback().await?;
                return Ok(None);
            }
        },
        (Some(known), Some(role)) => match welcome(app, &tx, known, role).await {
            Ok(actor) => actor,
            Err(refused) => {
                tx.rollback().await?;
                return Err(refused);
            }
        },
    };
    let how = json!({ "by": "oidc" });
    let session = console_sessions::begin_in_tx(app, &tx, &actor, how).await?;
    tx.commit().await?;
    Ok(Some(session))
}

/// Makes a user and an operator of somebody who comes for the first time; nothing, when they have come
/// meanwhile.
async fn make(
    app: &App,
    tx: &impl ConnectionTrait,
    issuer: &str,
    claims: &Claims,
    role: Role,
) -> Result<Option<Actor>> {
    let now = app.clock.now();
    let owner = user::Model {
        id: UserId::new(),
        name: names::fresh(claims.name.as_deref(), NAMELESS),
        created_at: now,
        leaving_at: None,
    };
    let identity = operator_identity::Model {
        user_id: owner.id,
        issuer: issuer.to_owned(),
        subject: claims.subject.clone(),
        created_at: now,
        seen_at: now,
        lapsed_at: None,
    };
    let operator = operator::Model {
        user_id: owner.id,
        role,
        created_at: now,
        changed_at: now,
        ended_at: None,
    };
    let actor = actor(owner.id, owner.name.clone(), role);
    user::Entity::insert(owner.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    operator::Entity::insert(operator.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    let inserted = operator_identity::Entity::insert(identity.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await;
    if let Err(error) = inserted {
        return match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Ok(None),
            _ => Err(error.into()),
        };
    }
    record(app, tx, "operator.add", actor.user_id, Some(role)).await?;
    Ok(Some(actor))
}

/// Lets somebody in who was here before, with the role of now.
async fn welcome(
    app: &App,
    tx: &impl ConnectionTrait,
    mut identity: operator_identity::Model,
    role: Role,
) -> std::result::Result<Actor, NotSignedIn> {
    let now = app.clock.now();
    let user = identity.user_id;
    if erasure::is_leaving(tx, user).await? {
        return Err(NotSignedIn::Leaving);
    }
    let owner = user::Entity::find_by_id(user).one(tx).await?;
    let before = locked(tx, user).await?;
    let (Some(owner), Some(mut operator)) = (owner, before) else {
        return Err(NotSignedIn::Leaving);
    };
    if operator.ended_at.is_some() && identity.lapsed_at.is_none() {
        return Err(NotSignedIn::Revoked);
    }
    if operator.ended_at.is_some() || operator.role != role {
        operator.role = role;
        operator.changed_at = now;
        operator.ended_at = None;
        save(tx, operator).await?;
        record(app, tx, "operator.role", user, Some(role)).await?;
    }
    identity.seen_at = now;
    identity.lapsed_at = None;
    operator_identity::Entity::update(identity.into_active_model().reset_all())
        .exec(tx)
        .await?;
    Ok(actor(user, owner.name, role))
}

/// Ends an operator to whom the provider gives no role, with every session, until it gives one again.
async fn lapse(
    app: &App,
    tx: &impl ConnectionTrait,
    mut identity: operator_identity::Model,
) -> Result<()> {
    let now: Timestamp = app.clock.now();
    let user = identity.user_id;
    console_sessions::end_all_in_tx(tx, user).await?;
    // One who has lapsed, or was revoked, stays as they are.
    if let Some(mut operator) = locked(tx, user).await?
        && operator.ended_at.is_none()
    {
        operator.ended_at = Some(now);
        save(tx, operator).await?;
        identity.lapsed_at = Some(now);
        operator_identity::Entity::update(identity.into_active_model().reset_all())
            .exec(tx)
            .await?;
        record(app, tx, "operator.lapse", user, None).await?;
    }
    Ok(())
}

async fn locked(
    tx: &impl ConnectionTrait,
    user: UserId,
) -> std::result::Result<Option<operator::Model>, DbErr> {
    operator::Entity::find_by_id(user)
        .lock_exclusive()
        .one(tx)
        .await
}

async fn save(
    tx: &impl ConnectionTrait,
    operator: operator::Model,
) -> std::result::Result<(), DbErr> {
    operator::Entity::update(operator.into_active_model().reset_all())
        .exec(tx)
        .await
        .map(drop)
}

async fn record(
    app: &App,
    tx: &impl ConnectionTrait,
    action: &'static str,
    user: UserId,
    role: Option<Role>,
) -> Result<()> {
    let details = json!({ "role": role.map(roles::word), "by": "oidc" });
    let subject = format!("user:{user}");
    audit::record_own_in_tx(app, tx, action, &subject, details).await?;
    Ok(())
}
