//! When a profile is looked at for the code, and what a look gives. The worker looks.

use std::time::Duration;

use clipqueue_entities::{
    DeletionRequestId,
    account::{self, AccountStatus},
    deletion_request::{self as request, RequestState},
};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use tiktok::{Scope, Scopes};

use super::{details, input::normal, proof, prove};
use crate::{app::App, domain::error::Result};

/// When the first look is taken.
pub const FIRST: Duration = Duration::from_secs(600);
/// How often while the request is young.
const OFTEN: Duration = Duration::from_secs(600);
/// How long it is young.
const YOUNG: Duration = Duration::from_secs(6 * 3600);
/// How often afterwards.
const SELDOM: Duration = Duration::from_secs(3 * 3600);

/// What a look is after.
#[derive(Debug)]
pub struct Wanted {
    /// The request.
    pub request: request::Model,
    /// The name whose profile it is.
    pub username: String,
    /// What is to stand there.
    pub proof: String,
    /// The accounts through whose grants it can be read.
    pub accounts: Vec<account::Model>,
    /// When to look again.
    pub again: Duration,
}

/// What to look for; nothing once the request is over or says no name any more.
pub async fn wanted(app: &App, id: DeletionRequestId) -> Result<Option<Wanted>> {
    let row = request::Entity::find_by_id(id).one(app.db.read()).await?;
    let Some(row) = row.filter(|row| row.state == RequestState::Open) else {
        return Ok(None);
    };
    let Some(details) = details(app, &row)? else {
        return Ok(None);
    };
    let mut accounts = prove::accounts_named(app, &details.username).await?;
    accounts.retain(|account| {
        let scopes = Scopes::parse(&account.scopes);
        account.status == AccountStatus::Active && scopes.contains(&Scope::UserInfoProfile)
    });
    let is_young = app.clock.now().since(row.requested_at) < YOUNG;
    Ok(Some(Wanted {
        username: details.username,
        proof: proof(app, id),
        accounts,
        again: if is_young { OFTEN } else { SELDOM },
        request: row,
    }))
}

/// Whether a profile proves the request: it is of that name still, and the code stands in it.
pub fn proves(wanted: &Wanted, username: Option<&str>, bio: Option<&str>) -> bool {
    let is_theirs = username.is_some_and(|name| normal(name) == wanted.username);
    is_theirs && bio.is_some_and(|bio| bio.contains(&wanted.proof))
}

/// That somebody looked.
pub async fn looked(app: &App, id: DeletionRequestId) -> Result<()> {
    request::Entity::update_many()
        .set(request::ActiveModel {
            looked_at: Set(Some(app.clock.now())),
            ..Default::default()
        })
        .filter(request::Column::Id.eq(id))
        .exec(app.db.write())
        .await?;
    Ok(())
}
