//! What an export holds: one line for each table with somebody's rows, and one for each that is left out
//! with the reason. A test holds the two against everything that an erasure deletes.

use std::{future::Future, pin::Pin};

use clipqueue_entities as entities;
use sea_orm::{
    ColumnTrait as _, DatabaseBackend, DatabaseConnection, DbErr, EntityTrait, ExprTrait as _,
    IdenStatic as _, Iterable as _, ModelTrait as _, PrimaryKeyToColumn as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, Value as Stored, value::sea_value_to_json_value},
};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::domain::erasure::receipt::instant;

/// Rows that are read at once.
const PAGE: u64 = 500;

/// The key of a row: where the next page goes on, whatever was deleted meanwhile.
pub type Key = Vec<Stored>;

/// Some rows of a table.
#[derive(Clone, Debug)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Value>,
    /// The key of the last; nothing, when no further page follows.
    pub last: Option<Key>,
}

type Reading<'a> = Pin<Box<dyn Future<Output = Result<Page, DbErr>> + Send + 'a>>;

/// The rows of one table.
pub struct Part {
    /// The table, which is the name of the file too.
    pub table: &'static str,
    /// Columns that stay inside: secrets, and what says nothing to anybody outside.
    pub omit: &'static [&'static str],
    /// Which rows. `{user}` is the user's id, `{accounts}` and `{posts}` select the ids of theirs, and
    /// `{lanes}` are their ids as texts.
    which: &'static str,
    read: for<'a> fn(
        &'a DatabaseConnection,
        String,
        &'static [&'static str],
        Option<Key>,
    ) -> Reading<'a>,
}

macro_rules! part {
    ($entity:ident, $table:literal, $which:expr, omit $omit:expr) => {
        Part {
            table: $table,
            omit: $omit,
            which: $which,
            read: |db, which, omit, after| {
                Box::pin(page::<entities::$entity::Entity>(db, which, omit, after))
            },
        }
    };
    ($entity:ident, $table:literal, $which:expr) => {
        part!($entity, $table, $which, omit & [])
    };
}

const OF_USER: &str = "user_id = {user}";
const OF_ACCOUNTS: &str = "account_id IN ({accounts})";
const OF_POSTS: &str = "post_id IN ({posts})";
const OF_VIDEOS: &str = "tracked_video_id IN (SELECT v.id FROM tracked_videos v \
     WHERE v.account_id IN ({accounts}))";

/// Every table of which an export holds rows.
pub const PARTS: &[Part] = &[
    part!(user, "users", "id = {user}"),
    part!(api_key, "api_keys", OF_USER, omit & ["hash"]),
    part!(
        console_session,
        "console_sessions",
        "user_id = {user} OR key_id IN (SELECT k.id FROM api_keys k WHERE k.user_id = {user})",
        omit & ["hash"]
    ),
    part!(user_session, "user_sessions", OF_USER, omit & ["hash"]),
    part!(operator, "operators", OF_USER),
    part!(operator_identity, "operator_identities", OF_USER),
    part!(account, "tiktok_accounts", OF_USER),
    part!(creator_snapshot, "creator_snapshots", OF_ACCOUNTS),
    part!(
        account_token,
        "account_tokens",
        OF_ACCOUNTS,
        omit & ["access_sealed", "refresh_sealed"]
    ),
    part!(post, "posts", OF_USER),
    part!(post_photo, "post_photos", OF_POSTS),
    part!(
        post_attempt,
        "post_attempts",
        OF_POSTS,
        omit & ["upload_url_sealed", "open_key"]
    ),
    part!(
        attempt_photo,
        "attempt_photos",
        "attempt_id IN (SELECT a.id FROM post_attempts a WHERE a.post_id IN ({posts}))"
    ),
    part!(post_video, "post_videos", OF_POSTS, omit & ["joined_key"]),
    part!(evidence, "evidence", OF_POSTS),
    part!(event, "events", OF_USER),
    part!(
        notice,
        "tiktok_notices",
        "account_id IN ({accounts}) OR post_id IN ({posts}) \
         OR open_id IN (SELECT a.open_id FROM tiktok_accounts a WHERE a.user_id = {user})",
        omit & ["digest"]
    ),
    part!(media, "media", OF_USER, omit & ["hash_state"]),
    part!(media_label, "media_labels", OF_USER),
    part!(saved_text, "saved_texts", OF_USER),
    part!(user_plan, "user_plans", OF_USER),
    part!(subscription, "subscriptions", OF_USER),
    part!(
        subscription_payment,
        "subscription_payments",
        "subscription_id IN (SELECT s.id FROM subscriptions s WHERE s.user_id = {user})",
        omit & ["id"]
    ),
    part!(
        billing_link,
        "billing_links",
        OF_USER,
        omit & ["salt", "code_hash", "contact_sealed"]
    ),
    part!(
        mail,
        "mails",
        OF_USER,
        omit & ["recipient_sealed", "content_sealed"]
    ),
    part!(usage_day, "usage_days", OF_USER),
    part!(media_import, "media_imports", OF_USER, omit & ["url"]),
    part!(verified_source, "verified_sources", OF_USER),
    part!(
        webhook_endpoint,
        "webhook_endpoints",
        OF_USER,
        omit & ["secret", "old_secret"]
    ),
    part!(webhook_delivery, "webhook_deliveries", OF_USER),
    part!(
        webhook_attempt,
        "webhook_attempts",
        "delivery_id IN (SELECT d.id FROM webhook_deliveries d WHERE d.user_id = {user})"
    ),
    part!(tracked_video, "tracked_videos", OF_ACCOUNTS),
    part!(metric_sample, "metric_samples", OF_VIDEOS),
    part!(account_day, "account_days", OF_ACCOUNTS),
    part!(metric_plan, "metric_plans", OF_ACCOUNTS),
    part!(budget_mark, "budget_marks", "subject IN ({lanes})"),
    part!(job, "jobs", "lane IN ({lanes})"),
    part!(
        job_attempt,
        "job_attempts",
        "job_id IN (SELECT j.id FROM jobs j WHERE j.lane IN ({lanes}))"
    ),
    part!(bulk_act, "bulk_acts", OF_USER),
    part!(
        idempotency_key,
        "idempotency_keys",
        OF_USER,
        omit & ["request_hash"]
    ),
    part!(
        erasure,
        "erasures",
        OF_USER,
        omit & ["code_hash", "watched"]
    ),
    part!(data_export, "data_exports", OF_USER, omit & ["object"]),
];

