//! Asking for a post: a DRAFT to be edited, or a post that is sent on its way.
//!
//! What is here for one post ([`row`], [`make_in_tx`]) is what [`batch`](super::batch) does for many.

use clipqueue_entities::{
    AccountId, MediaId, PostId, Timestamp, UserId, post,
    post::{PostKind, PostMode, PostState},
};
use sea_orm::{ActiveValue::Set, ConnectionTrait};
use serde::Serialize;
use serde_json::json;

use super::{
    direct_settings, files, get, get_locked, local_time,
    photos::{Photos, photos_of},
    rules::{due, validate},
    upload_job,
};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        actor::Actor,
        error::Result,
        idempotency::{Request, Seen},
        lateness::Late,
        local_time::LocalTime,
        plans,
        post_birth::{self, Newborn},
        post_change::{Change, Evidence, apply_in_tx},
        post_settings::DirectSettings,
        post_state::PostEvent,
    },
    job::UPLOADS,
    media::Media,
};

/// A request for a post.
#[derive(Clone, Debug, Serialize)]
pub struct NewPost {
    /// The creator's account.
    pub account_id: AccountId,
    /// The video; absent for a post of photos.
    pub media_id: Option<MediaId>,
    /// The photos; absent for a video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photos: Option<Photos>,
    /// The caption, which TikTok calls the description of photos.
    pub caption: String,
    /// The choices of a direct post; an inbox draft when absent.
    pub direct: Option<DirectSettings>,
    /// Whether the creator agreed to the text that TikTok demands for a direct post.
    pub creator_consent: bool,
    /// A label that joins posts of one experiment.
    pub experiment_label: Option<String>,
    /// Which variant of the experiment it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment_variant: Option<String>,
    /// The caller's own reference.
    pub upload_reference: Option<String>,
    /// When to post; at once, when absent.
    pub publish_at: Option<Timestamp>,
    /// The same as a local time; one of the two.
    // Left out when absent, so that requests of older versions keep their hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalTime>,
    /// What becomes of it when it is late; the installation's rule, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
    /// Keep it as an editable DRAFT instead of sending it.
    pub keep_draft: bool,
}

