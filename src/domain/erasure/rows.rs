//! Deleting the rows: children before parents, in batches, each a commit of its own and safe to repeat.
//!
//! [`OWNED`] is the table of tables. A test holds it against the database's catalogue, so that a new
//! table with somebody's data does not escape: it gets a line here, or one among those that stay.

use clipqueue_entities::{
    AccountId, MediaId, budget_mark,
    erasure::{self, ErasureScope},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, QueryFilter as _, Statement, Value,
};
use serde_json::{Map, json};

use super::{Watched, accounts, lanes};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{billing, deletions, error::Result, key_accounts, mails, plans, retention},
    queue::{Lease, ledger},
};

/// Rows deleted in one statement.
const BATCH: u64 = 500;

/// How the rows of a table are found that belong to whom is erased.
#[derive(Clone, Copy, Debug)]
pub struct Owned {
    /// The table.
    pub table: &'static str,
    /// A column to delete by in batches; none for a table that is deleted from at once.
    key: Option<&'static str>,
    /// Which rows. `{posts}` and `{accounts}` select the ids of theirs, `$1` is the user or account.
    which: &'static str,
    /// Whether the rows hang on the user and stay when one account alone is erased.
    of_user: bool,
}

const fn both(table: &'static str, key: &'static str, which: &'static str) -> Owned {
    Owned {
        table,
        key: Some(key),
        which,
        of_user: false,
    }
}

const fn user(table: &'static str, key: &'static str, which: &'static str) -> Owned {
    Owned {
        of_user: true,
        ..both(table, key, which)
    }
}

const fn at_once(owned: Owned) -> Owned {
    Owned { key: None, ..owned }
}

/// The owner's log is read by its index.
const THEIR_EVENTS: &str = "user_id IN (SELECT user_id FROM tiktok_accounts WHERE id IN ({accounts})) \
     AND account_id IN ({accounts})";
/// A creator's notices may have come before the account was known.
const THEIR_NOTICES: &str = "account_id IN ({accounts}) OR post_id IN ({posts}) \
     OR open_id IN (SELECT open_id FROM tiktok_accounts WHERE id IN ({accounts}))";
/// Answers about their posts; those about the erasure itself stay with the user.
const THEIR_ANSWERS: &str = "user_id IN (SELECT user_id FROM tiktok_accounts WHERE id IN ({accounts})) \
     AND (result_id IN ({posts}) OR result_id IN (SELECT batch_id FROM posts WHERE id IN ({posts})))";

