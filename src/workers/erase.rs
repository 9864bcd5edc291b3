//! `Erase`: one step of an erasure after the other, each recorded when it is done.
//!
//! The only step that calls TikTok is the one that ends the grants. The access token is refreshed
//! before, if it is stale; a grant that TikTok says is over needs no end.

use std::time::Duration;

use clipqueue_entities::{
    ErasureId, Timestamp, account,
    account_token::TokenState,
    erasure::{self, ErasureCause, ErasureState},
};
use serde_json::{Value, json};
use tiktok::{Class, Endpoint};

use super::{Halt, Step, deliver_webhook, prove};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        attempts,
        erasure::{self as erasing, Again, Quiet, Step as Stage},
        error::Error,
        token_life,
        tokens::{self, Stored},
    },
    queue::Lease,
};

/// How soon it is looked again whether the jobs have stopped.
const STOPPING: Duration = Duration::from_secs(1);
/// How long TikTok is asked to end a grant, from the end of the jobs on. Then the tokens are destroyed all the same, and the receipt
/// says that the grant is still on the creator's list.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn run(app: &App, lease: &Lease, id: ErasureId) -> Step {
    match erasing::get(app, id).await {
        Err(Error::NotFound) => return Err(Halt::cancel("the erasure is over and forgotten")),
        known => drop(known?),
    }
    while let Some(stage) = erasing::next(app, id).await? {
        let erasure = erasing::get(app, id).await?;
        if erasure.state == ErasureState::Completed {
            return Ok(());
        }
        let counts = match stage {
            Stage::Fence => {
                let counts = erasing::keep_outside(app, id).await?;
                tell(app, lease, &erasure).await?;
                counts
            }
            Stage::Cancel => match erasing::cancel_jobs(app, &erasure).await? {
                Quiet::Yes(counts) => counts,
                Quiet::NotYet(_) => return Err(Halt::snooze(STOPPING)),
            },
            Stage::Revoke => Box::pin(revoke_all(app, lease, &erasure)).await?,
            Stage::Keys => erasing::destroy_keys(app, &erasure).await?,
            Stage::List => {
                erasing::list_handed(app, lease, &erasure).await?;
                continue;
            }
            Stage::Media => erasing::wipe_media(app, lease, &erasure).await?,
            Stage::Mentions => erasing::clear_mentions(app, &erasure).await?,
            Stage::Rows => erasing::delete_rows(app, lease, &erasure).await?,
            Stage::LookAgain => match erasing::look_again(app, &erasure).await? {
                Again::Clean(counts) => counts,
                Again::In(wait) => return Err(Halt::snooze(wait)),
            },
        };
        erasing::done(app, lease, id, stage, counts).await?;
    }
    erasing::finish(app, lease, id).await?;
    Ok(())
}

/// Tells the user's webhooks that it has begun, once, while they are still there. One that takes nothing now
/// keeps nobody from being erased.
async fn tell(app: &App, lease: &Lease, erasure: &erasure::Model) -> Step {
    let untried = erasing::untried(app, erasure).await?;
    let tries = untried
        .into_iter()
        .map(|delivery| deliver_webhook::run(app, lease, delivery));
    for tried in futures::future::join_all(tries).await {
        if let Err(halt) = tried {
            tracing::debug!(erasure.id = %erasure.id, ?halt, "a webhook does not hear of an erasure now");
        }
    }
    Ok(())
}

/// What became of one grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    /// TikTok ended it when we asked.
    Revoked,
    /// It was over, as TikTok says.
    Over,
    /// There were no tokens.
    None,
    /// TikTok could not be brought to end it.
    Left,
}

async fn revoke_all(app: &App, lease: &Lease, erasure: &erasure::Model) -> Step<Value> {
    let mut became = Vec::new();
    let had_ended = erasing::grants_had_ended(app, erasure).await?;
    for account in erasing::accounts(app, erasure).await? {
        // The tokens of a restored backup were ended long ago.
        let grant = if had_ended {
            Grant::Over
        } else {
            revoke(app, lease, erasure, &account).await?
        };
        metrics::counter!("clipqueue_grants_ended_total", "outcome" => word(grant)).increment(1);
        became.push(grant);
    }
    let count = |grant| became.iter().filter(|one| **one == grant).count();
    Ok(json!({
        "accounts": became.len(),
        "revoked": count(Grant::Revoked),
        "over_before": count(Grant::Over),
        "without_tokens": count(Grant::None),
        "left_at_tiktok": count(Grant::Left),
    }))
}

fn word(grant: Grant) -> &'static str {
    match grant {
        Grant::Revoked => "revoked",
        Grant::Over => "over",
        Grant::None => "none",
        Grant::Left => "left",
    }
}

