//! Photos: one init, after which TikTok fetches them from addresses of this attempt.
//!
//! Init is the commit point. The attempt is on record as past it before the call; an answer that says
//! that nothing was done leads back, a lost one makes the post UNCONFIRMED, and it is never sent again
//! by itself.

use clipqueue_entities::{
    post::{self, PostKind},
    post_attempt,
};
use serde_json::json;
use tiktok::{
    Answer, PublishId,
    error::Outcome,
    publish::{PhotoMode, PhotoPost, PhotoSet},
};

use super::super::{Halt, Step, prove};
use super::{
    check::Ready,
    init,
    verdict::{self, Ended},
};
use crate::{
    app::App,
    domain::{attempts, post_change::Evidence, post_settings::DirectSettings, pulls},
    media::Media,
    queue::Lease,
};

pub(super) async fn run(app: &App, lease: &Lease, ready: Ready) -> Step {
    let Ready {
        post,
        files,
        settings,
        token,
        endpoint,
        mut permit,
    } = ready;
    let Some((post, attempt)) = attempts::begin_pull(app, lease, post, &files).await? else {
        app.calls.unused(permit).await;
        return Err(Halt::snooze(std::time::Duration::ZERO));
    };
    let request = request(app, &post, &attempt, settings.as_ref(), &files)?;
    prove(lease, app).await?;
    let answered = app.tiktok.init_photo(&token.token, &request).await;
    let resting = app.calls.heard(&mut permit, endpoint, &answered).await;
    match answered {
        Ok(answer) => accept(app, lease, post, &attempt, &answer).await,
        Err(error) if error.class().outcome() == Outcome::Unknown => {
            let evidence = Evidence::error(endpoint.label(), &error);
            attempts::answer_lost(app, lease, post, &attempt, evidence).await?;
            Ok(())
        }
        Err(error) => {
            let ended = Ended {
                endpoint,
                error,
                generation: Some(token.generation),
                resting,
                reached: Some(attempt.id),
            };
            Err(verdict::attempt_ended(app, lease, post, ended).await)
        }
    }
}

/// The process died between the commit and the answer: TikTok may fetch the photos at this moment.
pub(super) async fn in_doubt(app: &App, lease: &Lease, post: post::Model) -> Step {
    let Some(attempt) = attempts::open(app.db.read(), post.id).await? else {
        return Err(Halt::retry(anyhow::anyhow!(
            "a post whose init was sent has no open attempt"
        )));
    };
    let evidence = Evidence::own("init.answer_lost");
    attempts::answer_lost(app, lease, post, &attempt, evidence).await?;
    Ok(())
}

async fn accept(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    answer: &Answer<PublishId>,
) -> Step {
    let publish_id = &answer.value;
    let body = json!({ "publish_id": publish_id.as_str() });
    let evidence = Evidence::answer("publish.init", answer, body);
    let accepted = attempts::accepted_pull(app, lease, post, attempt, publish_id, evidence).await;
    if accepted.is_err() {
        // Whoever goes on with the post has to be able to ask about it.
        attempts::keep_publish_id(app, attempt.id, publish_id).await?;
    }
    accepted?;
    Ok(())
}

fn request(
    app: &App,
    post: &post::Model,
    attempt: &post_attempt::Model,
    settings: Option<&DirectSettings>,
    files: &[Media],
) -> Step<PhotoPost> {
    debug_assert_eq!(post.kind, PostKind::Photo);
    let ends_at = attempt.pull_ends_at.unwrap_or(attempt.created_at);
    let urls = files
        .iter()
        .zip(0..)
        .map(|(file, position)| {
            let content_type = file.content_type.as_deref().unwrap_or_default();
            pulls::address(app, attempt.id, ends_at, position, content_type)
        })
        .collect();
    let cover = usize::try_from(post.cover_index.unwrap_or_default()).unwrap_or_default();
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(PhotoPost {
        title: post.title.as_deref().and_then(filled),
        description: filled(&post.caption),
        photos: PhotoSet::new(urls, cover).map_err(anyhow::Error::from)?,
        mode: match settings {
            None => PhotoMode::Draft,
            Some(direct) => PhotoMode::Direct {
                privacy_level: init::privacy_level(direct),
                disable_comment: !direct.allow_comment,
                auto_add_music: post.auto_add_music.unwrap_or_default(),
                disclosure: init::disclosure(direct),
            },
        },
        is_aigc: settings.is_some_and(|direct| direct.ai_generated),
    })
}
