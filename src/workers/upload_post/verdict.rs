//! What an error of TikTok's means for a post whose bytes TikTok does not have yet.
//!
//! Everything here lies before the commit point, so each outcome is safe: wait, hold, fail, or try
//! anew. An open attempt is closed with the change, as the proof that it cannot post.

use std::time::Duration;

use clipqueue_entities::{Timestamp, post};
use tiktok::Class;

use super::super::Halt;
use crate::{
    app::App,
    domain::{
        accounts, attempts,
        error::Result,
        post_change::{Change, Evidence, Failure},
        post_state::PostEvent,
        tokens,
    },
    queue::Lease,
};

/// TikTok's window of a minute, and a little.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(61);
/// A refresh takes some seconds.
const TOKEN_WAIT: Duration = Duration::from_secs(3);
/// Drafts free their places when the creator finishes them; look again now and then.
const PENDING_DRAFTS_WAIT: Duration = Duration::from_secs(15 * 60);
/// TikTok's daily windows.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What to do.
enum Decision {
    /// Nothing was done; go on after a while. No attempt of the job is spent.
    Wait(Duration),
    /// Nothing can have been posted; try anew with backoff.
    Again,
    /// A person or a window stands in the way.
    Hold(&'static str, Option<Duration>, &'static str),
    /// It will not go this way.
    Fail(&'static str, &'static str),
    /// The token is not good; get another one.
    NewToken,
    /// The app itself is refused: an operator must look.
    Alert,
}

fn decide(class: Class) -> Decision {
    match class {
        Class::Transient
        | Class::Ambiguous
        | Class::UploadDead
        | Class::SourceFailed
        | Class::NotFoundYet
        | Class::UploadOutOfStep { .. } => Decision::Again,
        Class::RateLimited => Decision::Wait(RATE_LIMIT_WAIT),
        Class::TokenRejected | Class::GrantDead => Decision::NewToken,
        Class::ScopeMissing => Decision::Hold(
            accounts::SCOPE_MISSING,
            None,
            "The creator must connect again and leave the switch for posting on.",
        ),
        Class::CreatorCap => Decision::Hold(
            "creator_cap",
            Some(DAY),
            "The creator has posted too much today for TikTok.",
        ),
        Class::PendingDraftsCap => Decision::Hold(
            "pending_drafts_cap",
            Some(PENDING_DRAFTS_WAIT),
            "Five drafts wait in the creator's TikTok inbox already.",
        ),
        Class::AppUserCap => Decision::Hold(
            "app_user_cap",
            Some(DAY),
            "The app has reached TikTok's daily number of creators.",
        ),
        Class::CreatorBanned => Decision::Fail(
            "creator",
            "TikTok does not let this creator post. The creator must settle that with TikTok.",
        ),
        Class::UnauditedClient => Decision::Fail(
            "operator",
            "The app is not audited by TikTok, and the creator's account is not private. Make the account private, or pass the audit.",
        ),
        Class::PrivacyMismatch => Decision::Fail(
            "creator",
            "The creator's account no longer offers the chosen privacy level. Make a new post with another one.",
        ),
        Class::UrlNotOwned => Decision::Fail(
            "operator",
            "TikTok has not verified the domain of the media.",
        ),
        Class::CreatorAppTooOld => {
            Decision::Fail("creator", "The creator must update the TikTok app.")
        }
        Class::BadMedia => Decision::Fail("creator", "TikTok does not take this file."),
        Class::BadRequest | Class::NotCancellable => Decision::Fail(
            "operator",
            "TikTok does not accept the request; its code and log id tell why.",
        ),
        Class::OurFault => Decision::Alert,
    }
}

/// Acts on an error of a call that came before init.
pub(super) async fn before_init(
    app: &App,
    lease: &Lease,
    post: post::Model,
    call: &'static str,
    error: tiktok::Error,
) -> Halt {
    act(app, lease, post, call, error, None).await
}

/// Acts on an error of init, or of an upload before its last chunk, that ends the attempt.
/// `generation` is the token's, to be replaced when TikTok rejected it.
pub(super) async fn attempt_ended(
    app: &App,
    lease: &Lease,
    post: post::Model,
    call: &'static str,
    error: tiktok::Error,
    generation: Option<i64>,
) -> Halt {
    act(app, lease, post, call, error, generation).await
}

