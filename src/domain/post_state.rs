//! The life of a post as a pure function: `(Delivery, State, Event) → State`, or [`Illegal`].
//!
//! ```text
//! DRAFT ─submit─▶ SCHEDULED ─start─▶ PREFLIGHT ─init is about to be sent─▶ INIT_SENT
//!                  ▲  │  ▲                │ ▲                                  │ publish id stored
//!             retry│  │  └──release── HELD┘ └──attempt abandoned, nothing──────┤
//!                  │  └─time passed─▶ MISSED        can be posted              ▼
//!              FAILED ◀──refused, or TikTok says failed──────────────────  UPLOADING
//!                                                                              │ every byte acknowledged
//!   UNCONFIRMED ◀─answer lost past the commit point, or silence too long── PROCESSING
//!        │                                                                     │
//!        └──evidence──▶ PROCESSING, IN_INBOX, PUBLISHED, FAILED    IN_INBOX ◀──┴──▶ PUBLISHED
//!                                                                      └─▶ PUBLISHED or LAPSED
//! ```
//!
//! The commit point of a file upload is the last chunk: before it TikTok has nothing to post, so a
//! lost answer abandons the attempt; from it on a lost answer makes the post UNCONFIRMED. Photos are
//! pulled by TikTok, so that init itself is their commit point: INIT_SENT leads to PROCESSING or to
//! UNCONFIRMED, is never abandoned, and there is no UPLOADING.
//!
//! Late truth wins over earlier doubt: TikTok's word that a post is out, or in the inbox, is taken in
//! every state but DRAFT, even from an attempt that was given up while another one is being made. A
//! person's word settles a doubt too, and TikTok's word may still correct it afterwards. Nothing
//! undoes PUBLISHED.

use clipqueue_entities::post::{PostKind, PostState};
use sea_orm::Iterable as _;

/// How the bytes come to TikTok, which decides where the commit point lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// We send them; the last chunk is the commit point.
    Push,
    /// TikTok fetches them; init is the commit point.
    Pull,
}

impl Delivery {
    /// How posts of a kind are delivered.
    pub fn of(kind: PostKind) -> Self {
        match kind {
            PostKind::Video => Self::Push,
            PostKind::Photo => Self::Pull,
        }
    }
}

/// What happened to a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PostEvent {
    /// Its owner asked for it to be posted.
    Submitted,
    /// A worker took it up.
    Started,
    /// A person or a cap stands in the way.
    Held,
    /// What stood in the way is gone.
    Released,
    /// It cannot be sent now and waits for another try.
    Deferred,
    /// The checks, or TikTok's answer to init, refused it.
    Refused,
    /// The attempt is on record; the init call comes next.
    InitStarted,
    /// TikTok gave a publish id.
    InitAccepted,
    /// The attempt ended in a way that cannot have posted anything; another may start.
    AttemptAbandoned,
    /// TikTok acknowledged every byte.
    BytesAcknowledged,
    /// The answer to a call past the commit point was lost.
    AnswerLost,
    /// TikTok says that it still lacks bytes and its upload address lives.
    UploadResumed,
    /// TikTok says that it works on it.
    TiktokProcessing,
    /// TikTok put it into the creator's inbox.
    TiktokInbox,
    /// TikTok says that it is posted.
    TiktokPublished,
    /// TikTok says that it failed.
    TiktokFailed,
    /// A person saw it on the profile, or an unmistakable video was found there.
    SeenPosted,
    /// A person says that it was not posted and will not be.
    SaidNotPosted,
    /// TikTok fetched nothing while it could, and can no longer: it has nothing to post.
    NeverFetched,
    /// Its owner stopped it before the commit point.
    Cancelled,
    /// Its owner asked for another try.
    Retried,
    /// Its deadline passed.
    DeadlinePassed,
}

/// The event cannot happen in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a post that is {state:?} cannot take {event:?}")]
pub struct Illegal {
    /// Where the post stands.
    pub state: PostState,
    /// What was claimed to happen.
    pub event: PostEvent,
}

