//! Posts as their owner sees them: asking for one, changing it, stopping it, trying it again.
//!
//! A mutation writes the post, its event and its job in one transaction and answers at once; what is
//! then done with TikTok is `publish`'s. Everything is selected through the owner.

use clipqueue_entities::{
    AccountId, MediaId, PostId, Timestamp, UserId, account,
    account::AccountStatus,
    post,
    post::{PostMode, PostState},
    post_attempt::AttemptPhase,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, Condition, ConnectionTrait,
    DatabaseTransaction, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::Serialize;
use serde_json::json;

use super::{
    accounts,
    actor::Actor,
    attempts, creator,
    error::{Code, Error, Refusal, Result},
    events::{self, NewEvent},
    idempotency::{Request, Seen},
    post_change::{Change, Evidence, apply_in_tx, insert_evidence},
    post_settings::{DirectSettings, against_creator, caption_refusal},
    post_state::{self, PostEvent},
};
use crate::{
    app::App,
    job::{Job, UPLOADS},
    media::{Media, MediaError, MediaState},
    queue::ledger::{self, CancelOutcome},
};

/// Longest experiment label or upload reference, in characters.
const MAX_LABEL: usize = 200;
/// A schedule further away than this is a typo.
const MAX_AHEAD_DAYS: u64 = 366;

/// A request for a post.
#[derive(Clone, Debug, Serialize)]
pub struct NewPost {
    /// The creator's account.
    pub account_id: AccountId,
    /// The video.
    pub media_id: MediaId,
    /// The caption.
    pub caption: String,
    /// The choices of a direct post; an inbox draft when absent.
    pub direct: Option<DirectSettings>,
    /// Whether the creator agreed to the text that TikTok demands for a direct post.
    pub creator_consent: bool,
    /// A label that joins posts of one experiment.
    pub experiment_label: Option<String>,
    /// The caller's own reference.
    pub upload_reference: Option<String>,
    /// When to post; at once, when absent.
    pub publish_at: Option<Timestamp>,
    /// Keep it as an editable DRAFT instead of sending it.
    pub keep_draft: bool,
}

/// What an edit changes; absent fields stay.
#[derive(Clone, Debug, Default)]
pub struct PostEdit {
    /// A new caption.
    pub caption: Option<String>,
    /// New choices.
    pub direct: Option<DirectSettings>,
    /// Whether the creator agreed to the text for the new choices.
    pub creator_consent: bool,
    /// A new label; `Some(None)` takes it away.
    pub experiment_label: Option<Option<String>>,
    /// A new reference; `Some(None)` takes it away.
    pub upload_reference: Option<Option<String>>,
    /// A new time; `Some(None)` means at once.
    pub publish_at: Option<Option<Timestamp>>,
}

/// A post of `user`.
pub async fn get(db: &impl ConnectionTrait, user: UserId, id: PostId) -> Result<post::Model> {
    post::Entity::find_by_id(id)
        .filter(post::Column::UserId.eq(user))
        .one(db)
        .await?
        .ok_or(Error::NotFound)
}

/// Several posts of `user` by id; those that are not there are left out.
pub async fn get_many(app: &App, user: UserId, ids: &[PostId]) -> Result<Vec<post::Model>> {
    Ok(post::Entity::find()
        .filter(post::Column::UserId.eq(user))
        .filter(post::Column::Id.is_in(ids.iter().copied()))
        .all(app.db.read())
        .await?)
}

/// What a list of posts is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct PostFilter {
    /// One account.
    pub account_id: Option<AccountId>,
    /// Any of these states.
    pub states: Option<Vec<PostState>>,
    /// One experiment.
    pub experiment_label: Option<String>,
    /// One reference.
    pub upload_reference: Option<String>,
}

/// One page of a list ordered by id.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Only what comes after this id in reading order.
    pub after: Option<PostId>,
    /// Only what comes before this id in reading order.
    pub before: Option<PostId>,
    /// How many at most.
    pub limit: u64,
    /// The last `limit` instead of the first.
    pub backward: bool,
}