async fn act(
    app: &App,
    lease: &Lease,
    post: post::Model,
    call: &'static str,
    error: tiktok::Error,
    generation: Option<i64>,
) -> Halt {
    let acted = carry_out(app, lease, post, call, error, generation).await;
    acted.unwrap_or_else(Halt::from)
}

async fn carry_out(
    app: &App,
    lease: &Lease,
    post: post::Model,
    call: &'static str,
    error: tiktok::Error,
    generation: Option<i64>,
) -> Result<Halt> {
    tracing::info!(post.id = %post.id, call, %error, "TikTok did not take a post");
    let evidence = Evidence::error(call, &error);
    let account_id = post.account_id;
    let outcome = error.code().to_owned();
    match decide(error.class()) {
        Decision::Wait(wait) => {
            defer(app, lease, post, &outcome, &error, evidence).await?;
            Ok(Halt::snooze(wait))
        }
        Decision::NewToken => {
            defer(app, lease, post, &outcome, &error, evidence).await?;
            let young = tokens::is_young(app, account_id).await?;
            if let Some(generation) = generation {
                tokens::suspect(app, account_id, generation).await?;
            }
            // A new token that is rejected too must not be replaced again and again without end.
            Ok(if young {
                Halt::retry(error)
            } else {
                Halt::snooze(TOKEN_WAIT)
            })
        }
        Decision::Again => {
            defer(app, lease, post, &outcome, &error, evidence).await?;
            Ok(Halt::retry(error))
        }
        Decision::Alert => {
            defer(app, lease, post, &outcome, &error, evidence).await?;
            tracing::error!(%error, "TikTok refuses the app itself; check the tiktok section of the configuration");
            Ok(Halt::retry(error))
        }
        Decision::Hold(reason, wait, message) => {
            let until = wait.map(|wait| app.clock.now() + wait);
            let change =
                Change::new(PostEvent::Held, evidence.with("message", message)).hold(reason, until);
            let tx = attempts::fenced(app, lease).await?;
            attempts::close(app, tx, post, &outcome, Some(&error), change).await?;
            Ok(match wait {
                Some(wait) => Halt::snooze(wait),
                None => Halt::hold(reason, error),
            })
        }
        Decision::Fail(class, message) => {
            let change = Change::new(PostEvent::Refused, evidence).failure(Failure {
                class,
                code: outcome.clone(),
                message: message.to_owned(),
                retryable: false,
            });
            let tx = attempts::fenced(app, lease).await?;
            attempts::close(app, tx, post, &outcome, Some(&error), change).await?;
            Ok(Halt::cancel("TikTok refused the post"))
        }
    }
}

/// Back to SCHEDULED: nothing was posted and the next run starts over.
async fn defer(
    app: &App,
    lease: &Lease,
    post: post::Model,
    outcome: &str,
    error: &tiktok::Error,
    evidence: Evidence,
) -> Result<()> {
    let event = match post.state {
        post::PostState::Uploading => PostEvent::AttemptAbandoned,
        _ => PostEvent::Deferred,
    };
    let tx = attempts::fenced(app, lease).await?;
    attempts::close(
        app,
        tx,
        post,
        outcome,
        Some(error),
        Change::new(event, evidence),
    )
    .await?;
    Ok(())
}

/// Holds a post for a person, and its job with it.
pub(super) async fn hold(
    app: &App,
    lease: &Lease,
    post: post::Model,
    reason: &str,
    until: Option<Timestamp>,
    message: &str,
) -> Halt {
    let held = async {
        let tx = attempts::fenced(app, lease).await?;
        let evidence = Evidence::own("preflight.held").with("message", message);
        let change = Change::new(PostEvent::Held, evidence).hold(reason, until);
        attempts::close(app, tx, post, "held", None, change).await
    };
    match held.await {
        Ok(_) => Halt::hold(reason, anyhow::anyhow!("{message}")),
        Err(error) => error.into(),
    }
}
