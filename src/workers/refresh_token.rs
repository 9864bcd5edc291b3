//! `RefreshToken`: the only place that asks TikTok for a new pair of tokens.
//!
//! 1. Read the pair; nothing to do when it is fresh and lives long enough.
//! 2. Mark it UNCERTAIN and commit: from here on the refresh token may be spent.
//! 3. Ask TikTok; commit the new pair before anybody can read it.
//!
//! When the answer is lost the mark stays and the next attempt sends the old refresh token once
//! more: TikTok either takes it, or says `invalid_grant`, and only that costs the creator a consent.

use clipqueue_entities::{AccountId, account::AccountStatus, account_token::TokenState};
use tiktok::{Class, Endpoint};

use super::{Halt, Step, prove};
use crate::{
    app::App,
    calls::Wait,
    crash::{self, Commit},
    domain::{
        accounts, attempts, renewal, token_life,
        tokens::{self, Stored},
    },
    queue::Lease,
};

pub(super) async fn run(app: &App, lease: &Lease, account_id: AccountId) -> Step {
    let account = accounts::for_worker(app, account_id).await?;
    if account.status == AccountStatus::Disconnected {
        return Err(Halt::cancel("the account was disconnected"));
    }
    let Some(stored) = tokens::load(app, account_id).await? else {
        return Err(Halt::cancel("the account has no tokens"));
    };
    match stored.row.state {
        TokenState::Dead => return Err(Halt::cancel("the creator must connect again")),
        TokenState::Fresh if token_life::suffices(&stored.row, app.clock.now()) => {
            return Ok(());
        }
        TokenState::Fresh | TokenState::Suspect | TokenState::Uncertain => {}
    }
    let generation = stored.row.generation;
    // Asked for first: while TikTok rests or refuses the app, no pair is put in doubt.
    let mut permit = app.calls.ask(Some(account_id), &[Endpoint::Token]).await?;
    prove(lease, app).await?;
    if !tokens::begin_refresh(app, account_id, generation).await? {
        // A consent stored a newer pair in the meantime.
        app.calls.unused(permit).await;
        return Ok(());
    }
    let answered = app.tiktok.refresh(&stored.refresh).await;
    let calls = &app.calls;
    let resting = calls.heard(&mut permit, Endpoint::Token, &answered).await;
    match answered {
        Ok(answer) => store(app, lease, &stored, &answer.value.tokens).await,
        Err(error) => refused(app, account_id, &stored, error, resting).await,
    }
}

async fn store(app: &App, lease: &Lease, stored: &Stored, set: &tiktok::oauth::TokenSet) -> Step {
    // A lost lease does not stop the pair from being stored: TikTok has already ended the old one,
    // and the generation keeps two writers apart.
    let tx = match attempts::fenced(app, lease).await {
        Ok(tx) => tx,
        Err(_) => app.db.begin().await?,
    };
    let revived = renewal::renew_in_tx(app, &tx, stored, set).await?;
    crash::commit(tx, Commit::TokensStored).await?;
    if revived {
        accounts::released(app).await;
    }
    metrics::counter!("clipqueue_token_refreshes_total", "outcome" => "ok").increment(1);
    Ok(())
}

async fn refused(
    app: &App,
    account_id: AccountId,
    stored: &Stored,
    error: tiktok::Error,
    resting: Option<Wait>,
) -> Step {
    let generation = stored.row.generation;
    let again = |error| resting.map_or_else(|| Halt::retry(error), Halt::from);
    let outcome = match error.class() {
        Class::GrantDead => {
            accounts::require_reauth(app, account_id, generation, error.code()).await?;
            tracing::warn!(account.id = %account_id, %error, "TikTok ended a creator's grant");
            "grant_dead"
        }
        // Perhaps TikTok has spent the token and its answer was lost: the mark stays.
        Class::Ambiguous => return Err(again(error)),
        Class::OurFault => {
            tokens::refresh_not_processed(app, account_id, &stored.row).await?;
            tracing::error!(%error, "TikTok refuses the app itself; check tiktok.client_key and tiktok.client_secret");
            metrics::counter!("clipqueue_token_refreshes_total", "outcome" => "our_fault")
                .increment(1);
            return Err(again(error));
        }
        Class::Transient
        | Class::RateLimited
        | Class::TokenRejected
        | Class::ScopeMissing
        | Class::CreatorCap
        | Class::PendingDraftsCap
        | Class::AppUserCap
        | Class::CreatorBanned
        | Class::UnauditedClient
        | Class::PrivacyMismatch
        | Class::UrlNotOwned
        | Class::CreatorAppTooOld
        | Class::NotFoundYet
        | Class::NotCancellable
        | Class::BadMedia
        | Class::BadRequest
        | Class::UploadDead
        | Class::UploadOutOfStep { .. }
        | Class::SourceFailed => {
            tokens::refresh_not_processed(app, account_id, &stored.row).await?;
            return Err(again(error));
        }
    };
    metrics::counter!("clipqueue_token_refreshes_total", "outcome" => outcome).increment(1);
    Ok(())
}