/// Posts of `user`, newest first.
pub async fn list(
    app: &App,
    user: UserId,
    filter: &PostFilter,
    page: Page,
) -> Result<Vec<post::Model>> {
    let mut condition = Condition::all().add(post::Column::UserId.eq(user));
    if let Some(account) = filter.account_id {
        condition = condition.add(post::Column::AccountId.eq(account));
    }
    if let Some(states) = &filter.states {
        condition = condition.add(post::Column::State.is_in(states.iter().copied()));
    }
    if let Some(label) = &filter.experiment_label {
        condition = condition.add(post::Column::ExperimentLabel.eq(label));
    }
    if let Some(reference) = &filter.upload_reference {
        condition = condition.add(post::Column::UploadReference.eq(reference));
    }
    if let Some(after) = page.after {
        condition = condition.add(post::Column::Id.lt(after));
    }
    if let Some(before) = page.before {
        condition = condition.add(post::Column::Id.gt(before));
    }
    let query = post::Entity::find().filter(condition).limit(page.limit);
    let mut posts = if page.backward {
        query.order_by_asc(post::Column::Id)
    } else {
        query.order_by_desc(post::Column::Id)
    }
    .all(app.db.read())
    .await?;
    if page.backward {
        posts.reverse();
    }
    Ok(posts)
}

/// Checks a request without writing anything. Gives the media and the account that it names.
pub async fn validate(app: &App, actor: &Actor, new: &NewPost) -> Result<(account::Model, Media)> {
    let mut refusals = Vec::new();
    let account = accounts::get(app.db.read(), actor.user_id, new.account_id).await;
    let account = found(
        account,
        "accountId",
        "no such TikTok account",
        &mut refusals,
    )?;
    let media = find_media(app, actor.user_id, new.media_id).await?;
    if media.is_none() {
        refusals.push(Refusal::new("mediaId", Code::NotFound, "no such media"));
    }
    check_texts(
        &new.caption,
        new.experiment_label.as_deref(),
        new.upload_reference.as_deref(),
        &mut refusals,
    );
    check_time(app, new.publish_at, &mut refusals);
    if let Some(direct) = &new.direct {
        refusals.extend(direct.refusals(app.config.tiktok.audited));
        check_consent(new.creator_consent, new.keep_draft, &mut refusals);
    }
    if let Some(media) = &media {
        check_media(media, &mut refusals);
    }
    if let Some(account) = &account {
        check_account(account, new.direct.is_some(), &mut refusals);
        // Asking TikTok is worth it only for a request that holds otherwise.
        if let (Some(direct), true) = (&new.direct, refusals.is_empty()) {
            match creator::recent(app, account).await? {
                creator::Known::Options(options) => refusals.extend(against_creator(
                    direct,
                    &options,
                    media.as_ref().and_then(duration_ms),
                )),
                creator::Known::CannotPost(refusal) => refusals.push(refusal),
                // TikTok cannot be asked now: the post is accepted, and asked about again before it is sent.
                creator::Known::Nothing => {}
            }
        }
    }
    match (account, media) {
        (Some(account), Some(media)) if refusals.is_empty() => Ok((account, media)),
        _ => Err(Error::Refused(refusals)),
    }
}

/// Accepts a post. The same key with the same request gives the same post.
pub async fn create(
    app: &App,
    actor: &Actor,
    new: NewPost,
    idempotency_key: &str,
) -> Result<post::Model> {
    let request = Request::new(actor.user_id, idempotency_key, "createPost", &new)?;
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return get(app.db.read(), actor.user_id, PostId(id)).await;
    }
    let (_, media) = validate(app, actor, &new).await?;
    let now = app.clock.now();
    let id = PostId::new();
    let row = post::Model {
        id,
        user_id: actor.user_id,
        account_id: new.account_id,
        media_id: new.media_id,
        mode: if new.direct.is_some() {
            PostMode::Direct
        } else {
            PostMode::Inbox
        },
        caption: new.caption,
        settings: serde_json::to_value(&new.direct).map_err(anyhow::Error::from)?,
        experiment_label: new.experiment_label,
        upload_reference: new.upload_reference,
        publish_at: new.publish_at,
        state: PostState::Draft,
        state_since: now,
        deadline_at: None,
        hold_reason: None,
        hold_until: None,
        failure_class: None,
        failure_code: None,
        failure_message: None,
        failure_retryable: false,
        cancel_requested: false,
        tiktok_post_ids: json!([]),
        share_url: None,
        bytes_sent: 0,
        bytes_total: i64::try_from(media.size).unwrap_or(i64::MAX),
        caption_copied_at: None,
        consent_version: new
            .direct
            .as_ref()
            .filter(|_| new.creator_consent)
            .map(|direct| direct.consent().as_str().to_owned()),
        consent_at: (new.direct.is_some() && new.creator_consent).then_some(now),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let tx = app.db.begin().await?;
    if let Seen::Before(id) = request.record_in_tx(&tx, now, id.0).await? {
        tx.rollback().await?;
        return get(app.db.read(), actor.user_id, PostId(id)).await;
    }
    post::Entity::insert(row.clone().into_active_model().reset_all())
        .exec_without_returning(&tx)
        .await?;
    events::append_in_tx(
        &tx,
        now,
        NewEvent {
            user_id: row.user_id,
            account_id: Some(row.account_id),
            post_id: Some(id),
            kind: "post.created",
            data: json!({ "to": "draft" }),
            evidence_id: None,
        },
    )
    .await?;
    let post = if new.keep_draft {
        row
    } else {
        submit_in_tx(app, &tx, row, Evidence::creator("createPost")).await?
    };
    tx.commit().await?;
    app.announce(actor.user_id).await;
    app.nudge(UPLOADS).await;
    Ok(post)
}

