//! What is going on when the process dies: the stories, and what is the same in all runs of one.

use std::time::Duration;

use super::super::client::Kind;

/// What is going on when the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    /// A direct post that goes well.
    Direct,
    /// A post to the inbox that goes well.
    Inbox,
    /// A draft is submitted.
    Draft,
    /// A direct post in two chunks.
    Chunks,
    /// TikTok took the last chunk and its answer is lost.
    AnswerLost,
    /// The last chunk is lost.
    ChunkLost,
    /// Our own storage cannot be read.
    MediaAway,
    /// TikTok fails the post for a reason of its own.
    TiktokFails,
    /// TikTok rejects the token, so it is refreshed.
    RejectedToken,
    /// The same, and TikTok has no time for the refresh.
    RefreshRefused,
    /// The creator removed the app.
    GrantOver,
    /// The token is about to end.
    TokenEnds,
    /// Nobody finishes a draft.
    DraftLapses,
    /// TikTok processes for ever.
    Stuck,
    /// The same, until the doubt is brought up again.
    StuckForADay,
    /// A process dies before, and its jobs are rescued.
    Rescue,
    /// TikTok fetches photos.
    Photos,
    /// TikTok never heard of an init of photos, and the answer was lost.
    PhotosLost,
    /// The worker loses its job while TikTok answers an init of photos.
    JobLost,
    /// The owner stops photos that TikTok is fetching.
    Stopped,
    /// TikTok tells by webhooks that a draft arrived, and that its creator posted it.
    Told,
    /// TikTok's status says nothing, and another post might be the same video.
    Doubted,
    /// The owner edits, stops and retries a post before its time.
    ChangedMind,
    /// A creator connects.
    Connecting,
    /// Nobody goes on with an upload whose last chunk was sent.
    GivenUp,
    /// A post loses its job.
    Orphan,
    /// A post is held for want of a grant, and nobody let it go when the creator connected.
    Stranded,
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// Between two steps of the clocks whoever looks at them has a moment for it.
const MOMENT: Duration = Duration::from_millis(300);
/// Long enough between two steps for leases to be renewed and a refresh to be made.
const LONG_MOMENT: Duration = Duration::from_millis(2_400);
/// Between two looks at a process and its post.
const LOOK: Duration = Duration::from_millis(50);

fn is_at_tiktok(state: &str) -> bool {
    ["PROCESSING", "UNCONFIRMED"].contains(&state)
}

impl Story {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Inbox | Self::DraftLapses | Self::Told => Kind::Inbox,
            _ => Kind::Direct,
        }
    }

    /// Whether photos are posted.
    pub(super) fn has_photos(self) -> bool {
        matches!(
            self,
            Self::Photos | Self::PhotosLost | Self::JobLost | Self::Stopped
        )
    }

    /// The state in which the post ends.
    pub(super) fn end(self) -> &'static str {
        match self {
            Self::DraftLapses => "LAPSED",
            Self::Stuck | Self::StuckForADay => "UNCONFIRMED",
            Self::Stopped => "CANCELLED",
            Self::Told => "PUBLISHED",
            _ => self.kind().end(),
        }
    }

    /// Whether the post may fail or be stopped on its way to that end: somebody tries it again.
    pub(super) fn is_tried_again(self) -> bool {
        match self {
            Self::ChangedMind => true,
            _ => self.has_photos() && self != Self::Stopped,
        }
    }

    /// How far the clocks are set forward each time until the process dies, when the post is in
    /// `state`, and how long it is then waited.
    pub(super) fn step(self, state: &str) -> (Duration, Duration) {
        match self {
            // Once the post rests, so that the clocks jump over no call of its way.
            Self::TokenEnds if state == self.end() => (minutes(5), MOMENT),
            Self::DraftLapses if state == "IN_INBOX" => (minutes(1), MOMENT),
            Self::Stuck if is_at_tiktok(state) => (minutes(1), MOMENT),
            Self::StuckForADay if is_at_tiktok(state) => (minutes(360), LONG_MOMENT),
            Self::GivenUp | Self::Orphan | Self::Stranded => (minutes(1), MOMENT),
            _ => self.step_to_the_end(state),
        }
    }

    /// The same on the way from the death to the end.
    pub(super) fn step_to_the_end(self, state: &str) -> (Duration, Duration) {
        match self {
            // Until the addresses of the photos have ended.
            _ if self.is_tried_again() && self.has_photos() && state == "UNCONFIRMED" => {
                (minutes(30), MOMENT)
            }
            // Until the list of videos is looked at.
            Self::Doubted if state == "UNCONFIRMED" => (minutes(1), MOMENT),
            _ => (Duration::ZERO, LOOK),
        }
    }

    /// Whether the database is changed behind the program's back, so that the post's state has no
    /// event.
    pub(super) fn forges_a_state(self) -> bool {
        self == Self::Stranded
    }

    /// How often something of the creator's is to reach an inbox or an audience by our doing.
    pub(super) fn appearances(self) -> usize {
        match self {
            Self::Stuck | Self::StuckForADay | Self::Stopped => 0,
            // The other post is a draft.
            Self::Doubted => 2,
            _ => 1,
        }
    }
}