impl NewPost {
    /// What is to be posted.
    pub fn kind(&self) -> PostKind {
        match self.photos {
            Some(_) => PostKind::Photo,
            None => PostKind::Video,
        }
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
    let (_, files) = validate(app, actor, &new).await?;
    let now = app.clock.now();
    let newborn = row(app, actor.user_id, new, &files)?;
    let id = newborn.post.id;
    let tx = app.db.begin().await?;
    if let Seen::Before(id) = request.record_in_tx(&tx, now, id.0).await? {
        tx.rollback().await?;
        return get(app.db.read(), actor.user_id, PostId(id)).await;
    }
    files::hold_all_in_tx(&tx, &files).await?;
    if newborn.submit {
        plans::posts::take_one_in_tx(app, &tx, actor.user_id).await?;
    }
    let mut made = make_in_tx(app, &tx, actor.user_id, vec![newborn], "createPost").await?;
    crash::commit(tx, Commit::PostAccepted).await?;
    app.announce(actor.user_id).await;
    app.nudge(UPLOADS);
    made.pop()
        .ok_or_else(|| anyhow::anyhow!("no post was made of one request").into())
}

/// What [`create`] would refuse, without writing anything.
pub async fn check(app: &App, actor: &Actor, new: &NewPost) -> Result<()> {
    validate(app, actor, new).await?;
    let wanted = usize::from(!new.keep_draft);
    match plans::posts::room(app, actor.user_id, wanted)
        .await?
        .refusal
    {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}

/// The row of a request that was found good.
pub(super) fn row(app: &App, user: UserId, new: NewPost, files: &[Media]) -> Result<Newborn> {
    let Some(first) = files.first() else {
        return Err(anyhow::anyhow!("a request without a file passed its checks").into());
    };
    let now = app.clock.now();
    let publish_at = due(&new)?;
    let post = post::Model {
        id: PostId::new(),
        user_id: user,
        account_id: new.account_id,
        media_id: first.id,
        kind: new.kind(),
        mode: if new.direct.is_some() {
            PostMode::Direct
        } else {
            PostMode::Inbox
        },
        caption: new.caption,
        title: new.photos.as_ref().and_then(|photos| photos.title.clone()),
        cover_index: new.photos.as_ref().map(|photos| photos.cover_index),
        auto_add_music: new.photos.as_ref().and_then(|photos| photos.auto_add_music),
        settings: serde_json::to_value(&new.direct).map_err(anyhow::Error::from)?,
        experiment_label: new.experiment_label,
        upload_reference: new.upload_reference,
        publish_at,
        state: PostState::Draft,
        state_since: now,
        deadline_at: None,
        hold_reason: None,
        hold_until: None,
        wait_reason: None,
        wait_until: None,
        wait_due: None,
        failure_class: None,
        failure_code: None,
        failure_message: None,
        failure_retryable: false,
        cancel_requested: false,
        tiktok_post_ids: json!([]),
        share_url: None,
        bytes_sent: 0,
        bytes_total: total_bytes(files),
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
        local_time: new
            .local
            .map(serde_json::to_value)
            .transpose()
            .map_err(anyhow::Error::from)?,
        late_policy: new.late.map(|late| late.policy),
        late_within_s: new.late.and_then(|late| late.within_s),
        batch_id: None,
        batch_row: None,
        experiment_variant: new.experiment_variant,
    };
    Ok(Newborn {
        post,
        photos: new
            .photos
            .map(|photos| photos.media_ids)
            .unwrap_or_default(),
        submit: !new.keep_draft,
    })
}

/// Writes posts of one tenant, and the jobs of those that are sent on their way.
pub(super) async fn make_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    user: UserId,
    newborn: Vec<Newborn>,
    request: &'static str,
) -> Result<Vec<post::Model>> {
    let proof = Evidence::creator(request);
    let posts = post_birth::make_in_tx(app, tx, user, newborn, &proof).await?;
    let jobs = posts
        .iter()
        .filter(|post| post.state == PostState::Scheduled)
        .map(|post| (upload_job(post), post.publish_at))
        .collect();
    app.enqueue_many_in_tx(tx, jobs).await?;
    Ok(posts)
}

/// Sends a DRAFT on its way.
pub async fn submit(app: &App, actor: &Actor, id: PostId) -> Result<post::Model> {
    let post = get(app.db.read(), actor.user_id, id).await?;
    let asked = as_request(app.db.read(), &post).await?;
    let (_, files) = validate(app, actor, &asked).await?;
    // By the zone's rules of today, which may have changed since the draft was written.
    let publish_at = due(&asked)?;
    let tx = app.db.begin().await?;
    // Locked, so that of two requests at once the second finds the work done.
    let post = get_locked(&tx, actor.user_id, id).await?;
    if post.state != PostState::Draft {
        tx.rollback().await?;
        return Ok(post);
    }
    files::hold_all_in_tx(&tx, &files).await?;
    plans::posts::take_one_in_tx(app, &tx, actor.user_id).await?;
    let change = Change::new(PostEvent::Submitted, Evidence::creator("submitPost"))
        .edit(|row| row.publish_at = Set(publish_at));
    let post = apply_in_tx(app, &tx, post, change).await?;
    app.enqueue_in_tx(&tx, upload_job(&post), post.publish_at)
        .await?;
    crash::commit(tx, Commit::PostSubmitted).await?;
    app.announce(actor.user_id).await;
    app.nudge(UPLOADS);
    Ok(post)
}

/// The request that would make `post` as it is now.
pub(super) async fn as_request(db: &impl ConnectionTrait, post: &post::Model) -> Result<NewPost> {
    Ok(NewPost {
        account_id: post.account_id,
        media_id: (post.kind == PostKind::Video).then_some(post.media_id),
        photos: photos_of(db, post).await?,
        caption: post.caption.clone(),
        direct: direct_settings(post)?,
        creator_consent: post.consent_at.is_some(),
        experiment_label: post.experiment_label.clone(),
        experiment_variant: post.experiment_variant.clone(),
        upload_reference: post.upload_reference.clone(),
        // The instant of a local time is made anew.
        publish_at: post.publish_at.filter(|_| post.local_time.is_none()),
        local: local_time(post)?,
        late: Late::of(post),
        keep_draft: false,
    })
}

/// Bytes of all files together.
pub(super) fn total_bytes(files: &[Media]) -> i64 {
    let bytes: u64 = files.iter().map(|file| file.size).sum();
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
