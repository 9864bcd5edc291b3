//! Requests for deletion by people who cannot sign in.
//!
//! ```text
//! request ─▶ OPEN ──proof: TikTok, profile, operator──▶ PROVEN ──the erasure ends──▶ DONE
//!              ├── 30 days ──▶ LAPSED
//!              └── an operator ──▶ REFUSED
//! ```
//!
//! Anybody may ask for any name, so the answer is the same whether we know the creator or not: a code,
//! by which the request can be followed. Nothing is deleted before the request is proved. What was
//! written is sealed and deleted as soon as it has served; the address for answers goes with the last
//! letter. Addresses of callers are counted as keyed hashes and stored nowhere. Nothing here calls TikTok.

pub mod clock;
mod input;
pub mod judge;
pub mod look;
pub mod prove;

use std::{net::IpAddr, time::Duration};

use clipqueue_entities::{
    DeletionRequestId, Sealed, Timestamp,
    deletion_request::{self as request, RequestState},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, sea_query::OnConflict,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

pub use input::{Details, NewRequest};

use super::{
    connect::{self, Browser, ConsentPage},
    erasure::receipt::instant,
    error::{Code, Error, Refusal, Result},
    mails::{self, To, letters::Content},
};
use crate::{
    app::App,
    job::{Job, STATUS},
    queue::transport::{Acquired, Budget},
    secrets::{Place, sha256},
};

/// By when a request is over.
pub const TERM: Duration = Duration::from_secs(30 * 86_400);
/// Requests from one address within [`ADDRESS_WINDOW`].
pub const PER_ADDRESS: u32 = 5;
/// The time over which an address's requests are counted.
pub const ADDRESS_WINDOW: Duration = Duration::from_secs(3600);
/// Requests for one name within [`NAME_WINDOW`].
pub const PER_NAME: u32 = 3;
/// The time over which requests for a name are counted.
pub const NAME_WINDOW: Duration = Duration::from_secs(86_400);
/// Tries to sign in for one request within [`ADDRESS_WINDOW`].
const SIGN_INS: u32 = 10;
/// Callers without an address share one allowance, which is larger.
const PER_NOWHERE: u32 = 50;

/// What whoever asks is given.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The request.
    pub id: DeletionRequestId,
    /// By it the request is followed.
    pub code: String,
    /// What is to stand in the profile's text.
    pub proof: String,
    /// By when it is over.
    pub due_at: Timestamp,
}

/// How a request stands, for whoever has its code.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The request.
    pub row: request::Model,
    /// By it the request is followed.
    pub code: String,
    /// What is to stand in the profile's text.
    pub proof: String,
    /// The confirmation code of the erasure, once it runs.
    pub erasure: Option<String>,
}