/// Sends a DRAFT on its way.
pub async fn submit(app: &App, actor: &Actor, id: PostId) -> Result<post::Model> {
    let post = get(app.db.read(), actor.user_id, id).await?;
    validate(app, actor, &as_request(&post)?).await?;
    let tx = app.db.begin().await?;
    // Locked, so that of two requests at once the second finds the work done.
    let post = post::Entity::find_by_id(id)
        .filter(post::Column::UserId.eq(actor.user_id))
        .lock_exclusive()
        .one(&tx)
        .await?
        .ok_or(Error::NotFound)?;
    if post.state != PostState::Draft {
        tx.rollback().await?;
        return Ok(post);
    }
    let post = submit_in_tx(app, &tx, post, Evidence::creator("submitPost")).await?;
    tx.commit().await?;
    app.announce(actor.user_id).await;
    app.nudge(UPLOADS).await;
    Ok(post)
}

async fn submit_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    post: post::Model,
    evidence: Evidence,
) -> Result<post::Model> {
    let post = apply_in_tx(app, tx, post, Change::new(PostEvent::Submitted, evidence)).await?;
    app.enqueue_in_tx(tx, upload_job(&post), post.publish_at)
        .await?;
    Ok(post)
}

/// The job that sends `post`.
pub fn upload_job(post: &post::Model) -> Job {
    Job::UploadPost {
        post_id: post.id,
        account_id: post.account_id,
    }
}

/// Edits a post that has not begun; `expected_version` must be the one that the caller saw.
pub async fn update(
    app: &App,
    actor: &Actor,
    id: PostId,
    expected_version: i32,
    edit: PostEdit,
) -> Result<post::Model> {
    let before = get(app.db.read(), actor.user_id, id).await?;
    check_editable(&before, expected_version)?;
    let edited = apply_edit(&before, &edit, app.clock.now())?;
    let mut request = as_request(&edited)?;
    request.creator_consent = edited.consent_at.is_some();
    request.keep_draft = edited.state == PostState::Draft;
    if edited.publish_at == before.publish_at {
        // A time that was accepted once is not judged again.
        request.publish_at = None;
    }
    validate(app, actor, &request).await?;

    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let post = get(&tx, actor.user_id, id).await?;
    check_editable(&post, expected_version)?;
    if edited.publish_at != post.publish_at && post.state != PostState::Draft {
        let run_at = edited.publish_at.max(post.hold_until);
        if !app
            .reschedule_in_tx(&tx, &upload_job(&post), run_at)
            .await?
        {
            return Err(Refusal::whole(
                Code::WrongState,
                "the post is being started at this moment; read it again, or cancel it",
            )
            .into());
        }
    }
    let mut row = edited.clone().into_active_model();
    row.id = sea_orm::ActiveValue::Unchanged(id);
    row.caption = Set(edited.caption);
    row.settings = Set(edited.settings);
    row.experiment_label = Set(edited.experiment_label);
    row.upload_reference = Set(edited.upload_reference);
    row.publish_at = Set(edited.publish_at);
    row.consent_version = Set(edited.consent_version);
    row.consent_at = Set(edited.consent_at);
    row.version = Set(expected_version + 1);
    row.updated_at = Set(now);
    if post.state == PostState::Scheduled {
        let due = edited.publish_at.unwrap_or(now).max(now);
        row.deadline_at = Set(Some(due + app.config.posts.late_limit));
    }
    let changed = post::Entity::update_many()
        .set(row)
        .filter(post::Column::Id.eq(id))
        .filter(post::Column::Version.eq(expected_version))
        .filter(post::Column::State.eq(post.state))
        .exec(&tx)
        .await?;
    if changed.rows_affected != 1 {
        return Err(version_conflict(post.version).into());
    }
    let evidence_id = insert_evidence(&tx, now, &post, Evidence::creator("updatePost")).await?;
    events::append_in_tx(
        &tx,
        now,
        NewEvent {
            user_id: post.user_id,
            account_id: Some(post.account_id),
            post_id: Some(id),
            kind: "post.edited",
            data: json!({ "version": expected_version + 1 }),
            evidence_id: Some(evidence_id),
        },
    )
    .await?;
    let post = get(&tx, actor.user_id, id).await?;
    tx.commit().await?;
    app.announce(actor.user_id).await;
    app.nudge(UPLOADS).await;
    Ok(post)
}

