//! Operators and their roles: who is one, what that allows, and the table of what needs which.
//!
//! A key carries scopes, as every key does; the role of its owner bounds those of operators at each use, so
//! that a change of the role counts at once for every key and session. A key whose owner has no role is
//! what its scopes say: it was made on the command line. Operators are made on the command line, and by a
//! provider of identities ([`single_sign_on`](super::single_sign_on)).

mod table;

use clipqueue_entities::{
    Timestamp, UserId, api_key,
    operator::{self, Role},
    operator_identity, user,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, sea_query::Expr,
};
use serde_json::json;

pub use self::table::{OPERATIONS, least, of_field};
use super::{
    actor::{Actor, Scope},
    api_keys::{self, NewKey},
    audit, console_sessions,
    error::{Code, Error, Refusal, Result},
};
use crate::app::App;

/// What stands for "refused by the role" in the record.
const REFUSED: &str = "role.refused";
/// What the key of a new operator is called.
const KEY_NAME: &str = "operator";

/// The word for a role.
pub const fn word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

/// The role of that word.
pub fn named(word: &str) -> Option<Role> {
    let roles = [Role::Viewer, Role::Operator, Role::Admin];
    roles.into_iter().find(|role| self::word(*role) == word)
}

/// The scope that stands for a role: whoever has it has the role at least.
pub const fn scope(role: Role) -> Scope {
    match role {
        Role::Viewer => Scope::OpsRead,
        Role::Operator => Scope::OpsWrite,
        Role::Admin => Scope::OpsAdmin,
    }
}

/// The scopes of operators, the least first.
pub const SCOPES: [Scope; 3] = [Scope::OpsRead, Scope::OpsWrite, Scope::OpsAdmin];

/// The scopes that a role allows.
pub fn scopes(role: Role) -> Vec<Scope> {
    let roles = [Role::Viewer, Role::Operator, Role::Admin];
    let allowed = roles.into_iter().filter(|of| *of <= role);
    allowed.map(scope).collect()
}

/// An operator with the name.
#[derive(Clone, Debug)]
pub struct Known {
    /// The user's name.
    pub name: String,
    /// The row.
    pub row: operator::Model,
    /// Who they are at the provider of identities that made them; none, when the command line did.
    pub identity: Option<operator_identity::Model>,
}

impl Known {
    /// The word for what they may do now: the role, or why they have none.
    pub fn standing(&self) -> &'static str {
        let lapsed = self.identity.as_ref().and_then(|of| of.lapsed_at);
        match (self.row.ended_at, lapsed) {
            (None, _) => word(self.row.role),
            (Some(_), Some(_)) => "lapsed",
            (Some(_), None) => "revoked",
        }
    }
}

/// Takes the scopes away that the role of `user` does not allow.
pub(super) async fn bound(
    db: &impl ConnectionTrait,
    user: UserId,
    mut scopes: Vec<Scope>,
) -> Result<Vec<Scope>> {
    if !scopes.iter().any(|scope| SCOPES.contains(scope)) {
        return Ok(scopes);
    }
    if let Some(row) = operator::Entity::find_by_id(user).one(db).await? {
        let allows = |wanted: Role| row.ended_at.is_none() && wanted <= row.role;
        scopes.retain(|of| match of {
            Scope::OpsRead => allows(Role::Viewer),
            Scope::OpsWrite => allows(Role::Operator),
            Scope::OpsAdmin => allows(Role::Admin),
            _ => true,
        });
    }
    Ok(scopes)
}

/// Refuses `actor` unless the table lets them do `operation`. A refused operator is put on record; whoever
/// is none has nothing to be recorded for.
pub async fn require(app: &App, actor: &Actor, operation: &str) -> Result<()> {
    let Some(role) = least(operation) else {
        return Err(Error::NotFound);
    };
    let scope = scope(role);
    if actor.may(scope) {
        return Ok(());
    }
    refused(app, actor, operation, scope).await;
    Err(Error::Forbidden(scope.as_str()))
}

