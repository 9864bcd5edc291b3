//! A process that dies before and after each call to TikTok and each commit, and the next one.
//!
//! For every point of `clipqueue::crash` a run is named here that meets it: the match is exhaustive,
//! so a new call or commit does not compile until somebody says how it is met. A run starts the
//! program, lets it die there by `kill -9`, starts it again and judges by the simulator's ledger: the
//! post reached its end, it was published once, or never when that is its end, no rule of TikTok's was
//! broken, and our record has a proof of each state.

mod hand;
mod run;
mod stage;
mod story;

use std::{any::Any, panic::AssertUnwindSafe};

use clipqueue::crash::{Commit, Point, Side, Step};
use futures::{FutureExt as _, StreamExt as _, stream};
use tiktok::Endpoint;
use tokio::time::Instant;

use self::{run::live_through, story::Story};
use crate::support::app::Stack;

/// Runs at the same time: most of each is waiting for a lease to run out.
const AT_ONCE: usize = 8;

/// How a point is met.
enum Met {
    /// By this story, where the process passes the point for the nth time.
    By(Story, &'static [u32]),
    /// By two stories, in which it is passed with different things at stake.
    ByBoth([Story; 2], &'static [u32]),
    /// No call and no commit of a post's way.
    Nowhere,
}

fn met(step: Step) -> Met {
    use Met::{By, ByBoth, Nowhere};
    match step {
        Step::Call(call) => match call {
            // The API asks before it accepts a post, the worker before it sends it.
            Endpoint::CreatorInfo => By(Story::Direct, &[1, 2]),
            Endpoint::VideoInit | Endpoint::ChunkUpload | Endpoint::StatusFetch => {
                By(Story::Direct, &[1])
            }
            Endpoint::InboxVideoInit => By(Story::Inbox, &[1]),
            Endpoint::Token => By(Story::RejectedToken, &[1]),
            Endpoint::PhotoInit => By(Story::Photos, &[1]),
            Endpoint::Cancel => By(Story::Stopped, &[1]),
            Endpoint::VideoList => By(Story::Doubted, &[1]),
            Endpoint::UserInfo => By(Story::Connecting, &[1]),
            // By `super::erasure`, which is no way of a post.
            Endpoint::Revoke => Nowhere,
            // The client has it, and nothing in the program calls it.
            Endpoint::VideoQuery => Nowhere,
        },
        // By `super::imports`, as all of an import.
        Step::Fetch => Nowhere,
        Step::Commit(commit) => match commit {
            Commit::PostAccepted
            | Commit::AttemptOpened
            | Commit::InitAccepted
            | Commit::LastChunkStarted
            | Commit::BytesAcknowledged => By(Story::Direct, &[1]),
            Commit::CreatorRemembered => By(Story::Direct, &[1, 2]),
            // The upload job, then the poll.
            Commit::JobsDispatched | Commit::JobsClaimed | Commit::JobsSettled => {
                By(Story::Direct, &[1, 2])
            }
            // Taken up, then published.
            Commit::PostChanged => By(Story::Direct, &[1, 2]),
            Commit::PostSubmitted => By(Story::Draft, &[1]),
            Commit::ChunkAcknowledged => By(Story::Chunks, &[1]),
            Commit::AnswerLost => By(Story::AnswerLost, &[1]),
            Commit::ProcessingConfirmed => By(Story::AnswerLost, &[1]),
            Commit::UploadResumed => By(Story::ChunkLost, &[1]),
            Commit::UploadRewound => By(Story::MediaAway, &[1]),
            Commit::TriedAgain => By(Story::TiktokFails, &[1]),
            Commit::TokenSuspected | Commit::RefreshBegun | Commit::TokensStored => {
                By(Story::RejectedToken, &[1])
            }
            Commit::RefreshUndone => By(Story::RefreshRefused, &[1]),
            Commit::GrantEnded => By(Story::GrantOver, &[1]),
            Commit::RefreshesAsked => By(Story::TokenEnds, &[1]),
            Commit::DeadlinePassed => By(Story::DraftLapses, &[1]),
            Commit::EventNoted => By(Story::Stuck, &[1]),
            Commit::DeadlineMoved => By(Story::StuckForADay, &[1]),
            Commit::JobsRescued => By(Story::Rescue, &[1]),
            Commit::PhotoAsked | Commit::PhotoServed => By(Story::Photos, &[1]),
            Commit::NeverFetched => By(Story::PhotosLost, &[1]),
            Commit::PublishIdKept => By(Story::JobLost, &[1]),
            Commit::StopAsked => By(Story::Stopped, &[1]),
            // The draft is in the inbox, then its creator has posted it.
            Commit::NoticeTaken => By(Story::Told, &[1, 2]),
            Commit::NoticeFollowed => By(Story::Told, &[1, 2]),
            Commit::NoticeAnswered => By(Story::Told, &[1]),
            Commit::VideosSuggested | Commit::WordTaken => By(Story::Doubted, &[1]),
            Commit::PostEdited | Commit::PostRetried => By(Story::ChangedMind, &[1]),
            // Before anything was sent, and while TikTok fetches photos.
            Commit::PostStopped => ByBoth([Story::ChangedMind, Story::Stopped], &[1]),
            Commit::SendingGivenUp => By(Story::GivenUp, &[1]),
            // By `super::erasure`, which is no way of a post.
            Commit::ErasureAccepted
            | Commit::ErasureStepDone
            | Commit::RowsErased
            | Commit::ErasureCompleted => Nowhere,
            // By `super::imports`, which is no way of a post.
            Commit::ImportAccepted
            | Commit::ImportReserved
            | Commit::ImportRestarted
            | Commit::ImportEnded => Nowhere,
            Commit::OrphanAdopted => By(Story::Orphan, &[1]),
            // A question is let go when its deadline passes; a post that nobody let go is found.
            Commit::PostsReleased => ByBoth([Story::Stuck, Story::Stranded], &[1]),
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_may_die_anywhere() {
    everywhere(Stack::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_on_servers_may_die_anywhere() {
    everywhere(Stack::Servers).await;
}

async fn everywhere(stack: Stack) {
    let mut runs = Vec::new();
    for point in Point::all() {
        let (stories, times) = match met(point.step) {
            Met::By(story, times) => (vec![story], times),
            Met::ByBoth(stories, times) => (stories.to_vec(), times),
            Met::Nowhere => continue,
        };
        for story in stories {
            runs.extend(times.iter().map(|nth| (point, *nth, story)));
        }
    }
    let started = Instant::now();
    let count = runs.len();
    let failed: Vec<String> = stream::iter(runs)
        .map(|(point, nth, story)| async move {
            let run = live_through(stack, point, nth, story);
            match AssertUnwindSafe(run).catch_unwind().await {
                Ok(()) => None,
                Err(panic) => Some(format!("{point}:{nth}: {}", text(&*panic))),
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(async |failed| failed)
        .collect()
        .await;
    println!(
        "{stack:?}: {count} deaths, {} s",
        started.elapsed().as_secs()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
}

/// Whether the process dies with the new pair of tokens in its hands.
fn expects_a_consent(point: Point) -> bool {
    // TikTok gave a new pair and nobody wrote it down, so the old one is dead.
    let (step, side) = (point.step, point.side);
    (step == Step::Call(Endpoint::Token) && side == Side::After)
        || (step == Step::Commit(Commit::TokensStored) && side == Side::Before)
}

/// Whether the process dies knowing alone that TikTok rejected the token.
fn forgets_a_refusal(point: Point) -> bool {
    point.step == Step::Commit(Commit::TokenSuspected) && point.side == Side::Before
}
