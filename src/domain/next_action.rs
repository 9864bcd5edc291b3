//! Who must act next on a post, and how: the creator, TikTok, an operator, or we.

use clipqueue_entities::{
    Timestamp,
    account::{self, AccountStatus},
    post::{self, PostKind, PostMode, PostState},
};

use super::{
    accounts::{REAUTH_REQUIRED, SCOPE_MISSING},
    lateness::LATE,
};

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextActor {
    /// The creator, or the front end on the creator's behalf.
    Creator,
    /// TikTok.
    Tiktok,
    /// Clipqueue, by itself.
    Clipqueue,
    /// Whoever runs this installation.
    Operator,
}

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextAction {
    /// Who acts.
    pub actor: NextActor,
    /// What they do, in a sentence.
    pub text: String,
    /// When, if that is known.
    pub at: Option<Timestamp>,
}

/// What happens next with `post`; nothing, when it has ended well or for good.
pub fn next_action(post: &post::Model, account: &account::Model) -> Option<NextAction> {
    let action = |actor, text: &str, at| {
        Some(NextAction {
            actor,
            text: text.to_owned(),
            at,
        })
    };
    let reconnect = "Connect the TikTok account again; the post goes on by itself afterwards.";
    let lost = account.status != AccountStatus::Active;
    if !lost && let Some(waiting) = waiting(post) {
        return Some(waiting);
    }
    match post.state {
        PostState::Draft => action(NextActor::Creator, "Finish the draft and submit it.", None),
        PostState::Scheduled => action(
            NextActor::Clipqueue,
            "The post is sent at its time.",
            Some(post.publish_at.unwrap_or(post.state_since)),
        ),
        PostState::Held => held(post),
        PostState::Preflight | PostState::InitSent | PostState::Uploading if lost => {
            action(NextActor::Creator, reconnect, None)
        }
        PostState::Preflight => action(
            NextActor::Clipqueue,
            "The post is checked against the creator's account.",
            None,
        ),
        PostState::InitSent if post.kind == PostKind::Photo => action(
            NextActor::Clipqueue,
            "TikTok is being told where to fetch the photos.",
            None,
        ),
        PostState::InitSent | PostState::Uploading => action(
            NextActor::Clipqueue,
            "The video is being sent to TikTok.",
            None,
        ),
        PostState::Processing | PostState::Unconfirmed if lost => {
            action(NextActor::Creator, reconnect, None)
        }
        PostState::Processing if post.kind == PostKind::Photo => action(
            NextActor::Tiktok,
            "TikTok fetches and processes the photos; that can take some minutes.",
            None,
        ),
        PostState::Processing => action(
            NextActor::Tiktok,
            "TikTok processes the video; that can take some minutes.",
            None,
        ),
        PostState::InInbox if post.kind == PostKind::Photo => action(
            NextActor::Creator,
            "Open the notification in the TikTok app and post the draft.",
            None,
        ),
        PostState::InInbox => action(
            NextActor::Creator,
            "Open the notification in the TikTok app, paste the caption and post the draft.",
            None,
        ),
        PostState::Unconfirmed if post.kind == PostKind::Photo => action(
            NextActor::Clipqueue,
            "The answer to the request was lost. Whether TikTok came for the photos tells whether it was \
             accepted; see the attempt. They are not sent again. Look at the profile in the TikTok app \
             before posting them anew.",
            None,
        ),
        PostState::Unconfirmed => action(
            NextActor::Clipqueue,
            "The answer to the last step was lost. TikTok is being asked; the video is not sent again. \
             If it is or is not on the profile in the TikTok app, say so: that settles it too.",
            None,
        ),
        PostState::Failed if post.failure_retryable => {
            action(NextActor::Creator, "Retry the post.", None)
        }
        PostState::Failed => action(
            NextActor::Creator,
            "Change what TikTok refused and make a new post.",
            None,
        ),
        PostState::Missed => action(
            NextActor::Creator,
            "Its time passed while it could not be sent. Retry it to post now.",
            None,
        ),
        PostState::Lapsed if post.mode == PostMode::Inbox => action(
            NextActor::Creator,
            "The draft was not finished in TikTok. Make a new post to send it again.",
            None,
        ),
        PostState::Published | PostState::Cancelled | PostState::Lapsed => None,
    }
}

/// Why a post that is due does not go yet, when that is neither the creator's doing nor a hold.
fn waiting(post: &post::Model) -> Option<NextAction> {
    if post.state == PostState::Held {
        return None;
    }
    let (actor, text) = match post.wait_reason.as_deref()? {
        "rate_limit" => (
            NextActor::Clipqueue,
            "TikTok takes six posts of a creator a minute; the post goes when its turn comes.",
        ),
        "tiktok_trouble" => (
            NextActor::Tiktok,
            "TikTok is in trouble; the post goes when TikTok answers again.",
        ),
        "client_refused" => (
            NextActor::Operator,
            "TikTok refuses the app's key or secret. The post goes by itself once that is mended; no account is touched.",
        ),
        "transport_away" => (
            NextActor::Operator,
            "Redis is away, so calls to TikTok cannot be counted; the post goes when it is back.",
        ),
        _ => (
            NextActor::Clipqueue,
            "The post is due and waits; see its reason.",
        ),
    };
    Some(NextAction {
        actor,
        text: text.to_owned(),
        at: post.wait_until,
    })
}

fn held(post: &post::Model) -> Option<NextAction> {
    let (actor, text) = match post.hold_reason.as_deref() {
        Some(REAUTH_REQUIRED) => (
            NextActor::Creator,
            "Connect the TikTok account again; the post goes on by itself afterwards.",
        ),
        Some(SCOPE_MISSING) => (
            NextActor::Creator,
            "Connect the TikTok account again and leave the switch for posting on.",
        ),
        Some(LATE) => (
            NextActor::Creator,
            "Its time passed while it could not be sent. Release it to post now, give it another time, or cancel it.",
        ),
        Some("pending_drafts_cap") => (
            NextActor::Creator,
            "Finish or discard drafts in the TikTok app; TikTok takes five at a time.",
        ),
        Some("creator_cap") => (
            NextActor::Clipqueue,
            "The creator has posted too much today for TikTok; the post goes on when the day has passed.",
        ),
        Some("app_user_cap") => (
            NextActor::Operator,
            "The app has reached TikTok's daily number of creators; the post goes on when the day has passed.",
        ),
        Some("url_unverified") => (
            NextActor::Operator,
            "Verify the address of this server under \"URL properties\" in TikTok's developer portal; the post is tried again by itself.",
        ),
        _ => (NextActor::Operator, "The post is held; see its reason."),
    };
    Some(NextAction {
        actor,
        text: text.to_owned(),
        at: post.hold_until,
    })
}