/// Tables that an export holds in another way, or not at all, and how or why.
pub const OTHERWISE: &[(&str, &str)] = &[
    (
        "audit_log",
        "entries that name you are in data/audit_log.json, without the names of others",
    ),
    (
        "media_segments",
        "where the bytes of files lie; the files themselves are below media/",
    ),
    (
        "account_keys",
        "the keys that seal TikTok's tokens; they would give away your accounts",
    ),
    (
        "oauth_states",
        "secrets of a consent that is under way, good for minutes",
    ),
    (
        "cron_slots",
        "when the product's own jobs run, which is about nobody",
    ),
];

/// Whose rows, in the words of a database.
#[derive(Clone, Debug)]
pub struct Whose {
    user: String,
    lanes: String,
}

impl Whose {
    /// Of a user, whose jobs have these lanes.
    pub fn new(backend: DatabaseBackend, user: Uuid, lanes: &[String]) -> Self {
        let lanes: Vec<String> = lanes
            .iter()
            .map(|lane| format!("'{}'", lane.replace('\'', "''")))
            .collect();
        let lanes = lanes.join(", ");
        // An id is hexadecimal digits: nothing of it needs to be escaped.
        let user = match backend {
            DatabaseBackend::Postgres => format!("'{user}'::uuid"),
            _ => format!("x'{}'", user.simple()),
        };
        Self { user, lanes }
    }
}

impl Part {
    /// Rows after the one with this key, in the order of their keys.
    pub async fn page(
        &self,
        db: &DatabaseConnection,
        whose: &Whose,
        after: Option<Key>,
    ) -> Result<Page, DbErr> {
        let which = self
            .which
            .replace(
                "{accounts}",
                "SELECT own.id FROM tiktok_accounts own WHERE own.user_id = {user}",
            )
            .replace(
                "{posts}",
                "SELECT own.id FROM posts own WHERE own.user_id = {user}",
            )
            .replace("{user}", &whose.user)
            .replace("{lanes}", &whose.lanes);
        (self.read)(db, which, self.omit, after).await
    }
}

async fn page<E>(
    db: &DatabaseConnection,
    which: String,
    omit: &'static [&'static str],
    after: Option<Key>,
) -> Result<Page, DbErr>
where
    E: EntityTrait,
{
    let keys: Vec<E::Column> = E::PrimaryKey::iter().map(|key| key.into_column()).collect();
    let mut query = E::find().filter(Expr::cust(format!("({which})")));
    if let Some(last) = after {
        let columns = keys.iter().map(|key| Expr::col(key.as_column_ref()));
        let last = last.into_iter().map(Expr::val);
        query = query.filter(Expr::tuple(columns).gt(Expr::tuple(last)));
    }
    for key in &keys {
        query = query.order_by_asc(*key);
    }
    let rows = query.limit(PAGE).all(db).await?;
    let last = rows
        .last()
        .filter(|_| rows.len() as u64 == PAGE)
        .map(|row| keys.iter().map(|key| row.get(*key)).collect());
    let rows = rows
        .iter()
        .map(|row| {
            let mut object = Map::new();
            for column in E::Column::iter() {
                let name = column.as_str();
                if !omit.contains(&name) {
                    object.insert(name.to_owned(), shown(name, row.get(column)));
                }
            }
            Value::Object(object)
        })
        .collect();
    Ok(Page { rows, last })
}

/// A value for its reader: instants as texts, bytes as hexadecimal digits.
fn shown(column: &str, value: Stored) -> Value {
    let is_instant = ["_at", "_until", "_since", "_due", "_of"]
        .iter()
        .any(|end| column.ends_with(end))
        || column == "day";
    match value {
        Stored::BigInt(Some(millis)) if is_instant => {
            instant(entities::Timestamp::from_millis(millis)).into()
        }
        Stored::Bytes(bytes) => bytes.map(hex::encode).into(),
        other => sea_value_to_json_value(&other),
    }
}
