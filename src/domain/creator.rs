//! What TikTok says that a creator may choose and do, asked fresh or remembered for a short while.

use std::time::Duration;

use clipqueue_entities::{
    AccountId, Timestamp, UserId,
    account::{self, AccountStatus},
    creator_snapshot,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};
use tiktok::{
    AccessToken, Class, Endpoint,
    user::{UserFields, UserInfo},
};

use super::{
    accounts,
    error::{Code, Refusal, Result},
    post_settings::CreatorOptions,
    tokens::{self, NoToken, Usable},
};
use crate::{
    app::App,
    calls::{Permit, Wait},
    crash::{self, Commit},
};

/// An answer this young still speaks for the account when a post is accepted. Before a post is sent
/// the question is asked anew in any case.
const RECENT: Duration = Duration::from_secs(60);

/// What is known about a creator.
#[derive(Clone, Debug)]
pub enum Known {
    /// The account's options.
    Options(Box<CreatorOptions>),
    /// TikTok says that the creator cannot post now.
    CannotPost(Refusal),
    /// TikTok could not be asked.
    Nothing,
}

/// Why the options cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// No usable token.
    #[error("there is no usable access token")]
    Token(#[source] NoToken),
    /// TikTok may not be asked now.
    #[error(transparent)]
    Wait(#[from] Wait),
    /// TikTok refused or could not be reached.
    #[error("TikTok did not give the creator's options")]
    Tiktok(#[source] Box<tiktok::Error>),
    /// Something inside failed.
    #[error("the creator's options cannot be stored")]
    Internal(#[source] anyhow::Error),
}

/// Asks TikTok, if it may be asked now.
pub async fn fetch(
    app: &App,
    account: &account::Model,
) -> std::result::Result<(CreatorOptions, Timestamp), Unavailable> {
    let usable = tokens::usable(app, account, Duration::ZERO)
        .await
        .map_err(Unavailable::Token)?;
    let mut permit = app
        .calls
        .ask(Some(account.id), &[Endpoint::CreatorInfo])
        .await?;
    fetch_with(app, account, &usable, &mut permit).await
}

/// Asks TikTok with leave that was given.
pub async fn fetch_with(
    app: &App,
    account: &account::Model,
    usable: &Usable,
    permit: &mut Permit,
) -> std::result::Result<(CreatorOptions, Timestamp), Unavailable> {
    let answered = app.tiktok.creator_info(&usable.token).await;
    let calls = &app.calls;
    let resting = calls.heard(permit, Endpoint::CreatorInfo, &answered).await;
    let answer = match answered {
        Ok(answer) => answer,
        Err(_) if let Some(wait) = resting => return Err(wait.into()),
        Err(error) => {
            if error.class() == Class::TokenRejected {
                tokens::suspect(app, account.id, usable.generation)
                    .await
                    .map_err(|error| Unavailable::Internal(error.into()))?;
            }
            return Err(Unavailable::Tiktok(Box::new(error)));
        }
    };
    let info = answer.value;
    let options = CreatorOptions {
        username: info.username.unwrap_or_default(),
        nickname: info.nickname.unwrap_or_default(),
        avatar_url: info.avatar_url,
        privacy_levels: info
            .privacy_levels
            .iter()
            .map(|level| level.as_str().to_owned())
            .chain(info.unknown_privacy_levels)
            .collect(),
        comment_disabled: info.comment_disabled,
        duet_disabled: info.duet_disabled,
        stitch_disabled: info.stitch_disabled,
        max_duration_s: info
            .max_video_duration
            .map(|limit| i32::try_from(limit.as_secs()).unwrap_or(i32::MAX)),
    };
    let now = app.clock.now();
    store(app, account, &options, now)
        .await
        .map_err(|error| Unavailable::Internal(error.into()))?;
    Ok((options, now))
}

/// The profile of a new account, if TikTok gives it now.
pub async fn profile(app: &App, token: &AccessToken, fields: &UserFields) -> Option<UserInfo> {
    let mut permit = match app.calls.ask(None, &[Endpoint::UserInfo]).await {
        Ok(permit) => permit,
        Err(wait) => {
            tracing::warn!(%wait, "the profile of a new TikTok account has to wait");
            return None;
        }
    };
    let answered = app.tiktok.user_info(token, fields).await;
    let calls = &app.calls;
    calls
        .heard(&mut permit, Endpoint::UserInfo, &answered)
        .await;
    match answered {
        Ok(answer) => Some(answer.value),
        Err(error) => {
            tracing::warn!(%error, "the profile of a new TikTok account cannot be read");
            None
        }
    }
}

async fn store(
    app: &App,
    account: &account::Model,
    options: &CreatorOptions,
    now: Timestamp,
) -> Result<()> {
    let info = serde_json::to_value(options).map_err(anyhow::Error::from)?;
    let remember = creator_snapshot::Entity::insert(creator_snapshot::ActiveModel {
        account_id: Set(account.id),
        info: Set(info),
        fetched_at: Set(now),
    })
    .on_conflict(
        OnConflict::column(creator_snapshot::Column::AccountId)
            .update_columns([
                creator_snapshot::Column::Info,
                creator_snapshot::Column::FetchedAt,
            ])
            .to_owned(),
    )
    .exec_without_returning(app.db.write());
    crash::write(Commit::CreatorRemembered, remember).await?;
    if !options.username.is_empty() && account.username.as_ref() != Some(&options.username) {
        // Without the scope for profiles this answer is the only one that names the handle.
        let name = account::Entity::update_many()
            .col_expr(
                account::Column::Username,
                Expr::value(options.username.clone()),
            )
            .filter(account::Column::Id.eq(account.id))
            .exec(app.db.write());
        crash::write(Commit::CreatorRemembered, name).await?;
    }
    Ok(())
}

/// What is known within [`RECENT`], asking TikTok when it is older.
pub async fn recent(app: &App, account: &account::Model) -> Result<Known> {
    if let Some((options, at)) = stored(app, account.id).await?
        && app.clock.now().since(at) < RECENT
    {
        return Ok(Known::Options(Box::new(options)));
    }
    match fetch(app, account).await {
        Ok((options, _)) => Ok(Known::Options(Box::new(options))),
        Err(Unavailable::Internal(error)) => Err(error.into()),
        Err(Unavailable::Tiktok(error)) => {
            Ok(cannot_post(app, &error).map_or(Known::Nothing, Known::CannotPost))
        }
        Err(Unavailable::Token(_) | Unavailable::Wait(_)) => Ok(Known::Nothing),
    }
}

/// What a front end shows about a creator before posting.
#[derive(Clone, Debug)]
pub struct View {
    /// TikTok's last word, and when it was given.
    pub options: Option<(CreatorOptions, Timestamp)>,
    /// Why the creator cannot post now, or why that is not known now.
    pub obstacle: Option<Refusal>,
}

impl View {
    /// Whether the creator can post now; nothing, when TikTok could not be asked.
    pub fn can_post(&self) -> Option<bool> {
        match &self.obstacle {
            None => Some(true),
            Some(refusal) => match refusal.code {
                Code::CreatorCannotPost | Code::ReconnectRequired => Some(false),
                _ => None,
            },
        }
    }
}

/// What is known about a creator of `user`, asking TikTok when it is older than [`RECENT`]. When
/// TikTok cannot be asked, its older word is given together with the reason.
pub async fn view(app: &App, user: UserId, id: AccountId) -> Result<View> {
    let account = accounts::get(app.db.read(), user, id).await?;
    let stored = stored(app, id).await?;
    if let Some((_, at)) = &stored
        && app.clock.now().since(*at) < RECENT
    {
        return Ok(View {
            options: stored,
            obstacle: None,
        });
    }
    let obstacle = match fetch(app, &account).await {
        Ok(answer) => {
            return Ok(View {
                options: Some(answer),
                obstacle: None,
            });
        }
        Err(Unavailable::Internal(error)) => return Err(error.into()),
        Err(Unavailable::Tiktok(error)) => cannot_post(app, &error).unwrap_or_else(|| silent(None)),
        Err(Unavailable::Wait(wait)) => silent(Some(app.clock.now() + wait.wait)),
        Err(Unavailable::Token(_)) if account.status != AccountStatus::Active => Refusal::new(
            "accountId",
            Code::ReconnectRequired,
            "the creator must connect this TikTok account again; use connectTikTok",
        ),
        Err(Unavailable::Token(_)) => silent(None),
    };
    Ok(View {
        options: stored,
        obstacle: Some(obstacle),
    })
}

async fn stored(app: &App, id: AccountId) -> Result<Option<(CreatorOptions, Timestamp)>> {
    let Some(row) = creator_snapshot::Entity::find_by_id(id)
        .one(app.db.read())
        .await?
    else {
        return Ok(None);
    };
    let options = serde_json::from_value(row.info).map_err(anyhow::Error::from)?;
    Ok(Some((options, row.fetched_at)))
}

fn silent(retry_at: Option<Timestamp>) -> Refusal {
    Refusal {
        retry_at,
        ..Refusal::new(
            "accountId",
            Code::TiktokUnavailable,
            "TikTok cannot be asked now; what is shown may be out of date",
        )
    }
}

/// A refusal, when TikTok's error says that the creator or the app cannot post now.
pub fn cannot_post(app: &App, error: &tiktok::Error) -> Option<Refusal> {
    let message = match error.class() {
        Class::CreatorCap => {
            "TikTok says that this creator has posted too much today; try again tomorrow"
        }
        Class::CreatorBanned => {
            "TikTok does not let this creator post; the creator must settle that with TikTok"
        }
        Class::AppUserCap => {
            "the app has reached TikTok's daily number of creators; try again tomorrow"
        }
        Class::Transient
        | Class::RateLimited
        | Class::TokenRejected
        | Class::ScopeMissing
        | Class::GrantDead
        | Class::PendingDraftsCap
        | Class::UnauditedClient
        | Class::PrivacyMismatch
        | Class::UrlNotOwned
        | Class::CreatorAppTooOld
        | Class::NotFoundYet
        | Class::NotCancellable
        | Class::BadMedia
        | Class::BadRequest
        | Class::OurFault
        | Class::UploadDead
        | Class::UploadOutOfStep { .. }
        | Class::SourceFailed
        | Class::Ambiguous => return None,
    };
    Some(Refusal {
        retry_at: error.class().wait_hint().map(|wait| app.clock.now() + wait),
        ..Refusal::new("accountId", Code::CreatorCannotPost, message)
    })
}
