//! Asking for several posts at once: each row is judged like a request of its own, and what is good is
//! written in one transaction.
//!
//! The key of the request is bound to all of its rows. Each row makes one post at most, however often
//! the request is repeated: a repetition gives the posts that were made, as they are now, and tries
//! the rows that were refused again.

use std::collections::{HashMap, HashSet};

use clipqueue_entities::{
    AccountId, MediaId, UserId,
    account::{self, AccountStatus},
    post,
};
use futures::{StreamExt as _, TryStreamExt as _};
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _};
use uuid::Uuid;

use super::{
    NewPost,
    create::{make_in_tx, row},
    files,
    rules::{against_tiktok, asks_tiktok, judge},
};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        accounts,
        actor::Actor,
        creator,
        error::{Code, Refusal, Result},
        idempotency::{Request, Seen},
        plans,
        post_birth::Newborn,
    },
    job::UPLOADS,
    media::Media,
};

/// The most posts that one request may ask for.
pub const MAX_ROWS: usize = 500;
/// Creators about whom TikTok is asked while the caller waits. What is not known is asked before the
/// post is sent, as always.
const MAX_ASKED: usize = 20;
/// Questions to TikTok at the same time.
const ASKED_AT_ONCE: usize = 8;

/// What became of one row.
#[derive(Clone, Debug)]
pub enum Row {
    /// The post, as it is now.
    Made(Box<post::Model>),
    /// Why there is none.
    Refused(Vec<Refusal>),
    /// Nothing is wrong with it, but others were refused and it was all or nothing, or only checked.
    Good,
}

/// Makes a post of each row that is good or, with `all_or_nothing`, of every row if all are.
/// `check_only` writes nothing. The answer has one entry a row, in order.
pub async fn create_many(
    app: &App,
    actor: &Actor,
    rows: Vec<NewPost>,
    all_or_nothing: bool,
    check_only: bool,
    idempotency_key: &str,
) -> Result<Vec<Row>> {
    if rows.is_empty() || rows.len() > MAX_ROWS {
        let message = format!("must have 1 to {MAX_ROWS} rows; split a longer list");
        return Err(Refusal::new("posts", Code::Invalid, message).into());
    }
    let user = actor.user_id;
    let request = Request::new(
        user,
        idempotency_key,
        "createPosts",
        &(all_or_nothing, &rows),
    )?;
    if check_only {
        let total = rows.len();
        let mut checked = check(app, user, rows.into_iter().enumerate().collect()).await?;
        let wanted = submitted(checked.good.iter().map(|(_, one)| one));
        let room = plans::posts::room(app, user, wanted).await?;
        let good = checked.good.into_iter().map(|(_, one)| one).collect();
        within(&room, good, &mut checked.refused);
        return Ok(answer(checked.refused, HashMap::new(), total));
    }
    let mut seen = request.look_up(app.db.read()).await?;
    loop {
        let batch = match seen {
            Seen::New => Uuid::now_v7(),
            Seen::Before(batch) => batch,
        };
        let made = match seen {
            Seen::New => HashMap::new(),
            Seen::Before(_) => made_before(app.db.read(), user, batch).await?,
        };
        let missing: Vec<(usize, NewPost)> = rows
            .iter()
            .cloned()
            .enumerate()
            .filter(|(index, _)| !made.contains_key(index))
            .collect();
        let mut checked = check(app, user, missing).await?;
        if checked.good.is_empty() || (all_or_nothing && !checked.refused.is_empty()) {
            return Ok(answer(checked.refused, made, rows.len()));
        }
        let tx = app.db.begin().await?;
        let recorded = request.record_in_tx(&tx, app.clock.now(), batch).await?;
        if let Seen::Before(first) = recorded
            && first != batch
        {
            // Somebody else with the same request was quicker.
            tx.rollback().await?;
            seen = recorded;
            continue;
        }
        request.lock_in_tx(&tx).await?;
        let mut made = made_before(&tx, user, batch).await?;
        let mut newborn = Vec::new();
        for (index, mut one) in std::mem::take(&mut checked.good) {
            if !made.contains_key(&index) {
                one.post.batch_id = Some(batch);
                newborn.push(one);
            }
        }
        let named = newborn
            .iter()
            .flat_map(|one| one.photos.iter().copied().chain([one.post.media_id]));
        if !files::hold_in_tx(&tx, &named.collect::<Vec<_>>()).await? {
            // One was ended since it was looked at: the next look says so.
            tx.rollback().await?;
            continue;
        }
        let wanted = submitted(newborn.iter());
        let taken = plans::posts::take_in_tx(app, &tx, user, wanted).await?;
        let newborn = within(&taken, newborn, &mut checked.refused);
        if all_or_nothing && taken.refusal.is_some() {
            tx.rollback().await?;
            return Ok(answer(checked.refused, made, rows.len()));
        }
        for post in make_in_tx(app, &tx, user, newborn, "createPosts").await? {
            made.extend(place(&post).map(|index| (index, post)));
        }
        crash::commit(tx, Commit::PostAccepted).await?;
        app.announce(user).await;
        app.nudge(UPLOADS);
        return Ok(answer(checked.refused, made, rows.len()));
    }
}

/// Rows that were looked at, by their place in the request.
#[derive(Default)]
struct Checked {
    good: Vec<(usize, Newborn)>,
    refused: HashMap<usize, Vec<Refusal>>,
}

/// A row with its files, and what is wrong with it.
struct Judged {
    index: usize,
    new: NewPost,
    files: Vec<Media>,
    refusals: Vec<Refusal>,
}

