//! Erasing an account or a user: fenced at once, then step by step, with a signed receipt.
//!
//! ```text
//! request ─▶ one transaction: tombstones, the fence, the job
//! Erase job: fence ─▶ cancel ─▶ revoke ─▶ keys ─▶ list ─▶ media ─▶ mentions ─▶ rows ─▶ look again ─▶ receipt
//! ```
//!
//! The fence comes with the acceptance: from that commit on no key, session, callback, webhook or
//! worker acts for whom is erased (`users.leaving_at`, the account's status, the tombstones), and no post
//! passes its commit point (`posts.cancel_requested`). Each step
//! works until nothing is left, may be repeated at any point, and is recorded with its time and counts.
//! A tombstone is a keyed hash, kept in a table and beside the media, so that a restored backup can be
//! erased again ([`replay()`]). [`search`] is the judge: it looks for identifiers in everything that
//! is stored. Nothing here calls TikTok; the worker does.

mod account_key;
mod cancel;
mod earlier;
mod finish;
mod handed;
mod last;
mod look_again;
mod mentions;
pub mod receipt;
mod replay;
mod request;
mod rows;
pub mod search;
mod status;
pub mod subject;
mod told;
mod tombstones;
mod wipe;

use clipqueue_entities::{
    AccountId, DataExportId, ErasureId, MediaId, UserId, WebhookEndpointId, account,
    erasure::{self, ErasureScope},
    erasure_step, webhook_endpoint,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::OnConflict,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use account_key::destroy_keys;
pub use cancel::{Quiet, cancel_jobs};
pub use earlier::grants_had_ended;
pub use finish::{finish, prune, resume};
pub use handed::list_handed;
pub use last::takes_user_along;
pub use look_again::{Again, look_again};
pub use mentions::clear_mentions;
pub use replay::{Replayed, replay};
pub use request::{
    Accepted, begin_in_tx, by_operator, delete_user, disconnect, is_leaving, refuses_creator,
};
pub use rows::{OWNED, Owned, delete_rows};
pub use status::{Status, all, by_code, page, public_keys};
pub use told::untried;
pub use tombstones::{Tombstone, export, keep_outside};
pub use wipe::wipe_media;

use super::{
    attempts,
    error::{Error, Result},
};
use crate::{
    app::App,
    crash::{self, Commit},
    queue::Lease,
};

/// A step of an erasure. The order of the variants is the order in which they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The tombstones lie outside the database too, and the user's webhooks were told once.
    Fence,
    /// No job is left that waits or runs.
    Cancel,
    /// TikTok ended the grants.
    Revoke,
    /// The keys that sealed the tokens are destroyed, and the tokens.
    Keys,
    /// What TikTok was handed before is listed.
    List,
    /// No file has bytes in the storage any more.
    Media,
    /// Records of other things name nothing of theirs.
    Mentions,
    /// The rows are gone.
    Rows,
    /// After a while nothing has come back.
    LookAgain,
}

impl Step {
    /// Every step in its order.
    pub const ALL: [Self; 9] = [
        Self::Fence,
        Self::Cancel,
        Self::Revoke,
        Self::Keys,
        Self::List,
        Self::Media,
        Self::Mentions,
        Self::Rows,
        Self::LookAgain,
    ];

    /// Its word, as it is stored and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fence => "fence",
            Self::Cancel => "cancel_jobs",
            Self::Revoke => "revoke",
            Self::Keys => "destroy_keys",
            Self::List => "list_handed",
            Self::Media => "delete_media",
            Self::Mentions => "clear_mentions",
            Self::Rows => "delete_rows",
            Self::LookAgain => "look_again",
        }
    }

    fn place(self) -> i32 {
        let place = Self::ALL.iter().position(|step| *step == self);
        place
            .and_then(|place| i32::try_from(place).ok())
            .unwrap_or(i32::MAX)
    }
}

/// What is looked at again before the end, when the rows that tell it are gone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Watched {
    user: Option<UserId>,
    accounts: Vec<AccountId>,
    media: Vec<MediaId>,
    #[serde(default)]
    exports: Vec<DataExportId>,
    lanes: Vec<String>,
    /// Subscriptions of which a record stays.
    #[serde(default)]
    subscriptions: u64,
}

impl Watched {
    fn of(erasure: &erasure::Model) -> Self {
        erasure
            .watched
            .clone()
            .and_then(|value| serde_json::from_value(value).ok())
            .unwrap_or_default()
    }
}

