//! Init: the attempt is on record before the call, the publish id before the first byte.

use clipqueue_entities::{post, post_attempt};
use serde_json::json;
use tiktok::{
    Answer, PrivacyLevel, chunks,
    publish::{Disclosure, VideoInit, VideoPost, VideoSource},
};

use super::super::{Halt, Step, prove};
use super::{
    check::Ready,
    verdict::{self, Ended},
};
use crate::{
    app::App,
    domain::{
        attempts,
        post_change::Evidence,
        post_settings::{self, DirectSettings},
    },
    queue::Lease,
};

pub(super) async fn run(
    app: &App,
    lease: &Lease,
    ready: Ready,
) -> Step<(post::Model, post_attempt::Model)> {
    let Ready {
        post,
        files,
        settings,
        token,
        endpoint,
        mut permit,
    } = ready;
    let plan =
        chunks::plan(files.iter().map(|file| file.size).sum()).map_err(anyhow::Error::from)?;
    let (post, attempt) = attempts::begin(app, lease, post, &plan).await?;
    prove(lease, app).await?;
    let source = VideoSource::FileUpload(plan);
    let answered = match &settings {
        Some(direct) => {
            app.tiktok
                .init_video(&token.token, &video_post(&post, direct), &source)
                .await
        }
        None => app.tiktok.init_inbox_video(&token.token, &source).await,
    };
    let resting = app.calls.heard(&mut permit, endpoint, &answered).await;
    match answered {
        Ok(answer) => accept(app, lease, post, attempt, answer).await,
        Err(error) => {
            let ended = Ended {
                endpoint,
                error,
                generation: Some(token.generation),
                resting,
                reached: None,
            };
            Err(verdict::attempt_ended(app, lease, post, ended).await)
        }
    }
}

async fn accept(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: post_attempt::Model,
    answer: Answer<VideoInit>,
) -> Step<(post::Model, post_attempt::Model)> {
    let publish_id = answer.value.publish_id.clone();
    let evidence = Evidence::answer(
        "publish.init",
        &answer,
        json!({ "publish_id": publish_id.as_str() }),
    );
    let Some(upload_url) = answer.value.upload_url else {
        // Without an address no byte can be sent, so TikTok has nothing to post: start over.
        return Err(Halt::retry(anyhow::anyhow!(
            "TikTok's answer to init held no usable upload address"
        )));
    };
    Ok(attempts::accepted(
        app,
        lease,
        post,
        &attempt,
        &publish_id,
        &upload_url,
        evidence,
    )
    .await?)
}

fn video_post(post: &post::Model, direct: &DirectSettings) -> VideoPost {
    VideoPost {
        title: (!post.caption.is_empty()).then(|| post.caption.clone()),
        privacy_level: privacy_level(direct),
        disable_duet: !direct.allow_duet,
        disable_stitch: !direct.allow_stitch,
        disable_comment: !direct.allow_comment,
        cover_timestamp_ms: direct.cover_timestamp_ms,
        disclosure: disclosure(direct),
        is_aigc: direct.ai_generated,
    }
}

/// The chosen level as TikTok's client names it.
pub(super) fn privacy_level(direct: &DirectSettings) -> PrivacyLevel {
    match direct.privacy_level {
        post_settings::PrivacyLevel::PublicToEveryone => PrivacyLevel::PublicToEveryone,
        post_settings::PrivacyLevel::MutualFollowFriends => PrivacyLevel::MutualFollowFriends,
        post_settings::PrivacyLevel::FollowerOfCreator => PrivacyLevel::FollowerOfCreator,
        post_settings::PrivacyLevel::SelfOnly => PrivacyLevel::SelfOnly,
    }
}

/// The commercial content that the creator declares.
pub(super) fn disclosure(direct: &DirectSettings) -> Disclosure {
    Disclosure {
        branded_content: direct.branded_content,
        own_brand: direct.your_brand,
    }
}