/// Every table whose rows belong to a user or an account, in the order in which they are deleted.
pub const OWNED: &[Owned] = &[
    both(
        "attempt_photos",
        "attempt_id",
        "attempt_id IN (SELECT id FROM post_attempts WHERE post_id IN ({posts}))",
    ),
    both("post_attempts", "id", "post_id IN ({posts})"),
    both("evidence", "id", "post_id IN ({posts})"),
    both("post_videos", "post_id", "post_id IN ({posts})"),
    both("post_photos", "post_id", "post_id IN ({posts})"),
    both("tiktok_notices", "id", THEIR_NOTICES),
    both(
        "webhook_attempts",
        "delivery_id",
        "delivery_id IN (SELECT id FROM webhook_deliveries WHERE account_id IN ({accounts}))",
    ),
    both("webhook_deliveries", "id", "account_id IN ({accounts})"),
    both("events", "seq", THEIR_EVENTS),
    both("events", "seq", "post_id IN ({posts})"),
    at_once(both("idempotency_keys", "", THEIR_ANSWERS)),
    both("posts", "id", "id IN ({posts})"),
    both(
        "creator_snapshots",
        "account_id",
        "account_id IN ({accounts})",
    ),
    both(
        "metric_samples",
        "tracked_video_id",
        "tracked_video_id IN (SELECT id FROM tracked_videos WHERE account_id IN ({accounts}))",
    ),
    both("tracked_videos", "id", "account_id IN ({accounts})"),
    both("account_days", "account_id", "account_id IN ({accounts})"),
    both("metric_plans", "account_id", "account_id IN ({accounts})"),
    both("account_tokens", "account_id", "account_id IN ({accounts})"),
    both("account_keys", "account_id", "account_id IN ({accounts})"),
    both("tiktok_accounts", "id", "id IN ({accounts})"),
    user("data_exports", "id", "user_id = $1"),
    user("events", "seq", "user_id = $1"),
    user(
        "webhook_attempts",
        "delivery_id",
        "delivery_id IN (SELECT id FROM webhook_deliveries WHERE user_id = $1)",
    ),
    user("webhook_deliveries", "id", "user_id = $1"),
    user("webhook_endpoints", "id", "user_id = $1"),
    user("media_imports", "id", "user_id = $1"),
    user("verified_sources", "id", "user_id = $1"),
    user(
        "media_segments",
        "media_id",
        "media_id IN (SELECT id FROM media WHERE user_id = $1)",
    ),
    at_once(user("media_labels", "", "user_id = $1")),
    user("media", "id", "user_id = $1"),
    user("saved_texts", "id", "user_id = $1"),
    at_once(user("usage_days", "", "user_id = $1")),
    user("user_plans", "user_id", "user_id = $1"),
    user(
        "subscription_payments",
        "id",
        "subscription_id IN (SELECT id FROM subscriptions WHERE user_id = $1)",
    ),
    user("subscriptions", "id", "user_id = $1"),
    user("billing_links", "user_id", "user_id = $1"),
    user("mails", "id", "user_id = $1"),
    user("bulk_acts", "id", "user_id = $1"),
    user("oauth_states", "state_hash", "user_id = $1"),
    user("user_sessions", "id", "user_id = $1"),
    user(
        "console_sessions",
        "id",
        "user_id = $1 OR key_id IN (SELECT id FROM api_keys WHERE user_id = $1)",
    ),
    user("operator_identities", "user_id", "user_id = $1"),
    user("operators", "user_id", "user_id = $1"),
    user("api_keys", "id", "user_id = $1"),
    at_once(user("idempotency_keys", "", "user_id = $1")),
    user("users", "id", "id = $1"),
];

impl Owned {
    fn statement(&self, scope: ErasureScope) -> String {
        let by = match scope {
            ErasureScope::Account => ("account_id", "id"),
            ErasureScope::User => ("user_id", "user_id"),
        };
        let which = self
            .which
            .replace(
                "{accounts}",
                &format!("SELECT id FROM tiktok_accounts WHERE {} = $1", by.1),
            )
            .replace(
                "{posts}",
                &format!("SELECT id FROM posts WHERE {} = $1", by.0),
            );
        let table = self.table;
        match self.key {
            Some(key) => format!(
                "DELETE FROM {table} WHERE {key} IN \
                 (SELECT {key} FROM {table} WHERE {which} LIMIT {BATCH})"
            ),
            None => format!("DELETE FROM {table} WHERE {which}"),
        }
    }
}

/// Deletes everything that hangs on whom is erased. Gives how many rows of each table.
pub async fn delete_rows(
    app: &App,
    lease: &Lease,
    erasure: &erasure::Model,
) -> Result<serde_json::Value> {
    let mut counts = Map::new();
    let watched = Watched::of(erasure);
    let mut letters = deletions::prove::forget_letters(app, erasure.id).await?;
    if let (ErasureScope::User, Some(user)) = (erasure.scope, erasure.user_id) {
        letters += mails::files::forget_user(app, user).await?;
    }
    counts.insert("letter_files".to_owned(), json!(letters));
    let small = retention::forget_small(app).await?;
    counts.insert("small_counts".to_owned(), json!(small));
    let mut jobs = 0;
    let mut marks = 0;
    for lane in lanes(app, erasure).await? {
        jobs += delete_jobs(app, &lane).await?;
    }
    for account in accounts(app, erasure).await? {
        marks += delete_marks(app, account.id).await?;
        let tx = app.db.begin().await?;
        key_accounts::forget_in_tx(&tx, account.user_id, account.id).await?;
        crash::commit(tx, Commit::RowsErased).await?;
    }
    if let (ErasureScope::User, Some(user)) = (erasure.scope, erasure.user_id) {
        let forgotten = plans::requests::forget(app, user).await;
        forgotten.map_err(anyhow::Error::from)?;
        let kept = billing::keep::leave_records(app, user).await?;
        counts.insert("billing_records_kept".to_owned(), json!(kept));
    }
    counts.insert("jobs".to_owned(), json!(jobs));
    counts.insert("budget_marks".to_owned(), json!(marks));
    for owned in OWNED {
        if owned.of_user && erasure.scope == ErasureScope::Account {
            continue;
        }
        // Files go between the posts that have them and the account.
        if owned.table == "creator_snapshots" && erasure.scope == ErasureScope::Account {
            let files = delete_files(app, &watched.media).await?;
            counts.insert("media".to_owned(), json!(files));
        }
        lease.prove(&app.db).await.map_err(anyhow::Error::from)?;
        let deleted = delete_all(app, erasure, owned).await?;
        let entry = counts.entry(owned.table).or_insert_with(|| json!(0));
        *entry = json!(entry.as_u64().unwrap_or(0) + deleted);
    }
    Ok(serde_json::Value::Object(counts))
}