/// Puts on record that an operator was refused something for want of a scope.
pub async fn refused(app: &App, actor: &Actor, operation: &str, scope: Scope) {
    if !SCOPES.contains(&scope) || !SCOPES.iter().any(|of| actor.may(*of)) {
        return;
    }
    let details = json!({ "needs": scope.as_str() });
    let ended: Result<()> = Err(Error::Forbidden(scope.as_str()));
    let recorded = audit::refusal(app, actor, REFUSED, operation, details, ended).await;
    if let Err(Error::Internal(error)) = recorded {
        // It stays refused.
        tracing::error!(?error, operation, "a refusal cannot be recorded");
    }
}

/// Makes the user of that name an operator, with a key.
pub async fn add(app: &App, name: &str, role: Role) -> Result<NewKey> {
    let owner = api_keys::ensure_user(app, name).await?;
    let new = api_keys::draw(app, owner.id, KEY_NAME, &SCOPES, None, None)?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    if super::erasure::is_leaving(&tx, owner.id).await? {
        tx.rollback().await?;
        return Err(Error::NotFound);
    }
    forget_lapse(&tx, owner.id).await?;
    let before = operator::Entity::find_by_id(owner.id).one(&tx).await?;
    if before.as_ref().is_some_and(|row| row.ended_at.is_none()) {
        tx.rollback().await?;
        let text = "is an operator already; change the role instead";
        return Err(Refusal::new("name", Code::WrongState, text).into());
    }
    let row = operator::Model {
        user_id: owner.id,
        role,
        created_at: now,
        changed_at: now,
        ended_at: None,
    };
    let model = row.into_active_model().reset_all();
    if before.is_some() {
        operator::Entity::update(model).exec(&tx).await?;
    } else {
        operator::Entity::insert(model)
            .exec_without_returning(&tx)
            .await?;
    }
    api_keys::insert(&tx, new.key.clone()).await?;
    record(app, &tx, "operator.add", owner.id, Some(role)).await?;
    tx.commit().await?;
    Ok(new)
}

/// All operators, those of the past included, by name.
pub async fn list(app: &App) -> Result<Vec<Known>> {
    let rows = operator::Entity::find().all(app.db.read()).await?;
    let ids = rows.iter().map(|row| row.user_id);
    let users = user::Entity::find()
        .filter(user::Column::Id.is_in(ids))
        .all(app.db.read())
        .await?;
    let identities = operator_identity::Entity::find().all(app.db.read()).await?;
    let name = |id: UserId| {
        users
            .iter()
            .find(|user| user.id == id)
            .map(|user| user.name.clone())
    };
    let mut known: Vec<Known> = rows
        .into_iter()
        .filter_map(|row| {
            Some(Known {
                name: name(row.user_id)?,
                identity: identities
                    .iter()
                    .find(|identity| identity.user_id == row.user_id)
                    .cloned(),
                row,
            })
        })
        .collect();
    known.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(known)
}

/// The operator of that name, in whose name something is done on the machine itself.
pub async fn acting(app: &App, name: &str) -> Result<Actor> {
    let nobody = || {
        let text = "names no operator; `clipqueue operator list` shows them";
        Refusal::new("by", Code::NotFound, text)
    };
    let owner = api_keys::find_user(app, name).await?.ok_or_else(nobody)?;
    let row = operator::Entity::find_by_id(owner.id)
        .filter(operator::Column::EndedAt.is_null())
        .one(app.db.read())
        .await?
        .ok_or_else(nobody)?;
    Ok(Actor {
        user_id: owner.id,
        user_name: owner.name,
        key_id: None,
        session_id: None,
        scopes: vec![scope(row.role)],
        expires_at: None,
        accounts: None,
    })
}

