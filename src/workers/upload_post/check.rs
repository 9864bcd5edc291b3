//! Before anything is sent: is the account connected, the video there, and does TikTok still offer
//! the creator what the post asks for?

use clipqueue_entities::{
    account,
    post::{self, PostKind, PostMode, PostState},
};
use tiktok::Endpoint;

use super::super::{Halt, Step};
use super::verdict::{self, Ended};
use crate::{
    app::App,
    calls::{Cause, Permit, Wait, budgets},
    domain::{
        accounts, attempts, caps, creator,
        creator::Unavailable,
        error::Refusal,
        post_change::{Change, Evidence, Failure},
        post_settings::{DirectSettings, against_creator},
        post_state::PostEvent,
        posts, token_life,
        tokens::{self, NoToken, Usable},
    },
    media::Media,
    queue::Lease,
};

/// Everything that init needs.
pub(super) struct Ready {
    pub(super) post: post::Model,
    /// The video, or the photos in order.
    pub(super) files: Vec<Media>,
    pub(super) settings: Option<DirectSettings>,
    pub(super) token: Usable,
    /// The init to call.
    pub(super) endpoint: Endpoint,
    /// Leave to call it.
    pub(super) permit: Permit,
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
    let ids = match posts::photos_of(app.db.read(), &post).await? {
        Some(photos) => {
            refusals.extend(photos.refusals(settings.as_ref()));
            photos.media_ids
        }
        None => vec![post.media_id],
    };
    let found = posts::find_files(app, post.user_id, &ids).await?;
    if found.iter().any(Option::is_none) {
        return Err(refuse(app, lease, post, media_gone()).await);
    }
    posts::check_files(&found, post.kind, &mut refusals);
    refusals.extend(posts::unreachable(app, post.kind));
    let files: Vec<Media> = found.into_iter().flatten().collect();
    if let Some(direct) = &settings {
        refusals.extend(direct.refusals(app.config.tiktok.audited));
    }
    if let Some(refusal) = refusals.into_iter().next() {
        return Err(refuse(app, lease, post, failure_of(&refusal)).await);
    }
    if let Some(full) = caps::full(app, &post).await? {
        return Err(verdict::park(app, lease, post, full).await);
    }
    let needed = token_life::needed_for(files.iter().map(|file| file.size).sum());
    let token = match tokens::usable(app, &account, needed).await {
        Ok(token) => token,
        Err(NoToken::Reconnect) => {
            let message = "the creator must connect TikTok again";
            return Err(
                verdict::hold(app, lease, post, accounts::REAUTH_REQUIRED, None, message).await,
            );
        }
        Err(error) => return Err(no_token(app, lease, &post, error).await),
    };
    let endpoint = match (post.kind, &settings) {
        (PostKind::Photo, _) => Endpoint::PhotoInit,
        (PostKind::Video, Some(_)) => Endpoint::VideoInit,
        (PostKind::Video, None) => Endpoint::InboxVideoInit,
    };
    let mut permit = match leave(app, &post, endpoint).await? {
        Ok(permit) => permit,
        Err(wait) => return Err(verdict::waits(app, lease, &post, wait).await),
    };
    if let Some(direct) = &settings {
        let duration = files.first().and_then(posts::duration_ms);
        let asked = ask_creator(
            app,
            lease,
            &post,
            &account,
            direct,
            duration,
            (&token, &mut permit),
        );
        if let Err(halt) = Box::pin(asked).await {
            app.calls.unused(permit).await;
            return Err(halt);
        }
    }
    Ok(Ready {
        post,
        files,
        settings,
        token,
        endpoint,
        permit,
    })
}

/// Leave for the whole way up to the first byte, or what it waits for. Nothing is begun that would be
/// stopped half way: not the question without the init, not the init without a host for the bytes.
async fn leave(
    app: &App,
    post: &post::Model,
    init: Endpoint,
) -> Step<std::result::Result<Permit, Wait>> {
    if let Some(limit) = budgets::per_minute(init)
        && let Some(at) = caps::init_fits_at(app, post, limit).await?
    {
        return Ok(Err(Wait {
            cause: Cause::Budget(init),
            wait: at.since(app.clock.now()),
        }));
    }
    let sends = post.kind == PostKind::Video;
    if sends
        && let Err(wait) = app
            .calls
            .resting(Some(post.account_id), Endpoint::ChunkUpload)
            .await
    {
        return Ok(Err(wait));
    }
    let both = [init, Endpoint::CreatorInfo];
    let calls = match post.mode {
        PostMode::Direct => &both[..],
        PostMode::Inbox => &both[..1],
    };
    Ok(app.calls.ask(Some(post.account_id), calls).await)
}

/// Waits for a token: for moments as a rule, and visibly while refreshes themselves have to wait.
async fn no_token(app: &App, lease: &Lease, post: &post::Model, error: NoToken) -> Halt {
    let account = Some(post.account_id);
    match app.calls.trouble(account, Endpoint::Token).await {
        Some(wait) if matches!(error, NoToken::Refreshing) => {
            verdict::waits(app, lease, post, wait).await
        }
        _ => error.into(),
    }
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
    duration: Option<u64>,
    (token, permit): (&Usable, &mut Permit),
) -> Step {
    match creator::fetch_with(app, account, token, permit).await {
        Ok((options, _)) => {
            let refusals = against_creator(direct, &options, duration);
            match refusals.into_iter().next() {
                None => Ok(()),
                Some(refusal) => Err(refuse(app, lease, post.clone(), failure_of(&refusal)).await),
            }
        }
        Err(Unavailable::Token(error)) => Err(error.into()),
        Err(Unavailable::Wait(wait)) => Err(verdict::waits(app, lease, post, wait).await),
        Err(Unavailable::Internal(error)) => Err(error.into()),
        Err(Unavailable::Tiktok(error)) => {
            let ended = Ended {
                endpoint: Endpoint::CreatorInfo,
                error: *error,
                generation: None,
                resting: None,
                reached: None,
            };
            Err(verdict::attempt_ended(app, lease, post.clone(), ended).await)
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
        message: "A file of the post is no longer stored. Upload it again and make a new post."
            .to_owned(),
        retryable: false,
    }
}
