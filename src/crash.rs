//! Crash points: named places at which a process can be told to die, as by `kill -9`.
//!
//! Before and after every call to TikTok and every commit on the way of a post, of a poll, of a token
//! and of an import stands such a point, so that tests can end the process exactly there and see what the next
//! one makes of it. A point costs one load of a flag. It does nothing unless `debug.crash_at` names
//! it, and the configuration refuses that key for anything but a server on this machine that talks
//! to the simulator.
//!
//! [`Point::all`] is the list. A call gets its points by being made through [`crate::remote`]; a
//! commit by being made through [`commit`], or for a single statement through [`around`]. Tests read
//! the sources for commits that go past them. It knows nothing of what is called or written.

use std::{
    fmt,
    future::Future,
    str::FromStr,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sea_orm::{DatabaseTransaction, DbErr};
use tiktok::Endpoint;

macro_rules! commits {
    ($($(#[$doc:meta])+ $variant:ident => $label:literal,)+) => {
        /// A commit that others rely on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Commit {
            $($(#[$doc])+ $variant,)+
        }

        impl Commit {
            /// Every commit, roughly in the order of a post's way.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// A short stable name.
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                }
            }
        }
    };
}

commits! {
    /// A request for a post was accepted.
    PostAccepted => "post_accepted",
    /// A draft was sent on its way.
    PostSubmitted => "post_submitted",
    /// Somebody changed what a post says or when it goes.
    PostEdited => "post_edited",
    /// The owner stopped a post, or asked its worker to.
    PostStopped => "post_stopped",
    /// The owner asked for another try.
    PostRetried => "post_retried",
    /// Rows became pointers, which are delivered next.
    JobsDispatched => "jobs_dispatched",
    /// Pointers became jobs that run here.
    JobsClaimed => "jobs_claimed",
    /// A post changed its state, and an open attempt was closed with it.
    PostChanged => "post_changed",
    /// What TikTok says of a creator was remembered.
    CreatorRemembered => "creator_remembered",
    /// An attempt is on record; init may follow.
    AttemptOpened => "attempt_opened",
    /// That TikTok asks for a photo is on record; its bytes may follow.
    PhotoAsked => "photo_asked",
    /// What went out of a photo is on record.
    PhotoServed => "photo_served",
    /// A publish id that came too late for its worker is on record.
    PublishIdKept => "publish_id_kept",
    /// TikTok's answer to a stop is on record.
    StopAsked => "stop_asked",
    /// No photo was fetched while it could be: the post is over.
    NeverFetched => "never_fetched",
    /// The publish id and the upload address are on record.
    InitAccepted => "init_accepted",
    /// TikTok's progress is on record.
    ChunkAcknowledged => "chunk_acknowledged",
    /// The last chunk is about to be sent.
    LastChunkStarted => "last_chunk_started",
    /// TikTok has every byte, and somebody asks how it fares.
    BytesAcknowledged => "bytes_acknowledged",
    /// The answer to the last chunk was lost, and somebody asks.
    AnswerLost => "answer_lost",
    /// The last chunk was provably not taken.
    UploadRewound => "upload_rewound",
    /// TikTok says that it lacks bytes.
    UploadResumed => "upload_resumed",
    /// TikTok says that it has all bytes, after our own word for it was lost.
    ProcessingConfirmed => "processing_confirmed",
    /// TikTok failed the post for a reason of its own, and it is tried again.
    TriedAgain => "tried_again",
    /// A webhook of TikTok's is on record, with the job that sees to it.
    NoticeTaken => "notice_taken",
    /// A notice found its post, or what it says became known.
    NoticeFollowed => "notice_followed",
    /// A question about a publish that a notice told of was answered.
    NoticeAnswered => "notice_answered",
    /// A person said what became of a post.
    WordTaken => "word_taken",
    /// Videos that may be a post's are on record.
    VideosSuggested => "videos_suggested",
    /// An event without a change of state.
    EventNoted => "event_noted",
    /// A deadline was moved.
    DeadlineMoved => "deadline_moved",
    /// A post ended by its deadline.
    DeadlinePassed => "deadline_passed",
    /// The sending of a post was given up past its commit point.
    SendingGivenUp => "sending_given_up",
    /// A post without a job got one.
    OrphanAdopted => "orphan_adopted",
    /// Posts of a connected account were let go.
    PostsReleased => "posts_released",
    /// A token is not to be used, or ends too soon for somebody, and a refresh is asked for.
    TokenSuspected => "token_suspected",
    /// A refresh is about to be sent.
    RefreshBegun => "refresh_begun",
    /// A refresh was provably not processed.
    RefreshUndone => "refresh_undone",
    /// A new pair of tokens is on record.
    TokensStored => "tokens_stored",
    /// Refreshes of tokens that end soon were asked for.
    RefreshesAsked => "refreshes_asked",
    /// The creator's grant is over.
    GrantEnded => "grant_ended",
    /// A file to fetch was accepted.
    ImportAccepted => "import_accepted",
    /// Room for a file that is fetched is reserved.
    ImportReserved => "import_reserved",
    /// An import begins anew: the file at its address is another one.
    ImportRestarted => "import_restarted",
    /// An import is over.
    ImportEnded => "import_ended",
    /// An erasure was accepted, and whom it concerns is fenced.
    ErasureAccepted => "erasure_accepted",
    /// A step of an erasure is done.
    ErasureStepDone => "erasure_step_done",
    /// Some rows of an erasure are gone.
    RowsErased => "rows_erased",
    /// An erasure is complete and its receipt is signed.
    ErasureCompleted => "erasure_completed",
    /// Jobs were ended or put back.
    JobsSettled => "jobs_settled",
    /// Jobs of a lost process were put back.
    JobsRescued => "jobs_rescued",
}

/// What lies between the two points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A call to TikTok.
    Call(Endpoint),
    /// A file is asked for at its owner's address.
    Fetch,
    /// A commit.
    Commit(Commit),
}

/// On which side of a step a point lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// It has not begun.
    Before,
    /// It is done, and nobody has seen the result.
    After,
}

