//! The rules that a request for a post must keep, and what each refusal says.

use clipqueue_entities::{MediaId, Timestamp, UserId, account, account::AccountStatus};

use super::NewPost;
use crate::{
    app::App,
    domain::{
        accounts,
        actor::Actor,
        creator,
        error::{Code, Error, Refusal, Result},
        post_settings::{against_creator, caption_refusal},
    },
    media::{Media, MediaError, MediaState},
};

/// Longest experiment label or upload reference, in characters.
const MAX_LABEL: usize = 200;
/// A schedule further away than this is a typo.
const MAX_AHEAD_DAYS: u64 = 366;

/// Checks a request without writing anything. Gives the media and the account that it names.
pub async fn validate(app: &App, actor: &Actor, new: &NewPost) -> Result<(account::Model, Media)> {
    let mut refusals = Vec::new();
    let account = accounts::get(app.db.read(), actor.user_id, new.account_id).await;
    let account = found(
        account,
        "accountId",
        "no such TikTok account",
        &mut refusals,
    )?;
    let media = find_media(app, actor.user_id, new.media_id).await?;
    if media.is_none() {
        refusals.push(Refusal::new("mediaId", Code::NotFound, "no such media"));
    }
    check_texts(
        &new.caption,
        new.experiment_label.as_deref(),
        new.upload_reference.as_deref(),
        &mut refusals,
    );
    check_time(app, new.publish_at, &mut refusals);
    if let Some(direct) = &new.direct {
        refusals.extend(direct.refusals(app.config.tiktok.audited));
        check_consent(new.creator_consent, new.keep_draft, &mut refusals);
    }
    if let Some(media) = &media {
        check_media(media, &mut refusals);
    }
    if let Some(account) = &account {
        check_account(account, new.direct.is_some(), &mut refusals);
        // Asking TikTok is worth it only for a request that holds otherwise.
        if let (Some(direct), true) = (&new.direct, refusals.is_empty()) {
            match creator::recent(app, account).await? {
                creator::Known::Options(options) => refusals.extend(against_creator(
                    direct,
                    &options,
                    media.as_ref().and_then(duration_ms),
                )),
                creator::Known::CannotPost(refusal) => refusals.push(refusal),
                // TikTok cannot be asked now: the post is accepted, and asked about again before it is sent.
                creator::Known::Nothing => {}
            }
        }
    }
    match (account, media) {
        (Some(account), Some(media)) if refusals.is_empty() => Ok((account, media)),
        _ => Err(Error::Refused(refusals)),
    }
}

/// How long the video lasts, as far as its container says.
pub fn duration_ms(media: &Media) -> Option<u64> {
    media.facts.as_ref()?.duration_ms
}

/// A file of `user`, if it is there.
pub async fn find_media(app: &App, user: UserId, id: MediaId) -> Result<Option<Media>> {
    match app.media.get(user, id).await {
        Ok(media) => Ok(Some(media)),
        Err(MediaError::NotFound) => Ok(None),
        Err(error) => Err(Error::Internal(error.into())),
    }
}

fn found<T>(
    result: Result<T>,
    field: &'static str,
    message: &str,
    refusals: &mut Vec<Refusal>,
) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound) => {
            refusals.push(Refusal::new(field, Code::NotFound, message));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn check_texts(
    caption: &str,
    label: Option<&str>,
    reference: Option<&str>,
    refusals: &mut Vec<Refusal>,
) {
    refusals.extend(caption_refusal(caption));
    for (field, text) in [("experimentLabel", label), ("uploadReference", reference)] {
        if let Some(text) = text
            && (text.trim().is_empty() || text.chars().count() > MAX_LABEL || text.contains('\0'))
        {
            refusals.push(Refusal::new(
                field,
                Code::Invalid,
                "must have 1 to 200 characters; leave it out when there is none",
            ));
        }
    }
}

fn check_time(app: &App, at: Option<Timestamp>, refusals: &mut Vec<Refusal>) {
    let Some(at) = at else { return };
    let now = app.clock.now();
    if at < now {
        refusals.push(Refusal::new(
            "publishAt",
            Code::Invalid,
            "lies in the past; leave it out to post at once",
        ));
    }
    if at > now + std::time::Duration::from_secs(MAX_AHEAD_DAYS * 86_400) {
        refusals.push(Refusal::new(
            "publishAt",
            Code::Invalid,
            "lies more than a year ahead",
        ));
    }
}

fn check_consent(consent: bool, keep_draft: bool, refusals: &mut Vec<Refusal>) {
    if !consent && !keep_draft {
        refusals.push(Refusal::new(
            "creatorConsent",
            Code::ConsentRequired,
            "show the creator TikTok's confirmation text and set this to true once they agree",
        ));
    }
}

/// Whether the video can be sent.
pub fn check_media(media: &Media, refusals: &mut Vec<Refusal>) {
    match media.state {
        MediaState::Ready => {}
        MediaState::Uploading => refusals.push(Refusal::new(
            "mediaId",
            Code::MediaNotReady,
            "is not completely uploaded; finish the upload first",
        )),
        MediaState::Rejected => refusals.push(Refusal::new(
            "mediaId",
            Code::MediaUnfit,
            "breaks a rule of TikTok's; see the verdicts of the media",
        )),
        MediaState::Expired | MediaState::Deleted => refusals.push(Refusal::new(
            "mediaId",
            Code::MediaNotReady,
            "is no longer stored; upload it again",
        )),
    }
}

/// Whether the account can be posted to in this way.
pub fn check_account(account: &account::Model, direct: bool, refusals: &mut Vec<Refusal>) {
    if account.status != AccountStatus::Active {
        refusals.push(Refusal::new(
            "accountId",
            Code::ReconnectRequired,
            "the creator must connect this TikTok account again; use connectTikTok",
        ));
        return;
    }
    let needed = if direct {
        "video.publish"
    } else {
        "video.upload"
    };
    if !account.scopes.split(',').any(|scope| scope == needed) {
        refusals.push(Refusal::new(
            "accountId",
            Code::ScopeMissing,
            format!(
                "the creator did not grant {needed}; use connectTikTok and leave its switch on"
            ),
        ));
    }
}