/// Takes a request in, from somebody at `source`. The same key with the same request gives the same one.
pub async fn ask(
    app: &App,
    source: Option<IpAddr>,
    new: NewRequest,
    idempotency_key: &str,
) -> Result<Ticket> {
    if idempotency_key.is_empty() || idempotency_key.len() > 200 {
        let text = "must have 1 to 200 bytes; a fresh UUID will do";
        return Err(Refusal::new("idempotencyKey", Code::Invalid, text).into());
    }
    let body = serde_json::to_string(&new).map_err(anyhow::Error::from)?;
    let (details, email) = new.read().map_err(Error::Refused)?;
    let id = id_of(app, idempotency_key, &body);
    if let Some(row) = request::Entity::find_by_id(id).one(app.db.read()).await? {
        return Ok(ticket(app, &row));
    }
    count(app, source, &details.username).await?;
    let now = app.clock.now();
    let name = id.to_string();
    let text = serde_json::to_vec(&details).map_err(anyhow::Error::from)?;
    let key = app.vault.application();
    let email = email.map(SecretString::from);
    let row = request::Model {
        id,
        code_hash: hash(&code(app, id)),
        state: RequestState::Open,
        details_sealed: Some(key.seal(place(&name, "details"), &text)),
        email_sealed: email
            .as_ref()
            .map(|email| key.seal(place(&name, "email"), email.expose_secret().as_bytes())),
        name_hash: Some(name_hash(app, &details.username)),
        proof: None,
        reminded: None,
        looked_at: None,
        erasure_id: None,
        requested_at: now,
        due_at: now + TERM,
        proven_at: None,
        ended_at: None,
    };
    let tx = app.db.begin().await?;
    let inserted = request::Entity::insert(row.clone().into_active_model().reset_all())
        .on_conflict(
            OnConflict::column(request::Column::Id)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(&tx)
        .await?;
    let ticket = ticket(app, &row);
    if inserted == 0 {
        // The same request at the same moment.
        tx.rollback().await?;
        return Ok(ticket);
    }
    if let Some(address) = &email {
        let content = Content::DeletionReceived {
            page: app.deletion_request_url(&ticket.code).into(),
            proof: ticket.proof.clone(),
            due: day(row.due_at),
        };
        let to = To {
            address,
            user: None,
        };
        mails::write_in_tx(app, &tx, &cause(id, "received"), to, &content).await?;
    }
    let first = now + look::FIRST;
    app.enqueue_in_tx(&tx, Job::LookAtProfile { request_id: id }, Some(first))
        .await?;
    tx.commit().await?;
    mails::written(app);
    app.nudge(STATUS);
    metrics::counter!("clipqueue_deletion_requests_total").increment(1);
    tracing::info!(request.id = %id, "somebody asks for deletion");
    Ok(ticket)
}

/// Sends a browser to TikTok for a proof of the request with this code.
pub async fn begin_proof(app: &App, code: &str, browser: &Browser) -> Result<ConsentPage> {
    let standing = by_code(app, code).await?;
    if standing.row.state != RequestState::Open {
        let text = "the request was proved, refused or lapsed before";
        return Err(Refusal::whole(Code::WrongState, text).into());
    }
    let id = standing.row.id;
    let budget = Budget {
        key: format!("delete-sign-in:{id}"),
        limit: SIGN_INS,
        window: ADDRESS_WINDOW,
    };
    spend(app, &[budget]).await?;
    connect::begin_proof(app, id.0, browser).await
}

/// The request with this code.
pub async fn by_code(app: &App, code: &str) -> Result<Standing> {
    let row = request::Entity::find()
        .filter(request::Column::CodeHash.eq(hash(code)))
        .one(app.db.read())
        .await?
        .ok_or(Error::NotFound)?;
    Ok(Standing {
        code: self::code(app, row.id),
        proof: proof(app, row.id),
        erasure: row.erasure_id.map(|id| app.vault.erasure_code(id)),
        row,
    })
}

impl Standing {
    /// The same as JSON.
    pub fn to_json(&self) -> Value {
        let row = &self.row;
        let is_open = row.state == RequestState::Open;
        json!({
            "state": word(row.state),
            "requested_at": instant(row.requested_at),
            "due_at": instant(row.due_at),
            "proof_code": is_open.then_some(&self.proof),
            "proven_at": row.proven_at.map(instant),
            "ended_at": row.ended_at.map(instant),
            "erasure_code": self.erasure,
        })
    }
}

/// The word for a state.
pub fn word(state: RequestState) -> &'static str {
    match state {
        RequestState::Open => "open",
        RequestState::Proven => "proven",
        RequestState::Done => "done",
        RequestState::Lapsed => "lapsed",
        RequestState::Refused => "refused",
    }
}

/// Counts a request by its sender's address and by the name that it is about.
async fn count(app: &App, source: Option<IpAddr>, username: &str) -> Result<()> {
    let (address, limit) = match source {
        Some(address) => (address.to_string(), PER_ADDRESS),
        None => (String::new(), PER_NOWHERE),
    };
    let budgets = [
        Budget {
            key: format!("delete-from:{}", app.vault.keyed("caller", &address)),
            limit,
            window: ADDRESS_WINDOW,
        },
        Budget {
            key: format!("delete-name:{}", name_hash(app, username)),
            limit: PER_NAME,
            window: NAME_WINDOW,
        },
    ];
    spend(app, &budgets).await
}

