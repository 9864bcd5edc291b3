//! The code by which PayPal names a user: `custom_id` of the subscription, which our page gives to PayPal.
//! It follows from a random salt and is stored as a hash alone, so that nobody can claim another's.

use clipqueue_entities::{Sealed, UserId, billing_link};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::OnConflict,
};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        actor::Actor,
        erasure,
        error::{Code, Error, Refusal, Result},
    },
    mail::is_address,
    secrets::{Place, sha256},
};

/// What a page gives to PayPal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// For `custom_id`.
    pub code: String,
    /// The plans that can be subscribed to.
    pub plan_ids: Vec<String>,
}

/// The caller's code and the plans; remembers where letters about payments go. Safe to repeat.
pub async fn offer(app: &App, actor: &Actor, email: Option<&str>) -> Result<Offer> {
    let settings = &app.config.paypal;
    if settings.webhook_id.is_none() || settings.plans.is_empty() {
        let text = "subscriptions are not offered here; the operator gives plans";
        return Err(Refusal::whole(Code::WrongState, text).into());
    }
    if email.is_some_and(|email| email.contains(['<', ',', '\r', '\n']) || !is_address(email)) {
        let text = "is no e-mail address";
        return Err(Refusal::new("email", Code::Invalid, text).into());
    }
    let user = actor.user_id;
    let tx = app.db.begin().await?;
    if erasure::is_leaving(&tx, user).await? {
        return Err(Error::NotFound);
    }
    let salt = Uuid::new_v4();
    billing_link::Entity::insert(billing_link::ActiveModel {
        user_id: Set(user),
        salt: Set(salt),
        code_hash: Set(hash(&code(app, user, salt))),
        contact_sealed: Set(None),
        created_at: Set(app.clock.now()),
    })
    .on_conflict(
        OnConflict::column(billing_link::Column::UserId)
            .do_nothing()
            .to_owned(),
    )
    .exec_without_returning(&tx)
    .await?;
    if let Some(email) = email {
        let name = user.to_string();
        let sealed = app.vault.application().seal(place(&name), email.as_bytes());
        billing_link::Entity::update_many()
            .set(billing_link::ActiveModel {
                contact_sealed: Set(Some(sealed)),
                ..Default::default()
            })
            .filter(billing_link::Column::UserId.eq(user))
            .exec(&tx)
            .await?;
    }
    let row = billing_link::Entity::find_by_id(user)
        .one(&tx)
        .await?
        .ok_or(Error::NotFound)?;
    tx.commit().await?;
    Ok(Offer {
        code: code(app, user, row.salt),
        plan_ids: settings.plans.iter().map(|plan| plan.id.clone()).collect(),
    })
}

/// Whose code it is.
pub(super) async fn user_of(app: &App, code: &str) -> Result<Option<UserId>> {
    let row = billing_link::Entity::find()
        .filter(billing_link::Column::CodeHash.eq(hash(code)))
        .one(app.db.read())
        .await?;
    Ok(row.map(|row| row.user_id))
}

/// Where letters about payments go.
pub async fn contact(
    app: &App,
    db: &impl sea_orm::ConnectionTrait,
    user: UserId,
) -> Result<Option<SecretString>> {
    let row = billing_link::Entity::find_by_id(user).one(db).await?;
    let Some(sealed) = row.and_then(|row| row.contact_sealed) else {
        return Ok(None);
    };
    let opened = open(app, user, &sealed)?;
    Ok(Some(SecretString::from(opened.expose_secret().to_owned())))
}

fn open(app: &App, user: UserId, sealed: &Sealed) -> Result<SecretString> {
    let name = user.to_string();
    let opened = app.vault.application().open_text(place(&name), sealed);
    Ok(opened.map_err(anyhow::Error::from)?)
}

fn code(app: &App, user: UserId, salt: Uuid) -> String {
    app.vault.keyed("billing-code", &format!("{user}\0{salt}"))[..32].to_owned()
}

fn hash(code: &str) -> String {
    hex::encode(sha256(code.as_bytes()))
}

fn place(row: &str) -> Place<'_> {
    Place {
        table: "billing_links",
        column: "contact",
        row,
        version: 0,
    }
}