/// Stops a post. Before its commit point it ends CANCELLED; a running upload is told to stop and
/// ends CANCELLED before its last chunk. What TikTok has whole cannot be taken back.
pub async fn cancel(app: &App, actor: &Actor, id: PostId) -> Result<post::Model> {
    let tx = app.db.begin().await?;
    let post = get(&tx, actor.user_id, id).await?;
    match post.state {
        PostState::Cancelled => {
            tx.rollback().await?;
            Ok(post)
        }
        PostState::Draft | PostState::Scheduled | PostState::Held => {
            // Jobs are locked before posts everywhere.
            app.cancel_job_in_tx(&tx, &upload_job(&post)).await?;
            let change = Change::new(PostEvent::Cancelled, Evidence::creator("cancelPost"));
            let post = apply_in_tx(app, &tx, post, change).await?;
            tx.commit().await?;
            app.announce(actor.user_id).await;
            Ok(post)
        }
        PostState::Preflight | PostState::InitSent | PostState::Uploading => {
            cancel_sending(app, tx, post).await
        }
        PostState::Processing
        | PostState::InInbox
        | PostState::Published
        | PostState::Unconfirmed
        | PostState::Lapsed => Err(too_late().into()),
        PostState::Failed | PostState::Missed => Err(Refusal::whole(
            Code::WrongState,
            "the post has ended already; there is nothing to stop",
        )
        .into()),
    }
}

/// Stops a post that a worker has begun. A waiting job is stopped here and now; a running one is told
/// to stop, and its worker ends the post before the last chunk.
async fn cancel_sending(
    app: &App,
    tx: DatabaseTransaction,
    post: post::Model,
) -> Result<post::Model> {
    let now = app.clock.now();
    let key = upload_job(&post).unique_key();
    let job = ledger::live(&tx, std::slice::from_ref(&key))
        .await?
        .remove(&key);
    let outcome = match job {
        Some(id) => ledger::cancel_in(&tx, now, id).await?,
        None => CancelOutcome::NotFound,
    };
    let user = post.user_id;
    let id = post.id;
    // The row is written before the phase is read: a worker that is about to send the last chunk writes
    // it too, so one of the two comes first and the other sees it.
    post::Entity::update_many()
        .col_expr(
            post::Column::CancelRequested,
            sea_orm::sea_query::Expr::value(true),
        )
        .filter(post::Column::Id.eq(id))
        .exec(&tx)
        .await?;
    let past_commit_point = attempts::open(&tx, id)
        .await?
        .is_some_and(|attempt| attempt.phase >= AttemptPhase::LastChunk);
    if past_commit_point {
        tx.rollback().await?;
        return Err(too_late().into());
    }
    if outcome == CancelOutcome::Requested {
        insert_evidence(&tx, now, &post, Evidence::creator("cancelPost")).await?;
        tx.commit().await?;
        if let Some(job) = job {
            app.queue.announce_cancel(job, outcome).await?;
        }
        return get(app.db.read(), user, id).await;
    }
    attempts::close_in_tx(app, &tx, &post, "cancelled", None).await?;
    let change = Change::new(PostEvent::Cancelled, Evidence::creator("cancelPost"));
    let post = apply_in_tx(app, &tx, post, change).await?;
    tx.commit().await?;
    app.announce(user).await;
    Ok(post)
}

fn too_late() -> Refusal {
    Refusal::whole(
        Code::WrongState,
        "TikTok has the whole video, so the post can no longer be stopped here; delete it in the TikTok app",
    )
}

