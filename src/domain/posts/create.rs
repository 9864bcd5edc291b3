//! Asking for a post: a DRAFT to be edited, or a post that is sent on its way.

use clipqueue_entities::{
    AccountId, MediaId, PostId, Timestamp, post,
    post::{PostMode, PostState},
};
use sea_orm::{ActiveModelTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _};
use serde::Serialize;
use serde_json::json;

use super::{direct_settings, get, get_locked, rules::validate, upload_job};
use crate::{
    app::App,
    domain::{
        actor::Actor,
        error::Result,
        events::{self, NewEvent},
        idempotency::{Request, Seen},
        post_change::{Change, Evidence, apply_in_tx},
        post_settings::DirectSettings,
        post_state::PostEvent,
    },
    job::UPLOADS,
};

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
    app.nudge(UPLOADS);
    Ok(post)
}

/// Sends a DRAFT on its way.
pub async fn submit(app: &App, actor: &Actor, id: PostId) -> Result<post::Model> {
    let post = get(app.db.read(), actor.user_id, id).await?;
    validate(app, actor, &as_request(&post)?).await?;
    let tx = app.db.begin().await?;
    // Locked, so that of two requests at once the second finds the work done.
    let post = get_locked(&tx, actor.user_id, id).await?;
    if post.state != PostState::Draft {
        tx.rollback().await?;
        return Ok(post);
    }
    let post = submit_in_tx(app, &tx, post, Evidence::creator("submitPost")).await?;
    tx.commit().await?;
    app.announce(actor.user_id).await;
    app.nudge(UPLOADS);
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

/// The request that would make `post` as it is now.
pub(super) fn as_request(post: &post::Model) -> Result<NewPost> {
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