/// The erasure of that id.
pub async fn get(app: &App, id: ErasureId) -> Result<erasure::Model> {
    erasure::Entity::find_by_id(id)
        .one(app.db.read())
        .await?
        .ok_or(Error::NotFound)
}

/// The steps that are done, in order.
pub async fn steps(app: &App, id: ErasureId) -> Result<Vec<erasure_step::Model>> {
    Ok(erasure_step::Entity::find()
        .filter(erasure_step::Column::ErasureId.eq(id))
        .order_by_asc(erasure_step::Column::Place)
        .all(app.db.read())
        .await?)
}

/// The first step that is not done; none when all are.
pub async fn next(app: &App, id: ErasureId) -> Result<Option<Step>> {
    let done = steps(app, id).await?;
    Ok(Step::ALL
        .into_iter()
        .find(|step| !done.iter().any(|row| row.place == step.place())))
}

/// Records that a step is done, by the worker that still holds the job.
pub async fn done(
    app: &App,
    lease: &Lease,
    id: ErasureId,
    step: Step,
    counts: Value,
) -> Result<()> {
    let tx = attempts::fenced(app, lease).await?;
    done_in_tx(app, &tx, id, step, counts).await?;
    crash::commit(tx, Commit::ErasureStepDone).await?;
    Ok(())
}

async fn done_in_tx(
    app: &App,
    tx: &impl sea_orm::ConnectionTrait,
    id: ErasureId,
    step: Step,
    counts: Value,
) -> Result<()> {
    tracing::info!(erasure.id = %id, step = step.word(), %counts, "a step of an erasure is done");
    erasure_step::Entity::insert(erasure_step::ActiveModel {
        erasure_id: Set(id),
        place: Set(step.place()),
        step: Set(step.word().to_owned()),
        counts: Set(counts),
        done_at: Set(app.clock.now()),
    })
    .on_conflict(
        OnConflict::columns([erasure_step::Column::ErasureId, erasure_step::Column::Place])
            .do_nothing()
            .to_owned(),
    )
    .exec_without_returning(tx)
    .await?;
    Ok(())
}

/// The accounts that an erasure is about, as long as they are there.
pub async fn accounts(app: &App, erasure: &erasure::Model) -> Result<Vec<account::Model>> {
    let mut query = account::Entity::find().order_by_asc(account::Column::Id);
    query = match (erasure.scope, erasure.user_id, erasure.account_id) {
        (ErasureScope::User, Some(user), _) => query.filter(account::Column::UserId.eq(user)),
        (ErasureScope::Account, _, Some(id)) => query.filter(account::Column::Id.eq(id)),
        _ => return Ok(Vec::new()),
    };
    Ok(query.all(app.db.read()).await?)
}

/// The lanes of the jobs that an erasure is about: of its accounts, and when a user leaves their own and
/// those of the addresses that are told what happens.
async fn lanes(app: &App, erasure: &erasure::Model) -> Result<Vec<String>> {
    let mut lanes: Vec<String> = accounts(app, erasure)
        .await?
        .iter()
        .map(|account| account.id.to_string())
        .collect();
    if let (ErasureScope::User, Some(user)) = (erasure.scope, erasure.user_id) {
        lanes.extend(own_lanes(app, user).await?);
    }
    Ok(lanes)
}

/// The lanes of all jobs of a user.
pub async fn lanes_of(app: &App, user: UserId) -> Result<Vec<String>> {
    let accounts: Vec<AccountId> = account::Entity::find()
        .select_only()
        .column(account::Column::Id)
        .filter(account::Column::UserId.eq(user))
        .into_tuple()
        .all(app.db.read())
        .await?;
    let mut lanes = own_lanes(app, user).await?;
    lanes.extend(accounts.iter().map(ToString::to_string));
    Ok(lanes)
}

/// The lanes that are a user's and no account's.
async fn own_lanes(app: &App, user: UserId) -> Result<Vec<String>> {
    let endpoints: Vec<WebhookEndpointId> = webhook_endpoint::Entity::find()
        .select_only()
        .column(webhook_endpoint::Column::Id)
        .filter(webhook_endpoint::Column::UserId.eq(user))
        .into_tuple()
        .all(app.db.read())
        .await?;
    let mut lanes = vec![user.to_string()];
    lanes.extend(endpoints.iter().map(ToString::to_string));
    Ok(lanes)
}