/// Where `event` takes a post that is in `state`.
pub fn next(delivery: Delivery, state: PostState, event: PostEvent) -> Result<PostState, Illegal> {
    use Delivery as D;
    use PostEvent as E;
    use PostState as S;

    let illegal = Err(Illegal { state, event });
    match event {
        E::Submitted => match state {
            S::Draft => Ok(S::Scheduled),
            _ => illegal,
        },
        E::Started => match state {
            // A worker that died in PREFLIGHT had sent nothing: the next one starts over.
            S::Scheduled | S::Preflight => Ok(S::Preflight),
            _ => illegal,
        },
        E::Held => match state {
            S::Scheduled | S::Preflight | S::InitSent => Ok(S::Held),
            _ => illegal,
        },
        E::Released => match state {
            S::Held => Ok(S::Scheduled),
            _ => illegal,
        },
        E::Deferred => match state {
            S::Preflight | S::InitSent => Ok(S::Scheduled),
            _ => illegal,
        },
        E::Refused => match state {
            // From SCHEDULED when every try was deferred and the last one is spent.
            S::Scheduled | S::Preflight | S::InitSent | S::Uploading => Ok(S::Failed),
            _ => illegal,
        },
        E::InitStarted => match state {
            S::Preflight => Ok(S::InitSent),
            _ => illegal,
        },
        E::InitAccepted => match (delivery, state) {
            (D::Push, S::InitSent) => Ok(S::Uploading),
            (D::Pull, S::InitSent) => Ok(S::Processing),
            _ => illegal,
        },
        E::AttemptAbandoned => match (delivery, state) {
            (D::Push, S::InitSent | S::Uploading) => Ok(S::Preflight),
            _ => illegal,
        },
        E::BytesAcknowledged => match (delivery, state) {
            (D::Push, S::Uploading | S::Unconfirmed) => Ok(S::Processing),
            _ => illegal,
        },
        E::AnswerLost => match (delivery, state) {
            (D::Push, S::Uploading) | (D::Pull, S::InitSent) | (_, S::Processing) => {
                Ok(S::Unconfirmed)
            }
            _ => illegal,
        },
        E::UploadResumed => match (delivery, state) {
            (D::Push, S::Unconfirmed) => Ok(S::Uploading),
            _ => illegal,
        },
        E::TiktokProcessing => match state {
            S::Unconfirmed | S::Processing => Ok(S::Processing),
            _ => illegal,
        },
        E::TiktokInbox => match state {
            // Never sent, or out already.
            S::Draft | S::Published => illegal,
            _ => Ok(S::InInbox),
        },
        E::TiktokPublished => match state {
            S::Draft => illegal,
            // Of one that waits for another try, or makes it, an earlier attempt came through after all.
            _ => Ok(S::Published),
        },
        E::SeenPosted => match state {
            S::Unconfirmed | S::InInbox | S::Lapsed | S::Published => Ok(S::Published),
            _ => illegal,
        },
        E::SaidNotPosted => match state {
            S::Unconfirmed => Ok(S::Failed),
            // The creator threw the draft away, which TikTok tells nobody.
            S::InInbox => Ok(S::Lapsed),
            _ => illegal,
        },
        E::TiktokFailed => match state {
            S::Uploading | S::Processing | S::InInbox | S::Unconfirmed => Ok(S::Failed),
            _ => illegal,
        },
        E::NeverFetched => match (delivery, state) {
            (D::Pull, S::Unconfirmed) => Ok(S::Failed),
            _ => illegal,
        },
        E::Cancelled => match (delivery, state) {
            (_, S::Draft | S::Scheduled | S::Held | S::Preflight)
            | (D::Push, S::InitSent | S::Uploading)
            // Before TikTok has fetched everything it can be stopped, and says so.
            | (D::Pull, S::Processing) => Ok(S::Cancelled),
            _ => illegal,
        },
        E::Retried => match state {
            S::Failed | S::Missed | S::Cancelled => Ok(S::Scheduled),
            _ => illegal,
        },
        E::DeadlinePassed => match state {
            S::Scheduled | S::Held | S::Preflight => Ok(S::Missed),
            S::InInbox => Ok(S::Lapsed),
            S::Processing => Ok(S::Unconfirmed),
            _ => illegal,
        },
    }
}

/// Whether nothing more happens by itself.
pub fn is_final(state: PostState) -> bool {
    match state {
        PostState::Published
        | PostState::Failed
        | PostState::Cancelled
        | PostState::Missed
        | PostState::Lapsed => true,
        PostState::Draft
        | PostState::Scheduled
        | PostState::Held
        | PostState::Preflight
        | PostState::InitSent
        | PostState::Uploading
        | PostState::Processing
        | PostState::InInbox
        | PostState::Unconfirmed => false,
    }
}

/// The four words for people who want no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not begun.
    Scheduled,
    /// On its way, or in doubt.
    Running,
    /// Where it was meant to go.
    Finished,
    /// It will not get there by itself.
    Failed,
}

/// The phase of a state.
pub fn phase(state: PostState) -> Phase {
    match state {
        PostState::Draft | PostState::Scheduled | PostState::Held => Phase::Scheduled,
        PostState::Preflight
        | PostState::InitSent
        | PostState::Uploading
        | PostState::Processing
        | PostState::Unconfirmed => Phase::Running,
        PostState::InInbox | PostState::Published => Phase::Finished,
        PostState::Failed | PostState::Cancelled | PostState::Missed | PostState::Lapsed => {
            Phase::Failed
        }
    }
}

/// The states of a phase.
pub fn states_of(wanted: Phase) -> Vec<PostState> {
    PostState::iter()
        .filter(|state| phase(*state) == wanted)
        .collect()
}

/// Whether TikTok may hold the whole video: from here on nothing may be sent again blindly.
pub fn past_commit_point(state: PostState) -> bool {
    match state {
        PostState::Processing
        | PostState::InInbox
        | PostState::Published
        | PostState::Unconfirmed
        | PostState::Lapsed => true,
        PostState::Draft
        | PostState::Scheduled
        | PostState::Held
        | PostState::Preflight
        | PostState::InitSent
        | PostState::Uploading
        | PostState::Failed
        | PostState::Cancelled
        | PostState::Missed => false,
    }
}

#[cfg(test)]
mod tests;