async fn delete_all(app: &App, erasure: &erasure::Model, owned: &Owned) -> Result<u64> {
    let sql = owned.statement(erasure.scope);
    let whose = match erasure.scope {
        ErasureScope::Account => erasure.account_id.map(|id| id.0),
        ErasureScope::User => erasure.user_id.map(|id| id.0),
    };
    let Some(whose) = whose else { return Ok(0) };
    let mut deleted = 0;
    loop {
        let statement =
            Statement::from_sql_and_values(app.db.backend(), sql.clone(), [Value::from(whose)]);
        let batch = app.db.write().execute_raw(statement);
        let batch = crash::write(Commit::RowsErased, batch).await?;
        deleted += batch.rows_affected();
        if batch.rows_affected() == 0 || owned.key.is_none() {
            return Ok(deleted);
        }
    }
}

/// Deletes the jobs of a lane that do not run, and their pointers.
pub(super) async fn delete_jobs(app: &App, lane: &str) -> Result<u64> {
    let mut deleted = 0;
    loop {
        let tx = app.db.begin().await?;
        let jobs = ledger::delete_lane(&tx, lane, BATCH).await?;
        crash::commit(tx, Commit::RowsErased).await?;
        app.queue.forget(lane, &jobs).await;
        deleted += jobs.len() as u64;
        if jobs.is_empty() {
            return Ok(deleted);
        }
    }
}

pub(super) async fn delete_marks(app: &App, account: AccountId) -> Result<u64> {
    let delete = budget_mark::Entity::delete_many()
        .filter(budget_mark::Column::Subject.eq(account.to_string()))
        .exec(app.db.write());
    let deleted = crash::write(Commit::RowsErased, delete).await?;
    app.calls
        .forget(account)
        .await
        .map_err(anyhow::Error::from)?;
    Ok(deleted.rows_affected)
}

/// Deletes the rows of an account's files that nothing refers to.
async fn delete_files(app: &App, files: &[MediaId]) -> Result<u64> {
    use clipqueue_entities::{attempt_photo, media, media_import, media_segment, post, post_photo};
    let mut deleted = 0;
    for id in files {
        let db = app.db.read();
        let in_post = post::Entity::find().filter(post::Column::MediaId.eq(*id));
        let in_photos = post_photo::Entity::find().filter(post_photo::Column::MediaId.eq(*id));
        let sent = attempt_photo::Entity::find().filter(attempt_photo::Column::MediaId.eq(*id));
        if in_post.one(db).await?.is_some()
            || in_photos.one(db).await?.is_some()
            || sent.one(db).await?.is_some()
        {
            continue;
        }
        let tx = app.db.begin().await?;
        media_segment::Entity::delete_many()
            .filter(media_segment::Column::MediaId.eq(*id))
            .exec(&tx)
            .await?;
        // How it came here goes with it.
        media_import::Entity::delete_many()
            .filter(media_import::Column::MediaId.eq(*id))
            .exec(&tx)
            .await?;
        let row = media::Entity::delete_by_id(*id).exec(&tx).await?;
        crash::commit(tx, Commit::RowsErased).await?;
        deleted += row.rows_affected;
    }
    Ok(deleted)
}
