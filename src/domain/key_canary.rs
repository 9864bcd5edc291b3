//! Is the configured master key the one that sealed this database?
//!
//! A known text is sealed under each master key that is used here. With another key it does not
//! open, and the process must not start: it would seal new tokens that the right key cannot read.

use clipqueue_entities::master_key;
use sea_orm::{ActiveValue::Set, EntityTrait as _, sea_query::OnConflict};

use super::error::Result;
use crate::{app::App, secrets::Place};

/// The known text.
const TEXT: &[u8] = b"clipqueue";

/// What the canary says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// The key is the right one.
    Alive,
    /// Nothing was ever sealed here.
    Absent,
    /// This database was sealed with another key.
    WrongKey,
}

/// Looks without writing.
pub async fn look(app: &App) -> Result<Canary> {
    let rows = master_key::Entity::find().all(app.db.read()).await?;
    let Some(row) = rows.iter().find(|row| row.id == app.vault.id()) else {
        return Ok(if rows.is_empty() {
            Canary::Absent
        } else {
            Canary::WrongKey
        });
    };
    let opens = app
        .vault
        .application()
        .open(place(&row.id), &row.canary_sealed)
        .is_ok_and(|text| text.as_slice() == TEXT);
    Ok(if opens {
        Canary::Alive
    } else {
        Canary::WrongKey
    })
}

/// Looks, and puts a canary into a database that has none.
pub async fn ensure(app: &App) -> Result<Canary> {
    if look(app).await? != Canary::Absent {
        return look(app).await;
    }
    let id = app.vault.id();
    master_key::Entity::insert(master_key::ActiveModel {
        id: Set(id.to_owned()),
        canary_sealed: Set(app.vault.application().seal(place(id), TEXT)),
        created_at: Set(app.clock.now()),
    })
    .on_conflict(
        OnConflict::column(master_key::Column::Id)
            .do_nothing()
            .to_owned(),
    )
    .exec_without_returning(app.db.write())
    .await?;
    look(app).await
}

fn place(row: &str) -> Place<'_> {
    Place {
        table: "master_keys",
        column: "canary",
        row,
        version: 0,
    }
}
