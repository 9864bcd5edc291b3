//! A new text for an API key: another key takes its place, and both work until the old one ends.

use std::time::Duration;

use clipqueue_entities::{ApiKeyId, Timestamp, api_key};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};
use secrecy::SecretString;

use super::{
    actor::{Actor, Scope},
    api_keys::{draw, get, insert},
    error::{Code, Refusal, Result},
    idempotency::{Request, Seen},
    key_accounts,
};
use crate::app::App;

/// The longest time for which both keys work.
const MAX_OVERLAP: Duration = Duration::from_secs(30 * 86_400);

/// What a rotation made.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The key that takes the place.
    pub new: api_key::Model,
    /// Its text; absent when the same request made it before.
    pub text: Option<SecretString>,
    /// The key that ends.
    pub old: api_key::Model,
}

/// How a key is rotated.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// How long the old key works on.
    pub overlap: Duration,
    /// When the new key stops working; when absent, it lives as long as the old one was meant to.
    pub expires_at: Option<Timestamp>,
}

/// Makes another key with the same name, scopes and accounts, and lets the old one end after the
/// overlap. The same idempotency key with the same request gives the same key, without its text.
pub async fn rotate(
    app: &App,
    actor: &Actor,
    id: ApiKeyId,
    how: Rotation,
    idempotency_key: &str,
) -> Result<Rotated> {
    let user = actor.user_id;
    let body = (id, how.overlap.as_millis(), how.expires_at);
    let request = Request::new(user, idempotency_key, "rotateApiKey", &body)?;
    if let Seen::Before(new) = request.look_up(app.db.read()).await? {
        return before(app, actor, id, ApiKeyId(new)).await;
    }
    let now = app.clock.now();
    let old = get(app, user, id).await?;
    let ended = old.revoked_at.is_some() || old.expires_at.is_some_and(|end| end <= now);
    if ended || old.replaced_by.is_some() {
        let text =
            "the key has ended or was rotated before; make a new one, or rotate its successor";
        return Err(Refusal::whole(Code::WrongState, text).into());
    }
    if how.overlap > MAX_OVERLAP {
        let text = "must be 30 days at most";
        return Err(Refusal::new("overlapSeconds", Code::Invalid, text).into());
    }
    let scopes: Vec<Scope> = old
        .scopes
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    // Whoever rotates a key gets its text, and may do no more by it than before.
    if let Some(scope) = scopes.iter().find(|scope| !actor.may(**scope)) {
        let text = format!("your own key lacks {scope}, so it cannot rotate a key that has it");
        return Err(Refusal::whole(Code::ScopeNotHeld, text).into());
    }
    let life = old.expires_at.map(|end| now + end.since(old.created_at));
    let expires_at = how.expires_at.or(life);
    let accounts = key_accounts::of(&old);
    let new = draw(
        app,
        user,
        &old.name,
        &scopes,
        expires_at,
        accounts.as_deref(),
    )?;
    let tx = app.db.begin().await?;
    if let Seen::Before(made) = request.record_in_tx(&tx, now, new.key.id.0).await? {
        tx.rollback().await?;
        return before(app, actor, id, ApiKeyId(made)).await;
    }
    insert(&tx, new.key.clone()).await?;
    let end = now + how.overlap;
    let changed = api_key::Entity::update_many()
        .col_expr(
            api_key::Column::ExpiresAt,
            Expr::value(old.expires_at.map_or(end, |own| own.min(end))),
        )
        .col_expr(api_key::Column::ReplacedBy, Expr::value(new.key.id))
        .filter(api_key::Column::Id.eq(id))
        .filter(api_key::Column::UserId.eq(user))
        .filter(api_key::Column::RevokedAt.is_null())
        .filter(api_key::Column::ReplacedBy.is_null())
        .exec(&tx)
        .await?;
    if changed.rows_affected != 1 {
        tx.rollback().await?;
        let text = "somebody else rotated or revoked the key at this moment; read it again";
        return Err(Refusal::whole(Code::WrongState, text).into());
    }
    tx.commit().await?;
    Ok(Rotated {
        new: new.key,
        text: Some(new.text),
        old: get(app, user, id).await?,
    })
}

async fn before(app: &App, actor: &Actor, old: ApiKeyId, new: ApiKeyId) -> Result<Rotated> {
    Ok(Rotated {
        new: get(app, actor.user_id, new).await?,
        text: None,
        old: get(app, actor.user_id, old).await?,
    })
}