/// Gives an operator another role; it counts at once.
pub async fn change(app: &App, name: &str, role: Role) -> Result<()> {
    let owner = find(app, name).await?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let changed = operator::Entity::update_many()
        .col_expr(operator::Column::Role, Expr::value(role))
        .col_expr(operator::Column::ChangedAt, Expr::value(now))
        .filter(operator::Column::UserId.eq(owner.id))
        .filter(operator::Column::EndedAt.is_null())
        .exec(&tx)
        .await?;
    if changed.rows_affected == 0 {
        tx.rollback().await?;
        return Err(Error::NotFound);
    }
    record(app, &tx, "operator.role", owner.id, Some(role)).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends an operator: the role, every session of the console, and every key that has a scope of operators.
/// What the user has as a tenant stays, keys without such scopes included. Whoever signs in at a provider
/// of identities does not come back by that, whatever role it gives.
pub async fn revoke(app: &App, name: &str) -> Result<()> {
    let owner = find(app, name).await?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let had_lapsed = forget_lapse(&tx, owner.id).await?;
    let ended = operator::Entity::update_many()
        .col_expr(operator::Column::EndedAt, Expr::value(now))
        .filter(operator::Column::UserId.eq(owner.id))
        .filter(operator::Column::EndedAt.is_null())
        .exec(&tx)
        .await?;
    if ended.rows_affected == 0 && !had_lapsed {
        tx.rollback().await?;
        return Err(Error::NotFound);
    }
    console_sessions::end_all_in_tx(&tx, owner.id).await?;
    api_key::Entity::update_many()
        .col_expr(api_key::Column::RevokedAt, Expr::value(now))
        .filter(api_key::Column::UserId.eq(owner.id))
        .filter(api_key::Column::RevokedAt.is_null())
        .filter(api_key::Column::Scopes.contains("ops:"))
        .exec(&tx)
        .await?;
    record(app, &tx, "operator.revoke", owner.id, None).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes back that an operator was ended, with the role of before. Keys stay ended; whoever signs in at a
/// provider of identities can do so again.
pub async fn restore(app: &App, name: &str) -> Result<Role> {
    let owner = find(app, name).await?;
    let tx = app.db.begin().await?;
    forget_lapse(&tx, owner.id).await?;
    let before = operator::Entity::find_by_id(owner.id).one(&tx).await?;
    let Some(mut row) = before.filter(|row| row.ended_at.is_some()) else {
        tx.rollback().await?;
        return Err(Error::NotFound);
    };
    let role = row.role;
    row.ended_at = None;
    row.changed_at = app.clock.now();
    operator::Entity::update(row.into_active_model().reset_all())
        .exec(&tx)
        .await?;
    record(app, &tx, "operator.restore", owner.id, Some(role)).await?;
    tx.commit().await?;
    Ok(role)
}

/// From here on it is the command line's word whether they are an operator. Says whether it was the
/// provider's that they are none.
async fn forget_lapse(tx: &impl ConnectionTrait, user: UserId) -> Result<bool> {
    let forgotten = operator_identity::Entity::update_many()
        .col_expr(
            operator_identity::Column::LapsedAt,
            Expr::value(None::<Timestamp>),
        )
        .filter(operator_identity::Column::UserId.eq(user))
        .filter(operator_identity::Column::LapsedAt.is_not_null())
        .exec(tx)
        .await?;
    Ok(forgotten.rows_affected > 0)
}

async fn find(app: &App, name: &str) -> Result<user::Model> {
    api_keys::find_user(app, name).await?.ok_or(Error::NotFound)
}

async fn record(
    app: &App,
    tx: &impl ConnectionTrait,
    action: &'static str,
    user: UserId,
    role: Option<Role>,
) -> Result<()> {
    let details = json!({ "role": role.map(word) });
    let subject = format!("user:{user}");
    audit::record_own_in_tx(app, tx, action, &subject, details).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_operation_is_named_once_and_words_are_read_back() {
        let names: BTreeSet<&str> = OPERATIONS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), OPERATIONS.len());
        for role in [Role::Viewer, Role::Operator, Role::Admin] {
            assert_eq!(named(word(role)), Some(role));
        }
        assert_eq!(named("root"), None);
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        assert_eq!(scopes(Role::Viewer), [Scope::OpsRead]);
        assert_eq!(scopes(Role::Admin), SCOPES);
    }
}
