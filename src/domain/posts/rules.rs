//! The rules that a request for a post must keep, and what each refusal says.

use std::collections::HashMap;

use clipqueue_entities::{MediaId, Timestamp, account, account::AccountStatus};

use super::{
    NewPost,
    files::{self, duration_ms},
};
use crate::{
    app::App,
    domain::{
        accounts,
        actor::Actor,
        creator,
        error::{Code, Error, Refusal, Result},
        lateness::Late,
        local_time::{LocalTime, Unresolved},
        post_settings::{against_creator, caption_refusal},
    },
    media::Media,
};

/// The field of a local time.
const LOCAL: &str = "publishAtLocal";
/// Longest experiment label or upload reference, in characters.
const MAX_LABEL: usize = 200;
/// A schedule further away than this is a typo.
const MAX_AHEAD_DAYS: u64 = 366;

/// Checks a request without writing anything. Gives the account and the files that it names, in order.
pub async fn validate(
    app: &App,
    actor: &Actor,
    new: &NewPost,
) -> Result<(account::Model, Vec<Media>)> {
    let account = match accounts::get(app.db.read(), actor.user_id, new.account_id).await {
        Ok(account) => Some(account),
        Err(Error::NotFound) => None,
        Err(error) => return Err(error),
    };
    let ids = files::named(new.media_id, new.photos.as_ref());
    let found = files::by_id(app, actor.user_id, &ids).await?;
    let (files, mut refusals) = judge(app, new, account.as_ref(), &found);
    if let (Some(account), true) = (&account, asks_tiktok(new, &refusals)) {
        let known = creator::recent(app, account).await?;
        refusals.extend(against_tiktok(new, &files, known));
    }
    match account {
        Some(account) if refusals.is_empty() => Ok((account, files)),
        _ => Err(Error::Refused(refusals)),
    }
}

/// What is wrong with a request, as far as we know ourselves, and the files that it names, in order.
pub(super) fn judge(
    app: &App,
    new: &NewPost,
    account: Option<&account::Model>,
    found: &HashMap<MediaId, Media>,
) -> (Vec<Media>, Vec<Refusal>) {
    let mut refusals = Vec::new();
    if account.is_none() {
        let message = "no such TikTok account";
        refusals.push(Refusal::new("accountId", Code::NotFound, message));
    }
    let files = files::judge(
        app,
        new.media_id,
        new.photos.as_ref(),
        new.direct.as_ref(),
        found,
        &mut refusals,
    );
    refusals.extend(caption_refusal(&new.caption, new.kind()));
    check_labels(new, &mut refusals);
    check_time(app, new, &mut refusals);
    refusals.extend(new.late.and_then(Late::refusal));
    if let Some(direct) = &new.direct {
        refusals.extend(direct.refusals(app.config.tiktok.audited));
        check_consent(new.creator_consent, new.keep_draft, &mut refusals);
    }
    if let Some(account) = account {
        check_account(account, new.direct.is_some(), &mut refusals);
    }
    (files, refusals)
}

/// Whether TikTok's word about the creator matters: only to a request that holds otherwise.
pub(super) fn asks_tiktok(new: &NewPost, refusals: &[Refusal]) -> bool {
    new.direct.is_some() && refusals.is_empty()
}

/// What is wrong with a request by TikTok's word about the creator.
pub(super) fn against_tiktok(
    new: &NewPost,
    files: &[Media],
    known: creator::Known,
) -> Vec<Refusal> {
    match (&new.direct, known) {
        (Some(direct), creator::Known::Options(options)) => {
            against_creator(direct, &options, files.first().and_then(duration_ms))
        }
        (Some(_), creator::Known::CannotPost(refusal)) => vec![refusal],
        // TikTok cannot be asked now: the post is accepted, and asked about again before it is sent.
        (Some(_), creator::Known::Nothing) | (None, _) => Vec::new(),
    }
}

/// When a request wants its post to be sent; at once, when absent.
pub(super) fn due(new: &NewPost) -> Result<Option<Timestamp>, Refusal> {
    due_at(new.publish_at, new.local.as_ref())
}

/// The instant of a time that was given as such or as a local one.
pub(super) fn due_at(
    instant: Option<Timestamp>,
    local: Option<&LocalTime>,
) -> Result<Option<Timestamp>, Refusal> {
    let Some(local) = local else {
        return Ok(instant);
    };
    local.resolve().map(|found| Some(found.at)).map_err(|why| {
        let part = match why {
            Unresolved::UnknownZone(_) => "zone",
            Unresolved::Gap(_) | Unresolved::Overlap(_) | Unresolved::OutOfRange => "at",
        };
        Refusal {
            field: vec!["input", LOCAL, part],
            ..Refusal::whole(Code::Invalid, why.to_string())
        }
    })
}

fn check_labels(new: &NewPost, refusals: &mut Vec<Refusal>) {
    for (field, text) in [
        ("experimentLabel", &new.experiment_label),
        ("experimentVariant", &new.experiment_variant),
        ("uploadReference", &new.upload_reference),
    ] {
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
    if new.experiment_variant.is_some() && new.experiment_label.is_none() {
        refusals.push(Refusal::new(
            "experimentVariant",
            Code::Invalid,
            "is a variant of an experiment; give its experimentLabel too",
        ));
    }
}

fn check_time(app: &App, new: &NewPost, refusals: &mut Vec<Refusal>) {
    if new.publish_at.is_some() && new.local.is_some() {
        refusals.push(Refusal::new(
            LOCAL,
            Code::Invalid,
            "give either publishAt or publishAtLocal, not both",
        ));
        return;
    }
    let field = if new.local.is_some() {
        LOCAL
    } else {
        "publishAt"
    };
    let at = match due(new) {
        Ok(Some(at)) => at,
        Ok(None) => return,
        Err(refusal) => return refusals.push(refusal),
    };
    let now = app.clock.now();
    if at < now {
        refusals.push(Refusal::new(
            field,
            Code::Invalid,
            "lies in the past; leave it out to post at once",
        ));
    }
    if at > now + std::time::Duration::from_secs(MAX_AHEAD_DAYS * 86_400) {
        refusals.push(Refusal::new(
            field,
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
