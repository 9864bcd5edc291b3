//! Everything that can be known before a byte is sent, as a list of checks with verdicts.
//!
//! `preflight` in the API shows the list for a request; the upload job runs the same checks right
//! before init and acts on the first that does not pass.

use clipqueue_entities::{AccountId, MediaId, account, post::PostKind};

use super::{
    accounts,
    actor::Actor,
    creator::{self, Known},
    error::{Code, Error, Refusal, Result},
    post_settings::{DirectSettings, against_creator, caption_refusal},
    posts::{self, Photos},
};
use crate::{app::App, media::Media};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not hold, and the post would be refused.
    Fail,
    /// It cannot be known yet.
    Unknown,
}

/// One check.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was checked, as a word.
    pub rule: String,
    /// How it came out.
    pub verdict: Verdict,
    /// The input that it is about, when it fails.
    pub field: Vec<&'static str>,
    /// Why it fails, as a word.
    pub code: Option<Code>,
    /// What was found and, when it fails, what to do.
    pub message: String,
}

impl Check {
    fn pass(rule: &str, message: impl Into<String>) -> Self {
        Self {
            rule: rule.to_owned(),
            verdict: Verdict::Pass,
            field: Vec::new(),
            code: None,
            message: message.into(),
        }
    }

    fn of(rule: &str, refusals: Vec<Refusal>) -> Vec<Self> {
        if refusals.is_empty() {
            return vec![Self::pass(rule, "holds")];
        }
        refusals
            .into_iter()
            .map(|refusal| Self {
                rule: rule.to_owned(),
                verdict: Verdict::Fail,
                code: Some(refusal.code),
                message: match refusal.field.last() {
                    Some(field) => format!("{field}: {}", refusal.message),
                    None => refusal.message,
                },
                field: refusal.field,
            })
            .collect()
    }
}

/// What is to be checked together.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The account.
    pub account_id: AccountId,
    /// The video; absent for photos.
    pub media_id: Option<MediaId>,
    /// The photos; absent for a video.
    pub photos: Option<Photos>,
    /// The caption.
    pub caption: String,
    /// The choices of a direct post; an inbox draft when absent.
    pub direct: Option<DirectSettings>,
}

/// Every check for a request of `actor`.
pub async fn checks(app: &App, actor: &Actor, plan: &Plan) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    let account = match accounts::get(app.db.read(), actor.user_id, plan.account_id).await {
        Ok(account) => Some(account),
        Err(Error::NotFound) => None,
        Err(error) => return Err(error),
    };
    match &account {
        None => checks.extend(Check::of(
            "account",
            vec![Refusal::new(
                "accountId",
                Code::NotFound,
                "no such TikTok account",
            )],
        )),
        Some(account) => {
            let mut refusals = Vec::new();
            posts::check_account(account, plan.direct.is_some(), &mut refusals);
            checks.extend(Check::of("account", refusals));
        }
    }
    let (media, refusals) = files(app, actor, plan).await?;
    checks.extend(Check::of("media", refusals));
    checks.extend(Check::of(
        "caption",
        caption_refusal(&plan.caption, plan.kind())
            .into_iter()
            .collect(),
    ));
    if let Some(direct) = &plan.direct {
        checks.extend(Check::of(
            "choices",
            direct.refusals(app.config.tiktok.audited),
        ));
        if let Some(account) = &account {
            checks.extend(creator_checks(app, account, direct, media.as_ref()).await?);
        }
    }
    Ok(checks)
}

async fn creator_checks(
    app: &App,
    account: &account::Model,
    direct: &DirectSettings,
    media: Option<&Media>,
) -> Result<Vec<Check>> {
    Ok(match creator::recent(app, account).await? {
        Known::Options(options) => Check::of(
            "creator",
            against_creator(direct, &options, media.and_then(posts::duration_ms)),
        ),
        Known::CannotPost(refusal) => Check::of("creator", vec![refusal]),
        Known::Nothing => vec![Check {
            rule: "creator".to_owned(),
            verdict: Verdict::Unknown,
            field: Vec::new(),
            code: None,
            message: "TikTok cannot be asked now; it is asked again before the post is sent"
                .to_owned(),
        }],
    })
}

impl Plan {
    fn kind(&self) -> PostKind {
        match self.photos {
            Some(_) => PostKind::Photo,
            None => PostKind::Video,
        }
    }
}

/// The video, if there is one, and what is wrong with it or with the photos.
async fn files(app: &App, actor: &Actor, plan: &Plan) -> Result<(Option<Media>, Vec<Refusal>)> {
    let mut refusals = Vec::new();
    let files = posts::files_of_plan(
        app,
        actor.user_id,
        plan.media_id,
        plan.photos.as_ref(),
        plan.direct.as_ref(),
        &mut refusals,
    )
    .await?;
    let video = files
        .into_iter()
        .next()
        .filter(|_| plan.kind() == PostKind::Video);
    Ok((video, refusals))
}