async fn spend(app: &App, budgets: &[Budget]) -> Result<()> {
    let transport = app.queue.transport();
    let acquired = transport.acquire(budgets, app.clock.counted()).await;
    match acquired.map_err(anyhow::Error::from)? {
        Acquired::Granted(_) => Ok(()),
        Acquired::Wait(wait) => {
            metrics::counter!("clipqueue_deletion_requests_refused_total").increment(1);
            let text = "too many requests came from your address or for this name; try again later, \
                        or follow the request that was made";
            Err(Refusal {
                retry_at: Some(app.clock.now() + wait),
                ..Refusal::whole(Code::QuotaExceeded, text)
            }
            .into())
        }
    }
}

fn ticket(app: &App, row: &request::Model) -> Ticket {
    Ticket {
        id: row.id,
        code: code(app, row.id),
        proof: proof(app, row.id),
        due_at: row.due_at,
    }
}

/// One id for the same request under the same key, and nobody else can guess it.
fn id_of(app: &App, idempotency_key: &str, body: &str) -> DeletionRequestId {
    let mac = app
        .vault
        .keyed("deletion-request", &format!("{idempotency_key}\0{body}"));
    let mut bytes = [0; 16];
    let decoded = hex::decode_to_slice(&mac[..32], &mut bytes);
    debug_assert!(decoded.is_ok(), "a keyed hash is hexadecimal digits");
    DeletionRequestId(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// The code of a request. It is stored nowhere: it follows from the id.
fn code(app: &App, id: DeletionRequestId) -> String {
    app.vault.keyed("deletion-code", &id.to_string())[..32].to_owned()
}

/// What is to stand in the profile's text.
pub(super) fn proof(app: &App, id: DeletionRequestId) -> String {
    let mac = app.vault.keyed("deletion-proof", &id.to_string());
    format!("clipqueue-{}", &mac[..12])
}

fn hash(code: &str) -> String {
    hex::encode(sha256(code.as_bytes()))
}

/// What stands for a username.
pub(super) fn name_hash(app: &App, username: &str) -> String {
    app.vault.keyed("username", &input::normal(username))
}

/// What was written, while it is kept.
pub(super) fn details(app: &App, row: &request::Model) -> Result<Option<Details>> {
    let Some(sealed) = &row.details_sealed else {
        return Ok(None);
    };
    let text = open(app, row.id, "details", sealed)?;
    let details = serde_json::from_str(text.expose_secret());
    Ok(Some(details.map_err(anyhow::Error::from)?))
}

/// Where answers go, while it is kept.
pub(super) fn email(app: &App, row: &request::Model) -> Result<Option<SecretString>> {
    match &row.email_sealed {
        Some(sealed) => Ok(Some(open(app, row.id, "email", sealed)?)),
        None => Ok(None),
    }
}

fn open(
    app: &App,
    id: DeletionRequestId,
    column: &'static str,
    sealed: &Sealed,
) -> Result<SecretString> {
    let row = id.to_string();
    let opened = app
        .vault
        .application()
        .open_text(place(&row, column), sealed);
    Ok(opened.map_err(anyhow::Error::from)?)
}

fn place<'a>(row: &'a str, column: &'static str) -> Place<'a> {
    Place {
        table: "deletion_requests",
        column,
        row,
        version: 0,
    }
}

/// Why a letter about a request is written.
fn cause(id: DeletionRequestId, what: &str) -> String {
    format!("deletion:{}:{what}", id.0)
}

/// A day as people read it.
fn day(at: Timestamp) -> String {
    instant(at).chars().take(10).collect()
}