/// Judges rows. Each account, file and creator is looked up once, whatever number of rows name it.
async fn check(app: &App, user: UserId, rows: Vec<(usize, NewPost)>) -> Result<Checked> {
    let accounts = accounts_of(app, user, &rows).await?;
    let found = files_of(app, user, &rows).await?;
    let judged: Vec<Judged> = rows
        .into_iter()
        .map(|(index, new)| {
            let account = accounts.get(&new.account_id);
            let (files, refusals) = judge(app, &new, account, &found);
            Judged {
                index,
                new,
                files,
                refusals,
            }
        })
        .collect();
    let asked: HashSet<AccountId> = judged
        .iter()
        .filter(|row| asks_tiktok(&row.new, &row.refusals))
        .map(|row| row.new.account_id)
        .collect();
    let creators = creators(app, &accounts, asked).await?;
    let mut checked = Checked::default();
    for Judged {
        index,
        new,
        files,
        mut refusals,
    } in judged
    {
        if asks_tiktok(&new, &refusals)
            && let Some(known) = creators.get(&new.account_id)
        {
            refusals = against_tiktok(&new, &files, known.clone());
        }
        if refusals.is_empty() {
            let mut one = row(app, user, new, &files)?;
            one.post.batch_row = i32::try_from(index).ok();
            checked.good.push((index, one));
        } else {
            checked.refused.insert(index, refusals);
        }
    }
    Ok(checked)
}

async fn accounts_of(
    app: &App,
    user: UserId,
    rows: &[(usize, NewPost)],
) -> Result<HashMap<AccountId, account::Model>> {
    let ids: HashSet<AccountId> = rows.iter().map(|(_, new)| new.account_id).collect();
    let ids: Vec<AccountId> = ids.into_iter().collect();
    let found = accounts::get_many(app, user, &ids).await?;
    Ok(found
        .into_iter()
        .filter(|account| account.status != AccountStatus::Disconnected)
        .map(|account| (account.id, account))
        .collect())
}

async fn files_of(
    app: &App,
    user: UserId,
    rows: &[(usize, NewPost)],
) -> Result<HashMap<MediaId, Media>> {
    let ids: HashSet<MediaId> = rows
        .iter()
        .flat_map(|(_, new)| files::named(new.media_id, new.photos.as_ref()))
        .collect();
    let ids: Vec<MediaId> = ids.into_iter().collect();
    let mut found = HashMap::with_capacity(ids.len());
    for some in ids.chunks(MAX_ROWS) {
        found.extend(files::by_id(app, user, some).await?);
    }
    Ok(found)
}

/// TikTok's word about the creators, several at a time.
async fn creators(
    app: &App,
    accounts: &HashMap<AccountId, account::Model>,
    asked: HashSet<AccountId>,
) -> Result<HashMap<AccountId, creator::Known>> {
    let mut asked: Vec<AccountId> = asked.into_iter().collect();
    asked.sort_unstable();
    asked.truncate(MAX_ASKED);
    let accounts: Vec<account::Model> = asked
        .into_iter()
        .filter_map(|id| accounts.get(&id).cloned())
        .collect();
    let mut questions = Vec::with_capacity(accounts.len());
    for account in accounts {
        questions.push(async move {
            let known = creator::recent(app, &account).await?;
            Ok((account.id, known))
        });
    }
    futures::stream::iter(questions)
        .buffer_unordered(ASKED_AT_ONCE)
        .try_collect()
        .await
}

/// The posts that earlier calls made of this request, by row.
async fn made_before(
    db: &impl ConnectionTrait,
    user: UserId,
    batch: Uuid,
) -> Result<HashMap<usize, post::Model>> {
    let posts = post::Entity::find()
        .filter(post::Column::UserId.eq(user))
        .filter(post::Column::BatchId.eq(batch))
        .all(db)
        .await?;
    Ok(posts
        .into_iter()
        .filter_map(|post| Some((place(&post)?, post)))
        .collect())
}

/// How many of the rows are sent on their way, which a plan counts.
fn submitted<'a>(rows: impl Iterator<Item = &'a Newborn>) -> usize {
    rows.filter(|one| one.submit).count()
}

/// The rows that the plan has room for, first come first served; the others are refused.
fn within(
    taken: &plans::posts::Taken,
    rows: Vec<Newborn>,
    refused: &mut HashMap<usize, Vec<Refusal>>,
) -> Vec<Newborn> {
    let Some(refusal) = &taken.refusal else {
        return rows;
    };
    let mut left = taken.posts;
    let mut good = Vec::with_capacity(rows.len());
    for one in rows {
        if !one.submit {
            good.push(one);
        } else if left > 0 {
            left -= 1;
            good.push(one);
        } else if let Some(index) = place(&one.post) {
            refused.insert(index, vec![refusal.clone()]);
        }
    }
    good
}

fn place(post: &post::Model) -> Option<usize> {
    usize::try_from(post.batch_row?).ok()
}

fn answer(
    mut refused: HashMap<usize, Vec<Refusal>>,
    mut made: HashMap<usize, post::Model>,
    rows: usize,
) -> Vec<Row> {
    (0..rows)
        .map(
            |index| match (made.remove(&index), refused.remove(&index)) {
                (Some(post), _) => Row::Made(Box::new(post)),
                (None, Some(refusals)) => Row::Refused(refusals),
                (None, None) => Row::Good,
            },
        )
        .collect()
}
