//! `LookAtProfile`: reads the profile that a request for deletion names, through the grant that is stored,
//! until the code stands there or the request is over.

use std::time::Duration;

use clipqueue_entities::{
    DeletionRequestId,
    account::{self},
    deletion_request::ProofKind,
};
use tiktok::{Class, Endpoint, Scopes, user::UserFields};

use super::{Halt, Step};
use crate::{
    app::App,
    domain::{
        deletions::{
            look::{self, Wanted},
            prove,
        },
        error::Error,
        tokens::{self, NoToken},
    },
};

pub(super) async fn run(app: &App, id: DeletionRequestId) -> Step {
    let Some(wanted) = look::wanted(app, id).await? else {
        return Ok(());
    };
    for account in &wanted.accounts {
        if !Box::pin(is_proved(app, &wanted, account)).await? {
            continue;
        }
        return match prove::by_account(app, &wanted.request, account, ProofKind::Bio).await {
            // Somebody else proved it, or the account is leaving already.
            Ok(_) | Err(Error::Refused(_) | Error::NotFound) => Ok(()),
            Err(error) => Err(error.into()),
        };
    }
    look::looked(app, id).await?;
    Err(Halt::snooze(wanted.again))
}

async fn is_proved(app: &App, wanted: &Wanted, account: &account::Model) -> Step<bool> {
    let Some(fields) = UserFields::covered_by(&Scopes::parse(&account.scopes)) else {
        return Ok(false);
    };
    let token = match tokens::usable(app, account, Duration::ZERO).await {
        Ok(token) => token,
        // Another look comes; the creator may prove it otherwise.
        Err(NoToken::Reconnect) => return Ok(false),
        Err(error) => return Err(super::no_token(app, account.id, error).await),
    };
    let endpoint = Endpoint::UserInfo;
    let mut permit = app.calls.ask(Some(account.id), &[endpoint]).await?;
    let answered = app.tiktok.user_info(&token.token, &fields).await;
    let resting = app.calls.heard(&mut permit, endpoint, &answered).await;
    match answered {
        Ok(answer) => {
            let profile = answer.value;
            let (name, bio) = (profile.username, profile.bio_description);
            Ok(look::proves(wanted, name.as_deref(), bio.as_deref()))
        }
        Err(error) if error.class() == Class::TokenRejected => {
            tokens::suspect(app, account.id, token.generation).await?;
            Err(Halt::retry(error))
        }
        Err(error) => match error.class() {
            Class::Transient | Class::RateLimited | Class::Ambiguous => {
                Err(resting.map_or_else(|| Halt::retry(error), Halt::from))
            }
            _ => {
                tracing::warn!(account.id = %account.id, %error, "a profile cannot be read");
                Ok(false)
            }
        },
    }
}