/// Tries a FAILED, MISSED or CANCELLED post again, when that can help.
pub async fn retry(
    app: &App,
    actor: &Actor,
    id: PostId,
    idempotency_key: &str,
) -> Result<post::Model> {
    let request = Request::new(actor.user_id, idempotency_key, "retryPost", &id)?;
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return get(app.db.read(), actor.user_id, PostId(id)).await;
    }
    let post = get(app.db.read(), actor.user_id, id).await?;
    if post.state == PostState::Failed && !post.failure_retryable {
        return Err(Refusal::whole(
            Code::WrongState,
            format!(
                "the same post would fail again ({}); make a new post with what it needs",
                post.failure_code.as_deref().unwrap_or("unknown")
            ),
        )
        .into());
    }
    let mut asked = as_request(&post)?;
    asked.publish_at = None;
    validate(app, actor, &asked).await?;
    let tx = app.db.begin().await?;
    if let Seen::Before(id) = request.record_in_tx(&tx, app.clock.now(), id.0).await? {
        tx.rollback().await?;
        return get(app.db.read(), actor.user_id, PostId(id)).await;
    }
    let post = get(&tx, actor.user_id, id).await?;
    let change = Change::new(PostEvent::Retried, Evidence::creator("retryPost")).edit(|row| {
        row.publish_at = Set(None);
        row.cancel_requested = Set(false);
        row.bytes_sent = Set(0);
    });
    let post = apply_in_tx(app, &tx, post, change).await?;
    app.enqueue_in_tx(&tx, upload_job(&post), None).await?;
    tx.commit().await?;
    app.announce(actor.user_id).await;
    app.nudge(UPLOADS).await;
    Ok(post)
}

/// Notes that the creator copied the caption of an inbox post.
pub async fn caption_copied(app: &App, actor: &Actor, id: PostId) -> Result<post::Model> {
    let post = get(app.db.read(), actor.user_id, id).await?;
    if post.mode != PostMode::Inbox {
        return Err(Refusal::whole(
            Code::WrongState,
            "TikTok takes the caption of a direct post itself; only inbox posts hand it over",
        )
        .into());
    }
    post::Entity::update_many()
        .col_expr(
            post::Column::CaptionCopiedAt,
            sea_orm::sea_query::Expr::value(app.clock.now()),
        )
        .filter(post::Column::Id.eq(id))
        .exec(app.db.write())
        .await?;
    get(app.db.read(), actor.user_id, id).await
}

/// The explicit choices that are stored with a direct post.
pub fn direct_settings(post: &post::Model) -> Result<Option<DirectSettings>> {
    Ok(serde_json::from_value(post.settings.clone()).map_err(anyhow::Error::from)?)
}

/// How long the video lasts, as far as its container says.
pub fn duration_ms(media: &Media) -> Option<u64> {
    media.facts.as_ref()?.duration_ms
}

/// A file of `user`, if it is there.
pub async fn find_media(app: &App, user: UserId, id: MediaId) -> Result<Option<Media>> {
    match app.media.get(user, id).await {
        Ok(media) => Ok(Some(media)),
        Err(MediaError::NotFound) => Ok(None),
        Err(error) => Err(Error::Internal(error.into())),
    }
}

fn as_request(post: &post::Model) -> Result<NewPost> {
    Ok(NewPost {
        account_id: post.account_id,
        media_id: post.media_id,
        caption: post.caption.clone(),
        direct: direct_settings(post)?,
        creator_consent: post.consent_at.is_some(),
        experiment_label: post.experiment_label.clone(),
        upload_reference: post.upload_reference.clone(),
        publish_at: post.publish_at,
        keep_draft: false,
    })
}

fn apply_edit(post: &post::Model, edit: &PostEdit, now: Timestamp) -> Result<post::Model> {
    let mut edited = post.clone();
    if let Some(caption) = &edit.caption {
        edited.caption.clone_from(caption);
    }
    if let Some(direct) = &edit.direct {
        if post.mode != PostMode::Direct {
            return Err(Refusal::new(
                "direct",
                Code::Invalid,
                "this post goes to the TikTok inbox, where the creator chooses; make a new post to send it directly",
            )
            .into());
        }
        edited.settings = serde_json::to_value(direct).map_err(anyhow::Error::from)?;
        // Other choices need another agreement.
        edited.consent_at = edit.creator_consent.then_some(now);
        edited.consent_version = edit
            .creator_consent
            .then(|| direct.consent().as_str().to_owned());
    }
    if let Some(label) = &edit.experiment_label {
        edited.experiment_label.clone_from(label);
    }
    if let Some(reference) = &edit.upload_reference {
        edited.upload_reference.clone_from(reference);
    }
    if let Some(at) = edit.publish_at {
        edited.publish_at = at;
    }
    Ok(edited)
}

