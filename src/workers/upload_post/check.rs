//! Before anything is sent: is the account connected, the video there, and does TikTok still offer
//! the creator what the post asks for?

use std::time::Duration;

use clipqueue_entities::{
    account,
    post::{self, PostState},
};

use super::super::{Halt, Step};
use super::verdict;
use crate::{
    app::App,
    domain::{
        accounts, attempts, creator,
        creator::Unavailable,
        error::Refusal,
        post_change::{Change, Evidence, Failure},
        post_settings::{DirectSettings, against_creator},
        post_state::PostEvent,
        posts,
        tokens::{self, NoToken, Usable},
    },
    media::Media,
    queue::Lease,
};

/// The token must outlive the sending: nothing is begun with one that is about to end.
const TOKEN_NEEDED: Duration = Duration::from_secs(10 * 60);

/// Everything that init needs.
pub(super) struct Ready {
    pub(super) post: post::Model,
    pub(super) media: Media,
    pub(super) settings: Option<DirectSettings>,
    pub(super) token: Usable,
}

pub(super) async fn run(app: &App, lease: &Lease, post: post::Model) -> Step<Ready> {
    let account = accounts::for_worker(app, post.account_id).await?;
    let post = start(app, lease, post).await?;
    let settings = posts::direct_settings(&post)?;
    let mut refusals = Vec::new();
    posts::check_account(&account, settings.is_some(), &mut refusals);
    if let Some(refusal) = refusals.pop() {
        let reason = if account.status == account::AccountStatus::Active {
            accounts::SCOPE_MISSING
        } else {
            accounts::REAUTH_REQUIRED
        };
        return Err(verdict::hold(app, lease, post, reason, None, &refusal.message).await);
    }
    let media = match posts::find_media(app, post.user_id, post.media_id).await? {
        Some(media) => {
            posts::check_media(&media, &mut refusals);
            media
        }
        None => return Err(refuse(app, lease, post, media_gone()).await),
    };
    if let Some(direct) = &settings {
        refusals.extend(direct.refusals(app.config.tiktok.audited));
    }
    if let Some(refusal) = refusals.into_iter().next() {
        return Err(refuse(app, lease, post, failure_of(&refusal)).await);
    }
    let token = match tokens::usable(app, &account, TOKEN_NEEDED).await {
        Ok(token) => token,
        Err(NoToken::Reconnect) => {
            let message = "the creator must connect TikTok again";
            return Err(
                verdict::hold(app, lease, post, accounts::REAUTH_REQUIRED, None, message).await,
            );
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(direct) = &settings {
        ask_creator(app, lease, &post, &account, direct, &media).await?;
    }
    Ok(Ready {
        post,
        media,
        settings,
        token,
    })
}

async fn start(app: &App, lease: &Lease, post: post::Model) -> Step<post::Model> {
    if post.state == PostState::Preflight {
        // It was taken up before, and waits for a token or a budget.
        return Ok(post);
    }
    let tx = attempts::fenced(app, lease).await?;
    let change = Change::new(PostEvent::Started, Evidence::own("worker.started"));
    Ok(attempts::close(app, tx, post, "not_begun", None, change).await?)
}

/// Creator info of this very moment, as TikTok's guidelines ask.
async fn ask_creator(
    app: &App,
    lease: &Lease,
    post: &post::Model,
    account: &account::Model,
    direct: &DirectSettings,
    media: &Media,
) -> Step {
    match creator::fetch(app, account).await {
        Ok((options, _)) => {
            let refusals = against_creator(direct, &options, posts::duration_ms(media));
            match refusals.into_iter().next() {
                None => Ok(()),
                Some(refusal) => Err(refuse(app, lease, post.clone(), failure_of(&refusal)).await),
            }
        }
        Err(Unavailable::Token(error)) => Err(error.into()),
        Err(Unavailable::Wait(wait)) => Err(Halt::snooze(wait)),
        Err(Unavailable::Internal(error)) => Err(error.into()),
        Err(Unavailable::Tiktok(error)) => {
            Err(verdict::before_init(app, lease, post.clone(), "creator_info", *error).await)
        }
    }
}

/// Ends the post as FAILED before anything was sent.
async fn refuse(app: &App, lease: &Lease, post: post::Model, failure: Failure) -> Halt {
    let ended = async {
        let tx = attempts::fenced(app, lease).await?;
        let evidence = Evidence::own("preflight.refused").with("code", failure.code.clone());
        let change = Change::new(PostEvent::Refused, evidence).failure(failure);
        attempts::close(app, tx, post, "preflight_refused", None, change).await
    };
    match ended.await {
        Ok(_) => Halt::cancel("the post was refused before anything was sent"),
        Err(error) => error.into(),
    }
}

fn failure_of(refusal: &Refusal) -> Failure {
    Failure {
        class: "creator",
        code: format!("{:?}", refusal.code),
        message: refusal.message.clone(),
        retryable: false,
    }
}

fn media_gone() -> Failure {
    Failure {
        class: "creator",
        code: "media_gone".to_owned(),
        message: "The video is no longer stored. Upload it again and make a new post.".to_owned(),
        retryable: false,
    }
}
