//! What an error of TikTok's means for a post whose bytes TikTok does not have yet.
//!
//! Everything here lies before the commit point, so each outcome is safe: wait, hold, fail, or try
//! anew. An open attempt is closed with the change, as the proof that it cannot post.

use std::time::Duration;

use clipqueue_entities::{AttemptId, Timestamp, post};
use tiktok::{Class, Endpoint};

use super::super::Halt;
use crate::{
    app::App,
    calls::{Cause, Wait, budgets},
    crash::{self, Commit},
    domain::{
        accounts, attempts,
        caps::{
            Full, Name,
            marks::{self, PENDING_DRAFTS_WAIT},
        },
        error::{Error, Result},
        line,
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
/// Why a post is held whose photos lie under an address that TikTok has not verified.
const URL_UNVERIFIED: &str = "url_unverified";
/// Whether an operator has verified the address is seen by trying, now and then.
const URL_UNVERIFIED_WAIT: Duration = Duration::from_secs(3600);
/// However long a post waits for its turn, it looks after this long whether the turn has come closer.
const LOOK_AGAIN: Duration = Duration::from_secs(15 * 60);
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
            Name::PostsPerDay.hold_reason(),
            Some(DAY),
            Name::PostsPerDay.explanation(),
        ),
        Class::PendingDraftsCap => Decision::Hold(
            Name::PendingDrafts.hold_reason(),
            Some(PENDING_DRAFTS_WAIT),
            Name::PendingDrafts.explanation(),
        ),
        Class::AppUserCap => Decision::Hold(
            Name::CreatorsPerDay.hold_reason(),
            Some(DAY),
            Name::CreatorsPerDay.explanation(),
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
        Class::UrlNotOwned => Decision::Hold(
            URL_UNVERIFIED,
            Some(URL_UNVERIFIED_WAIT),
            "TikTok has not verified this server's address for the app. Its operator must add it under \"URL properties\" in TikTok's developer portal.",
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

/// A call that ended in an error.
pub(super) struct Ended {
    /// What was called.
    pub(super) endpoint: Endpoint,
    /// How it ended.
    pub(super) error: tiktok::Error,
    /// The token's generation, to be replaced when TikTok rejected it.
    pub(super) generation: Option<i64>,
    /// Its endpoint is left alone for so long.
    pub(super) resting: Option<Wait>,
    /// The attempt, if the call was the one that could have posted: its answer says that it did not.
    pub(super) reached: Option<AttemptId>,
}

/// Acts on an error of a call before init, of init, or of an upload before its last chunk; one that
/// ends the attempt, if there is one.
pub(super) async fn attempt_ended(
    app: &App,
    lease: &Lease,
    post: post::Model,
    ended: Ended,
) -> Halt {
    let acted = Box::pin(carry_out(app, lease, post, ended)).await;
    acted.unwrap_or_else(Halt::from)
}

async fn carry_out(app: &App, lease: &Lease, post: post::Model, ended: Ended) -> Result<Halt> {
    let Ended {
        endpoint,
        error,
        generation,
        resting,
        reached,
    } = ended;
    let call = match endpoint {
        Endpoint::ChunkUpload => "upload.chunk",
        other => other.label(),
    };
    tracing::info!(post.id = %post.id, call, %error, "TikTok did not take a post");
    let evidence = Evidence::error(call, &error);
    let account_id = post.account_id;
    let outcome = error.code().to_owned();
    match decide(error.class()) {
        Decision::Wait(wait) => {
            let post = defer(app, lease, post, reached, &error, evidence).await?;
            let cause = Cause::Budget(endpoint);
            Ok(waits(app, lease, &post, Wait { cause, wait }).await)
        }
        Decision::NewToken => {
            defer(app, lease, post, reached, &error, evidence).await?;
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
            let post = defer(app, lease, post, reached, &error, evidence).await?;
            // TikTok is in trouble, and not with this post: no attempt is spent on that.
            Ok(match resting {
                Some(wait) => waits(app, lease, &post, wait).await,
                None => Halt::retry(error),
            })
        }
        Decision::Alert => {
            defer(app, lease, post, reached, &error, evidence).await?;
            tracing::error!(%error, "TikTok refuses the app itself; check the tiktok section of the configuration");
            Ok(Halt::retry(error))
        }
        Decision::Hold(reason, wait, message) => {
            let until = wait.map(|wait| app.clock.now() + wait);
            let change =
                Change::new(PostEvent::Held, evidence.with("message", message)).hold(reason, until);
            let tx = attempts::fenced_unsent(app, lease, post.id, reached).await?;
            marks::learn_in_tx(app, &tx, account_id, &error).await?;
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
            let tx = attempts::fenced_unsent(app, lease, post.id, reached).await?;
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
    reached: Option<AttemptId>,
    error: &tiktok::Error,
    evidence: Evidence,
) -> Result<post::Model> {
    let event = match post.state {
        post::PostState::Uploading => PostEvent::AttemptAbandoned,
        _ => PostEvent::Deferred,
    };
    let tx = attempts::fenced_unsent(app, lease, post.id, reached).await?;
    let change = Change::new(event, evidence);
    attempts::close(app, tx, post, error.code(), Some(error), change).await
}

/// Writes down that a post waits, and snoozes its job until its turn may have come.
pub(super) async fn waits(app: &App, lease: &Lease, post: &post::Model, wait: Wait) -> Halt {
    let noted = async {
        let wait = match wait.cause {
            Cause::Budget(endpoint) => {
                let place = line::place(app, post).await?;
                let limit = budgets::per_minute(endpoint).unwrap_or(1);
                let window = tiktok::limits::RATE_WINDOW;
                Wait {
                    wait: line::turn(wait.wait, place, limit, window),
                    ..wait
                }
            }
            Cause::Resting(_) | Cause::ClientRefused | Cause::Uncounted => wait,
        };
        let until = app.clock.now() + wait.wait;
        let tx = attempts::fenced(app, lease).await?;
        line::note_in_tx(app, &tx, post, wait.cause.word(), until).await?;
        crash::commit(tx, Commit::EventNoted).await?;
        app.announce(post.user_id).await;
        Ok::<_, Error>(wait)
    };
    match Box::pin(noted).await {
        Ok(wait) => Wait {
            // Those in front may leave the line: it is looked at again now and then.
            wait: wait.wait.min(LOOK_AGAIN),
            ..wait
        }
        .into(),
        Err(error) => error.into(),
    }
}

/// Holds a post until a cap has room again. No attempt is spent, and TikTok is not asked.
pub(super) async fn park(app: &App, lease: &Lease, post: post::Model, full: Full) -> Halt {
    let Full { name, until } = full;
    let held = async {
        let tx = attempts::fenced(app, lease).await?;
        let evidence = Evidence::own("cap.counted").with("message", name.explanation());
        let change = Change::new(PostEvent::Held, evidence).hold(name.hold_reason(), Some(until));
        attempts::close(app, tx, post, "not_begun", None, change).await
    };
    match held.await {
        Ok(_) => Halt::snooze(until.since(app.clock.now())),
        Err(error) => error.into(),
    }
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