async fn revoke(
    app: &App,
    lease: &Lease,
    erasure: &erasure::Model,
    account: &account::Model,
) -> Step<Grant> {
    let Some(stored) = tokens::load(app, account.id).await? else {
        return Ok(Grant::None);
    };
    if stored.row.state == TokenState::Dead {
        return Ok(Grant::Over);
    }
    if erasure.cause == ErasureCause::Tiktok {
        return Ok(Grant::Over);
    }
    match Box::pin(end_grant(app, lease, account, stored)).await {
        Ok(grant) => Ok(grant),
        Err(halt) => {
            if app.clock.now().since(asked_since(app, erasure).await?) < PATIENCE {
                return Err(halt);
            }
            tracing::error!(erasure.id = %erasure.id, "TikTok could not be brought to end a grant");
            Ok(Grant::Left)
        }
    }
}

/// Since when TikTok is asked: since the jobs had stopped. The erasure may have been accepted long before,
/// while the queue was paused or nothing ran.
async fn asked_since(app: &App, erasure: &erasure::Model) -> Step<Timestamp> {
    let steps = erasing::steps(app, erasure.id).await?;
    let stopped = steps
        .iter()
        .find(|row| row.step == Stage::Cancel.word())
        .map(|row| row.done_at);
    Ok(stopped.unwrap_or(erasure.requested_at))
}

/// Ends a grant, with a fresh access token if this one is stale or TikTok does not take it.
async fn end_grant(
    app: &App,
    lease: &Lease,
    account: &account::Model,
    stored: Stored,
) -> Step<Grant> {
    let is_good = stored.row.state == TokenState::Fresh
        && token_life::outlives(&stored.row, app.clock.now(), app.config.tiktok.timeout);
    if is_good && let Some(grant) = ask_to_end(app, lease, account, &stored).await? {
        return Ok(grant);
    }
    // The answer to a refresh was lost: TikTok knows a newer pair, which nobody has.
    let is_lost = stored.row.state == TokenState::Uncertain;
    let Some(fresh) = refreshed(app, lease, account, stored).await? else {
        return Ok(if is_lost { Grant::Left } else { Grant::Over });
    };
    match ask_to_end(app, lease, account, &fresh).await? {
        Some(grant) => Ok(grant),
        None => Err(Halt::retry(anyhow::anyhow!(
            "TikTok takes no token of the account"
        ))),
    }
}

/// Asks TikTok to end the grant; nothing when it does not take the token.
async fn ask_to_end(
    app: &App,
    lease: &Lease,
    account: &account::Model,
    stored: &Stored,
) -> Step<Option<Grant>> {
    let endpoint = Endpoint::Revoke;
    let mut permit = app.calls.ask(Some(account.id), &[endpoint]).await?;
    prove(lease, app).await?;
    let answered = app.tiktok.revoke(&stored.access).await;
    let resting = app.calls.heard(&mut permit, endpoint, &answered).await;
    match answered {
        Ok(_) => Ok(Some(Grant::Revoked)),
        Err(error) => match error.class() {
            // Whether the grant is over or only this token, a refresh tells.
            Class::GrantDead | Class::TokenRejected | Class::BadRequest => Ok(None),
            _ => Err(resting.map_or_else(|| Halt::retry(error), Halt::from)),
        },
    }
}

/// A fresh pair; nothing when TikTok says that the grant is over.
async fn refreshed(
    app: &App,
    lease: &Lease,
    account: &account::Model,
    stored: Stored,
) -> Step<Option<Stored>> {
    let endpoint = Endpoint::Token;
    let mut permit = app.calls.ask(Some(account.id), &[endpoint]).await?;
    prove(lease, app).await?;
    if !tokens::begin_refresh(app, account.id, stored.row.generation).await? {
        app.calls.unused(permit).await;
        return Err(Halt::retry(anyhow::anyhow!(
            "another pair of tokens was stored"
        )));
    }
    let answered = app.tiktok.refresh(&stored.refresh).await;
    let resting = app.calls.heard(&mut permit, endpoint, &answered).await;
    match answered {
        Ok(answer) => {
            let tx = match attempts::fenced(app, lease).await {
                Ok(tx) => tx,
                // TikTok has ended the old pair already: the new one is worth more than the lease.
                Err(_) => app.db.begin().await?,
            };
            let kept = Some((&stored.refresh, stored.row.refresh_expires_at));
            let set = &answer.value.tokens;
            tokens::store_in_tx(app, &tx, account.id, Some(&stored.row), set, kept).await?;
            crash::commit(tx, Commit::TokensStored).await?;
            Ok(tokens::load(app, account.id).await?)
        }
        Err(error) => match error.class() {
            Class::GrantDead => Ok(None),
            // Perhaps the refresh token is spent: the mark stays.
            Class::Ambiguous => Err(resting.map_or_else(|| Halt::retry(error), Halt::from)),
            _ => {
                tokens::refresh_not_processed(app, account.id, &stored.row).await?;
                Err(resting.map_or_else(|| Halt::retry(error), Halt::from))
            }
        },
    }
}
