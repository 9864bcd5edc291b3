//! Who must act next on a post, and how: the creator, TikTok, an operator, or we.

use clipqueue_entities::{
    Timestamp,
    account::{self, AccountStatus},
    post::{self, PostMode, PostState},
};

use super::accounts::{REAUTH_REQUIRED, SCOPE_MISSING};

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
        PostState::InitSent | PostState::Uploading => action(
            NextActor::Clipqueue,
            "The video is being sent to TikTok.",
            None,
        ),
        PostState::Processing | PostState::Unconfirmed if lost => {
            action(NextActor::Creator, reconnect, None)
        }
        PostState::Processing => action(
            NextActor::Tiktok,
            "TikTok processes the video; that can take some minutes.",
            None,
        ),
        PostState::InInbox => action(
            NextActor::Creator,
            "Open the notification in the TikTok app, paste the caption and post the draft.",
            None,
        ),
        PostState::Unconfirmed => action(
            NextActor::Clipqueue,
            "The answer to the last step was lost. TikTok is being asked; the video is not sent again. \
             Look at the profile in the TikTok app before posting it anew.",
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
        _ => (NextActor::Operator, "The post is held; see its reason."),
    };
    Some(NextAction {
        actor,
        text: text.to_owned(),
        at: post.hold_until,
    })
}