fn check_editable(post: &post::Model, expected_version: i32) -> Result<()> {
    if post.version != expected_version {
        return Err(version_conflict(post.version).into());
    }
    match post.state {
        PostState::Draft | PostState::Scheduled | PostState::Held => Ok(()),
        state => Err(Refusal::whole(
            Code::WrongState,
            format!(
                "the post is {}, and only a DRAFT, SCHEDULED or HELD post can be edited",
                super::post_change::state_word(state).to_uppercase()
            ),
        )
        .into()),
    }
}

fn version_conflict(version: i32) -> Refusal {
    Refusal::new(
        "expectedVersion",
        Code::VersionConflict,
        format!("the post is at version {version}; read it again and repeat the edit"),
    )
}

fn found<T>(
    result: Result<T>,
    field: &'static str,
    message: &str,
    refusals: &mut Vec<Refusal>,
) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound) => {
            refusals.push(Refusal::new(field, Code::NotFound, message));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn check_texts(
    caption: &str,
    label: Option<&str>,
    reference: Option<&str>,
    refusals: &mut Vec<Refusal>,
) {
    refusals.extend(caption_refusal(caption));
    for (field, text) in [("experimentLabel", label), ("uploadReference", reference)] {
        if let Some(text) = text
            && (text.trim().is_empty() || text.chars().count() > MAX_LABEL || text.contains('\0'))
        {
            refusals.push(Refusal::new(
                field,
                Code::Invalid,
                "must have 1 to 200 characters; leave it out when there is none",
            ));
        }
    }
}

fn check_time(app: &App, at: Option<Timestamp>, refusals: &mut Vec<Refusal>) {
    let Some(at) = at else { return };
    let now = app.clock.now();
    if at < now {
        refusals.push(Refusal::new(
            "publishAt",
            Code::Invalid,
            "lies in the past; leave it out to post at once",
        ));
    }
    if at > now + std::time::Duration::from_secs(MAX_AHEAD_DAYS * 86_400) {
        refusals.push(Refusal::new(
            "publishAt",
            Code::Invalid,
            "lies more than a year ahead",
        ));
    }
}

fn check_consent(consent: bool, keep_draft: bool, refusals: &mut Vec<Refusal>) {
    if !consent && !keep_draft {
        refusals.push(Refusal::new(
            "creatorConsent",
            Code::ConsentRequired,
            "show the creator TikTok's confirmation text and set this to true once they agree",
        ));
    }
}

/// Whether the video can be sent.
pub fn check_media(media: &Media, refusals: &mut Vec<Refusal>) {
    match media.state {
        MediaState::Ready => {}
        MediaState::Uploading => refusals.push(Refusal::new(
            "mediaId",
            Code::MediaNotReady,
            "is not completely uploaded; finish the upload first",
        )),
        MediaState::Rejected => refusals.push(Refusal::new(
            "mediaId",
            Code::MediaUnfit,
            "breaks a rule of TikTok's; see the verdicts of the media",
        )),
        MediaState::Expired | MediaState::Deleted => refusals.push(Refusal::new(
            "mediaId",
            Code::MediaNotReady,
            "is no longer stored; upload it again",
        )),
    }
}

/// Whether the account can be posted to in this way.
pub fn check_account(account: &account::Model, direct: bool, refusals: &mut Vec<Refusal>) {
    if account.status != AccountStatus::Active {
        refusals.push(Refusal::new(
            "accountId",
            Code::ReconnectRequired,
            "the creator must connect this TikTok account again; use connectTikTok",
        ));
        return;
    }
    let needed = if direct {
        "video.publish"
    } else {
        "video.upload"
    };
    if !account.scopes.split(',').any(|scope| scope == needed) {
        refusals.push(Refusal::new(
            "accountId",
            Code::ScopeMissing,
            format!(
                "the creator did not grant {needed}; use connectTikTok and leave its switch on"
            ),
        ));
    }
}

/// The phase of a post, for callers outside the domain.
pub fn phase(post: &post::Model) -> post_state::Phase {
    post_state::phase(post.state)
}
