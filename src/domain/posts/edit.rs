//! Editing a post that has not begun, and noting that its caption was handed over.

use clipqueue_entities::{
    PostId, Timestamp, post,
    post::{PostKind, PostMode, PostState},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
};
use serde_json::json;

use super::{
    create::{as_request, total_bytes},
    files, get, local_time,
    photos::{self, Photos},
    rules::{due_at, validate},
    upload_job,
};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        actor::Actor,
        error::{Code, Refusal, Result},
        events::{self, NewEvent},
        lateness::{self, LATE, Late},
        local_time::LocalTime,
        post_change::{Change, Evidence, apply_in_tx, insert_evidence, state_word},
        post_settings::DirectSettings,
        post_state::PostEvent,
    },
    job::UPLOADS,
};

/// What an edit changes; absent fields stay.
#[derive(Clone, Debug, Default)]
pub struct PostEdit {
    /// A new caption.
    pub caption: Option<String>,
    /// Other photos, or the same in another order, with their cover, title and music.
    pub photos: Option<Photos>,
    /// New choices.
    pub direct: Option<DirectSettings>,
    /// Whether the creator agreed to the text for the new choices.
    pub creator_consent: bool,
    /// A new label; `Some(None)` takes it away.
    pub experiment_label: Option<Option<String>>,
    /// A new variant; `Some(None)` takes it away.
    pub experiment_variant: Option<Option<String>>,
    /// A new reference; `Some(None)` takes it away.
    pub upload_reference: Option<Option<String>>,
    /// A new time; `Some(None)` means at once.
    pub publish_at: Option<Option<Timestamp>>,
    /// A new local time.
    pub local: Option<LocalTime>,
    /// A new rule for lateness; `Some(None)` means the installation's.
    pub late: Option<Option<Late>>,
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
    let mut request = as_request(app.db.read(), &edited).await?;
    if let Some(photos) = &edit.photos {
        request.photos = Some(photos.clone());
    }
    request.creator_consent = edited.consent_at.is_some();
    request.keep_draft = edited.state == PostState::Draft;
    if edited.publish_at == before.publish_at {
        // A time that was accepted once is not judged again.
        request.publish_at = None;
        request.local = None;
    }
    let (_, files) = validate(app, actor, &request).await?;

    let now = app.clock.now();
    let tx = app.db.begin().await?;
    files::hold_all_in_tx(&tx, &files).await?;
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
    let late = Late::of(&edited);
    let moved = edited.publish_at != post.publish_at;
    let mut row = edited.clone().into_active_model();
    row.id = sea_orm::ActiveValue::Unchanged(id);
    row.caption = Set(edited.caption);
    row.settings = Set(edited.settings);
    row.title = Set(edited.title);
    row.cover_index = Set(edited.cover_index);
    row.auto_add_music = Set(edited.auto_add_music);
    row.media_id = Set(files.first().map_or(edited.media_id, |file| file.id));
    row.bytes_total = Set(total_bytes(&files));
    row.experiment_label = Set(edited.experiment_label);
    row.experiment_variant = Set(edited.experiment_variant);
    row.upload_reference = Set(edited.upload_reference);
    row.publish_at = Set(edited.publish_at);
    row.local_time = Set(edited.local_time.clone());
    row.late_policy = Set(edited.late_policy);
    row.late_within_s = Set(edited.late_within_s);
    row.consent_version = Set(edited.consent_version);
    row.consent_at = Set(edited.consent_at);
    row.version = Set(expected_version + 1);
    row.updated_at = Set(now);
    if post.state == PostState::Scheduled {
        row.deadline_at = Set(Some(lateness::deadline(
            &app.config.posts,
            late,
            edited.publish_at,
            now,
        )));
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
    if let Some(photos) = &edit.photos {
        photos::store_in_tx(&tx, id, photos).await?;
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
    let mut post = get(&tx, actor.user_id, id).await?;
    if moved && post.state == PostState::Held && post.hold_reason.as_deref() == Some(LATE) {
        // It was held because its time had passed, and has another now.
        let change = Change::new(PostEvent::Released, Evidence::creator("updatePost"));
        post = apply_in_tx(app, &tx, post, change).await?;
    }
    crash::commit(tx, Commit::PostEdited).await?;
    app.announce(actor.user_id).await;
    app.nudge(UPLOADS);
    Ok(post)
}

/// Notes that the creator copied the caption of an inbox post.
pub async fn caption_copied(app: &App, actor: &Actor, id: PostId) -> Result<post::Model> {
    let post = get(app.db.read(), actor.user_id, id).await?;
    if post.mode != PostMode::Inbox || post.kind != PostKind::Video {
        return Err(Refusal::whole(
            Code::WrongState,
            "TikTok takes the caption of a direct post and of photos itself; only inbox videos hand it over",
        )
        .into());
    }
    let note = post::Entity::update_many()
        .col_expr(
            post::Column::CaptionCopiedAt,
            sea_orm::sea_query::Expr::value(app.clock.now()),
        )
        .filter(post::Column::Id.eq(id))
        .exec(app.db.write());
    crash::write(Commit::PostEdited, note).await?;
    get(app.db.read(), actor.user_id, id).await
}

fn apply_edit(post: &post::Model, edit: &PostEdit, now: Timestamp) -> Result<post::Model> {
    let mut edited = post.clone();
    if let Some(caption) = &edit.caption {
        edited.caption.clone_from(caption);
    }
    if let Some(photos) = &edit.photos {
        if post.kind != PostKind::Photo {
            return Err(Refusal::new(
                "photos",
                Code::Invalid,
                "this post is a video; make a new post for photos",
            )
            .into());
        }
        edited.title.clone_from(&photos.title);
        edited.cover_index = Some(photos.cover_index);
        edited.auto_add_music = photos.auto_add_music;
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
    if let Some(variant) = &edit.experiment_variant {
        edited.experiment_variant.clone_from(variant);
    }
    if let Some(reference) = &edit.upload_reference {
        edited.upload_reference.clone_from(reference);
    }
    if let Some(late) = edit.late {
        edited.late_policy = late.map(|late| late.policy);
        edited.late_within_s = late.and_then(|late| late.within_s);
    }
    match (edit.publish_at, &edit.local) {
        (Some(_), Some(_)) => {
            return Err(Refusal::new(
                "publishAtLocal",
                Code::Invalid,
                "give either publishAt or publishAtLocal, not both",
            )
            .into());
        }
        (Some(at), None) => {
            edited.publish_at = at;
            edited.local_time = None;
        }
        (None, Some(local)) => {
            edited.local_time = Some(serde_json::to_value(local).map_err(anyhow::Error::from)?);
            edited.publish_at = due_at(None, local_time(&edited)?.as_ref())?;
        }
        // A wall clock's time stays what it was; its instant follows the zone's rules of today, unless
        // it has come already.
        (None, None) if edited.local_time.is_some() && edited.publish_at > Some(now) => {
            edited.publish_at = due_at(None, local_time(&edited)?.as_ref())?;
        }
        (None, None) => {}
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
                state_word(state).to_uppercase()
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
