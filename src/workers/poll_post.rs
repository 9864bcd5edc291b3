//! `PollPost`: asks TikTok how a post fares until there is nothing left to learn.
//!
//! Asking is free of side effects, so nothing here spends an attempt on TikTok's account: an answer
//! that cannot be had is asked for again, by the plan for the post's age. A rejected token means a
//! refresh and the same question again, never another init.

use std::time::Duration;

use clipqueue_entities::{
    PostId,
    post::{self, PostMode, PostState},
    post_attempt,
};
use tiktok::{Class, Endpoint, PublishId};

use super::{Halt, Step, find_video, no_token, stop_pull};
use crate::{
    app::App,
    domain::{
        accounts, attempts, error::Error, notices, poll_plan, post_settings::PrivacyLevel, posts,
        pulls, reconcile, tokens,
    },
    queue::Lease,
};

/// After TikTok said "too many calls", its window of a minute must pass.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(61);
/// A refresh takes some seconds.
const TOKEN_WAIT: Duration = Duration::from_secs(5);
/// The wait after an answer that could not be had.
const FAULT_WAIT: Duration = Duration::from_secs(15);

pub(super) async fn run(app: &App, lease: &Lease, id: PostId) -> Step {
    let Some(post) = load(app, id).await? else {
        return Err(Halt::cancel("the post is gone"));
    };
    // A notice of TikTok's is asked about in every state.
    let hint = notices::hint(app, id).await?;
    let wait = match (next_gap(app, &post)?, hint) {
        (Some(wait), _) => wait,
        (None, Some(_)) => FAULT_WAIT,
        (None, None) => return Ok(()),
    };
    if hint.is_none()
        && let Some(unanswered) = attempts::unanswered_pull(app.db.read(), id).await?
    {
        // TikTok cannot be asked without a publish id; what it fetched is all there is.
        let post = pulls::settle(app, lease, post, &unanswered).await?;
        return match next_gap(app, &post)? {
            Some(wait) => Err(Halt::snooze(wait)),
            None => Ok(()),
        };
    }
    let attempt = match hint {
        Some(attempt) => attempts::by_id(app.db.read(), attempt).await?,
        None => attempts::newest_published(app.db.read(), id).await?,
    };
    let Some(attempt) = attempt else {
        return Err(Halt::cancel("the post was never given to TikTok"));
    };
    let asked = Box::pin(ask(app, lease, post.clone(), &attempt, wait)).await;
    let (post, halt) = match asked {
        Ok(post) => (post, None),
        Err(halt) => (post, Some(halt)),
    };
    if hint.is_some() && halt.is_none() {
        notices::answered(app, attempt.id).await?;
    }
    let doubted = post.state == PostState::Unconfirmed;
    let post = Box::pin(find_video::run(app, lease, post, &attempt)).await?;
    if let Some(halt) = halt
        && !(doubted && post.state == PostState::Published)
    {
        return Err(halt);
    }
    match next_gap(app, &post)? {
        Some(wait) => Err(Halt::snooze(wait)),
        None => Ok(()),
    }
}

async fn load(app: &App, id: PostId) -> Step<Option<post::Model>> {
    use sea_orm::EntityTrait as _;
    Ok(post::Entity::find_by_id(id).one(app.db.read()).await?)
}

async fn ask(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    wait: Duration,
) -> Step<post::Model> {
    let account = accounts::for_worker(app, post.account_id).await?;
    let usable = match tokens::usable(app, &account, Duration::ZERO).await {
        Ok(usable) => usable,
        Err(error) => return Err(no_token(app, account.id, error).await),
    };
    let publish_id = attempt.publish_id.clone().unwrap_or_default();
    let publish_id = PublishId::parse(publish_id).map_err(anyhow::Error::from)?;
    stop_pull::run(app, lease, &post, attempt, &usable.token, &publish_id).await?;
    let endpoint = Endpoint::StatusFetch;
    let mut permit = app.calls.ask(Some(account.id), &[endpoint]).await?;
    let answered = app.tiktok.publish_status(&usable.token, &publish_id).await;
    let resting = app.calls.heard(&mut permit, endpoint, &answered).await;
    match answered {
        Ok(answer) => {
            match Box::pin(reconcile::apply_status(app, lease, post, attempt, &answer)).await {
                Ok(post) => Ok(post),
                // Somebody moved the post meanwhile: the next look sees it as it is.
                Err(Error::Refused(_)) => Err(Halt::snooze(FAULT_WAIT)),
                Err(error) => Err(error.into()),
            }
        }
        Err(error) => {
            tracing::info!(post.id = %post.id, %error, "TikTok did not say how a post fares");
            match error.class() {
                Class::TokenRejected => {
                    let young = tokens::is_young(app, post.account_id).await?;
                    tokens::suspect(app, post.account_id, usable.generation).await?;
                    // A new token that is rejected too is replaced with growing gaps.
                    Err(if young {
                        Halt::retry(error)
                    } else {
                        Halt::snooze(TOKEN_WAIT)
                    })
                }
                Class::RateLimited => Err(Halt::snooze(RATE_LIMIT_WAIT)),
                Class::ScopeMissing => Err(Halt::hold(accounts::REAUTH_REQUIRED, error)),
                // Right after init TikTok may not know the id yet; later the plan's gaps are long enough.
                Class::NotFoundYet | Class::Transient | Class::Ambiguous => {
                    let rest = resting.map_or(Duration::ZERO, |resting| resting.wait);
                    Err(Halt::snooze(wait.max(FAULT_WAIT).max(rest)))
                }
                Class::GrantDead
                | Class::CreatorCap
                | Class::PendingDraftsCap
                | Class::AppUserCap
                | Class::CreatorBanned
                | Class::UnauditedClient
                | Class::PrivacyMismatch
                | Class::UrlNotOwned
                | Class::CreatorAppTooOld
                | Class::NotCancellable
                | Class::BadMedia
                | Class::BadRequest
                | Class::OurFault
                | Class::UploadDead
                | Class::UploadOutOfStep { .. }
                | Class::SourceFailed => Err(Halt::retry(error)),
            }
        }
    }
}

/// The gap before the next question about `post`, if there is one.
fn next_gap(app: &App, post: &post::Model) -> Step<Option<Duration>> {
    let age = app.clock.now().since(post.state_since);
    if post.state == PostState::Failed && post.failure_code.as_deref() == Some(posts::NOT_POSTED) {
        // A person said so; should TikTok still post it, that must show.
        return Ok(poll_plan::after_word(age));
    }
    Ok(poll_plan::gap(
        post.state,
        age,
        post.bytes_total,
        wants_post_id(post)?,
    ))
}

/// Only a post that others can see gets a public id.
fn wants_post_id(post: &post::Model) -> Step<bool> {
    if post.state != PostState::Published
        || post
            .tiktok_post_ids
            .as_array()
            .is_some_and(|ids| !ids.is_empty())
    {
        return Ok(false);
    }
    Ok(match post.mode {
        PostMode::Inbox => true,
        PostMode::Direct => posts::direct_settings(post)?
            .is_some_and(|settings| settings.privacy_level != PrivacyLevel::SelfOnly),
    })
}