/// A crash point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Point {
    /// The step.
    pub step: Step,
    /// The side.
    pub side: Side,
}

impl Point {
    /// Every point there is.
    pub fn all() -> Vec<Self> {
        let calls = Endpoint::ALL.iter().copied().map(Step::Call);
        let commits = Commit::ALL.iter().copied().map(Step::Commit);
        calls
            .chain([Step::Fetch])
            .chain(commits)
            .flat_map(|step| [Side::Before, Side::After].map(|side| Self { step, side }))
            .collect()
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Before => "before",
            Side::After => "after",
        };
        match self.step {
            Step::Call(endpoint) => write!(f, "{side}.call.{}", endpoint.label()),
            Step::Fetch => write!(f, "{side}.fetch"),
            Step::Commit(commit) => write!(f, "{side}.commit.{}", commit.label()),
        }
    }
}

/// A point, and which time the process passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashAt {
    /// The point.
    pub point: Point,
    /// The first time is 1.
    pub nth: u32,
}

impl FromStr for CrashAt {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, nth) = match text.split_once(':') {
            Some((name, nth)) => (name, nth.parse().map_err(|_| ())?),
            None => (text, 1),
        };
        let point = Point::all()
            .into_iter()
            .find(|point| point.to_string() == name);
        match point {
            Some(point) if nth > 0 => Ok(Self { point, nth }),
            _ => Err(()),
        }
    }
}

struct Armed {
    at: CrashAt,
    passed: AtomicU32,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Lets this process die at `at`. Only the first call of a process counts.
pub fn arm(at: CrashAt) {
    tracing::warn!(point = %at.point, nth = at.nth, "this process is told to die there");
    let _ = ARMED.set(Armed {
        at,
        passed: AtomicU32::new(0),
    });
}

/// The process passes a point.
fn pass(step: Step, side: Side) {
    if let Some(armed) = ARMED.get()
        && armed.at.point == (Point { step, side })
        && armed.passed.fetch_add(1, Ordering::Relaxed) + 1 == armed.at.nth
    {
        die(armed.at.point);
    }
}

fn die(point: Point) -> ! {
    eprintln!("clipqueue: the process dies at {point}, as it was told to");
    #[cfg(unix)]
    {
        let own = rustix::process::getpid();
        let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    }
    std::process::abort()
}

/// Carries out a step between its two points.
pub async fn around<T>(step: Step, work: impl Future<Output = T>) -> T {
    pass(step, Side::Before);
    let done = work.await;
    pass(step, Side::After);
    done
}

/// Commits `tx` between the two points of `commit`.
pub async fn commit(tx: DatabaseTransaction, commit: Commit) -> Result<(), DbErr> {
    around(Step::Commit(commit), tx.commit()).await
}

/// Carries out a single writing statement, which is a commit of its own, between the two points of `commit`.
pub async fn write<T>(commit: Commit, statement: impl Future<Output = T>) -> T {
    around(Step::Commit(commit), statement).await
}
