//! Chunks: from the saved offset to the last byte.
//!
//! Before the last chunk a lost answer is repaired in place: the same chunk is sent again, and
//! TikTok's 416 says where to go on. The last chunk is the commit point. That it starts is committed
//! first; when its answer is lost, or the process died after that commit, the post is UNCONFIRMED
//! and only TikTok's word moves it.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use clipqueue_entities::{
    AccountId, AttemptId, post,
    post_attempt::{self, AttemptPhase},
};
use futures::StreamExt as _;
use tiktok::{
    Chunk, ChunkPlan, Class, Endpoint, Error, UploadUrl,
    upload::{Accepted, ChunkBody, VideoType},
};

use super::super::{Halt, Step, prove};
use super::verdict::{self, Ended};
use crate::{
    app::App,
    calls::{Permit, Wait},
    crash::{self, Commit},
    domain::{
        attempts, lateness,
        post_change::{Change, Evidence},
        post_state::PostEvent,
        reconcile,
    },
    media::{Media, Reader},
    queue::Lease,
};

/// The upload host counts as an endpoint of its own.
const ENDPOINT: Endpoint = Endpoint::ChunkUpload;
/// How often one chunk is sent again before the job as a whole is tried later.
const CHUNK_TRIES: u32 = 3;
/// How often TikTok may name another place to go on from before a chunk is taken.
const RESYNCS: u32 = 3;
/// The wait before a chunk is sent again, times the tries so far.
const CHUNK_WAIT: Duration = Duration::from_secs(1);

/// How the sending of a chunk that is not the last ended.
enum Chunked {
    /// TikTok took it; go on from there.
    Taken(u64),
    /// TikTok wants to go on from elsewhere.
    Resync(u64),
    /// The job was told to stop. The offset is saved; the next run, if there is one, goes on from it.
    Stopped,
}

/// One upload under way.
struct Sending<'a> {
    app: &'a App,
    lease: &'a Lease,
    plan: ChunkPlan,
    url: UploadUrl,
    bytes: Reader,
    video_type: VideoType,
    account: AccountId,
    /// Leave for the first chunk; the others follow it.
    permit: Mutex<Option<Permit>>,
    /// The upload host is left alone for so long, as its last answer, or none, made known.
    resting: Mutex<Option<Wait>>,
}

pub(super) async fn run(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: post_attempt::Model,
) -> Step {
    if attempt.phase >= AttemptPhase::LastChunk {
        let evidence = Evidence::own("last_chunk.answer_lost");
        attempts::answer_lost(app, lease, post, &attempt, evidence).await?;
        return Ok(());
    }
    let Some(plan) = reconcile::chunk_plan(&attempt) else {
        return Err(Halt::retry(anyhow::anyhow!(
            "the attempt's chunk plan is not one"
        )));
    };
    let Some(url) = attempts::upload_url(app, &post, &attempt).await? else {
        // TikTok's address ended before the last chunk: nothing can be posted, so start anew.
        let change = Change::new(
            PostEvent::AttemptAbandoned,
            Evidence::own("upload_url.ended"),
        );
        let tx = attempts::fenced_unsent(app, lease, post.id, None).await?;
        attempts::close(app, tx, post, "upload_url_ended", None, change).await?;
        return Err(Halt::retry(anyhow::anyhow!(
            "TikTok's upload address ended; a new attempt follows"
        )));
    };
    let media = app
        .media
        .get(post.user_id, post.media_id)
        .await
        .map_err(anyhow::Error::from)?;
    let bytes = app
        .media
        .open(post.user_id, post.media_id)
        .await
        .map_err(anyhow::Error::from)?;
    let permit = match app.calls.ask(Some(post.account_id), &[ENDPOINT]).await {
        Ok(permit) => permit,
        Err(wait) => return Err(verdict::waits(app, lease, &post, wait).await),
    };
    let sending = Sending {
        app,
        lease,
        plan,
        url,
        video_type: video_type(&media),
        bytes,
        account: post.account_id,
        permit: Mutex::new(Some(permit)),
        resting: Mutex::new(None),
    };
    let ended = Box::pin(sending.all(post, attempt)).await;
    if let Some(permit) = take(&sending.permit) {
        // Nothing was sent; should it be the probe, somebody else may send one.
        app.calls.unused(permit).await;
    }
    ended
}

impl Sending<'_> {
    async fn all(&self, post: post::Model, mut attempt: post_attempt::Model) -> Step {
        let mut offset = u64::try_from(attempt.bytes_acked).unwrap_or_default();
        let mut resyncs = 0;
        while let Some(chunk) = self.plan.chunk_at(offset) {
            if self.lease.is_cancelled() {
                return Err(interrupted());
            }
            if chunk.is_last() {
                return Box::pin(self.last(chunk, post, attempt)).await;
            }
            offset = match self.repeated(chunk).await {
                Ok(Chunked::Taken(next)) => {
                    resyncs = 0;
                    next
                }
                Ok(Chunked::Resync(next)) => {
                    resyncs += 1;
                    next
                }
                Ok(Chunked::Stopped) => return Err(interrupted()),
                Err(error) => return Err(self.failed(post, None, error).await),
            };
            if resyncs > RESYNCS {
                return Err(Halt::retry(anyhow::anyhow!(
                    "TikTok takes no chunk and keeps naming another place to go on from"
                )));
            }
            attempt = attempts::acknowledged(self.app, self.lease, &post, &attempt, offset).await?;
        }
        // TikTok's progress says that it has all: nothing is left to send.
        let evidence = Evidence::own("upload.complete");
        attempts::sent(self.app, self.lease, post, &attempt, evidence).await?;
        Ok(())
    }

    fn rests(&self) -> bool {
        let slot = self.resting.lock();
        slot.unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Sends a chunk that is not the last, again after a fault.
    async fn repeated(&self, chunk: Chunk) -> Result<Chunked, Error> {
        let mut tries = 0;
        loop {
            // A chunk that is cut off here is sent again from its start.
            let sent = tokio::select! {
                sent = self.put(chunk) => sent,
                () = self.lease.cancelled() => return Ok(Chunked::Stopped),
            };
            let error = match sent {
                Ok(accepted) => return Ok(Chunked::Taken(accepted.next_offset)),
                Err(error) => error,
            };
            tries += 1;
            match error.class() {
                Class::UploadOutOfStep {
                    next_offset: Some(next),
                } => return Ok(Chunked::Resync(next)),
                Class::Ambiguous | Class::Transient | Class::RateLimited
                    if tries < CHUNK_TRIES && !self.lease.is_cancelled() && !self.rests() =>
                {
                    tracing::info!(chunk = chunk.index(), %error, "a chunk is sent again");
                    tokio::select! {
                        () = self.app.clock.sleep(CHUNK_WAIT * tries) => {}
                        () = self.lease.cancelled() => return Ok(Chunked::Stopped),
                    }
                }
                _ => return Err(error),
            }
        }
    }

    async fn last(&self, chunk: Chunk, post: post::Model, attempt: post_attempt::Model) -> Step {
        // Once its answer was lost before, a dead address may mean that TikTok has everything.
        let sent_before = attempt.last_chunk_at.is_some();
        if !sent_before
            && lateness::last_moment(&post, post.publish_at)
                .is_some_and(|last| last <= self.app.clock.now())
        {
            return Err(self.too_late(post).await?);
        }
        prove(self.lease, self.app).await?;
        let started = attempts::last_chunk_started(self.app, self.lease, &attempt).await?;
        let Some(attempt) = started else {
            return Err(interrupted());
        };
        match self.put(chunk).await {
            Ok(accepted) => {
                let evidence = Evidence::own("upload.complete")
                    .with("bytes", accepted.next_offset)
                    .with("complete", accepted.complete);
                attempts::sent(self.app, self.lease, post, &attempt, evidence).await?;
                Ok(())
            }
            Err(error) => Box::pin(self.last_failed(post, attempt, sent_before, error)).await,
        }
    }

    /// The post's own rule forbids to send it any more: without the last chunk TikTok posts nothing.
    async fn too_late(&self, post: post::Model) -> Step<Halt> {
        let change = Change::new(
            PostEvent::AttemptAbandoned,
            Evidence::own("upload.too_late"),
        );
        let tx = attempts::fenced(self.app, self.lease).await?;
        attempts::close(self.app, tx, post, "too_late", None, change).await?;
        // The next run ends it as its rule says.
        Ok(Halt::snooze(Duration::ZERO))
    }

    /// The last chunk did not end well. Only an answer that says so proves that it was not taken.
    async fn last_failed(
        &self,
        post: post::Model,
        attempt: post_attempt::Model,
        sent_before: bool,
        error: Error,
    ) -> Step {
        match error.class() {
            Class::UploadDead if !sent_before => {
                // TikTok refused this very chunk, and no earlier one can have completed the upload.
                Err(self.failed(post, Some(attempt.id), error).await)
            }
            Class::UploadOutOfStep {
                next_offset: Some(next),
            } if next < self.plan.size() => {
                self.back_to(attempt, next).await?;
                Err(Halt::retry(error))
            }
            Class::SourceFailed => {
                // Our own bytes could not be read, so TikTok cannot have the whole chunk.
                let offset = u64::try_from(attempt.bytes_acked).unwrap_or_default();
                self.back_to(attempt, offset).await?;
                Err(Halt::retry(error))
            }
            _ => {
                let evidence = Evidence::error("upload.last_chunk", &error);
                attempts::answer_lost(self.app, self.lease, post, &attempt, evidence).await?;
                Ok(())
            }
        }
    }

    async fn back_to(&self, attempt: post_attempt::Model, offset: u64) -> Step {
        let tx = attempts::fenced(self.app, self.lease).await?;
        if !attempts::in_last_chunk_in_tx(&tx, &attempt).await? {
            // Somebody else has taken the matter up: TikTok is asked.
            tx.rollback().await?;
            return Ok(());
        }
        let offset = i64::try_from(offset).unwrap_or_default();
        attempts::resume_in_tx(&tx, attempt.id, offset).await?;
        crash::commit(tx, Commit::UploadRewound).await?;
        Ok(())
    }

    /// An error before the commit point that repeating the chunk did not cure.
    async fn failed(&self, post: post::Model, reached: Option<AttemptId>, error: Error) -> Halt {
        match error.class() {
            // The attempt and its offset are kept: the job comes back and goes on.
            Class::Ambiguous
            | Class::Transient
            | Class::RateLimited
            | Class::SourceFailed
            | Class::UploadOutOfStep { .. } => match take(&self.resting) {
                Some(wait) => verdict::waits(self.app, self.lease, &post, wait).await,
                None => Halt::retry(error),
            },
            _ => {
                let ended = Ended {
                    endpoint: ENDPOINT,
                    error,
                    generation: None,
                    resting: None,
                    reached,
                };
                verdict::attempt_ended(self.app, self.lease, post, ended).await
            }
        }
    }

    async fn put(&self, chunk: Chunk) -> Result<Accepted, Error> {
        let bytes = self
            .bytes
            .read_range(chunk.first()..chunk.first() + chunk.len());
        // A process that sleeps within a chunk and wakes up late must not send the rest of it.
        let lease = self.lease.clone();
        let bytes = bytes.map(move |piece| match lease.is_believed() {
            true => piece,
            false => Err(io::Error::other("the lease ran out within the chunk")),
        });
        let body = ChunkBody::stream(bytes);
        let answered = self
            .app
            .tiktok
            .upload_chunk(&self.url, chunk, self.video_type, body)
            .await;
        let (calls, account) = (&self.app.calls, Some(self.account));
        let resting = match take(&self.permit) {
            Some(mut permit) => calls.heard(&mut permit, ENDPOINT, &answered).await,
            None => calls.overheard(account, ENDPOINT, &answered).await,
        };
        if let Some(wait) = resting {
            let mut slot = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
            *slot = Some(wait);
        }
        answered.map(|answer| answer.value)
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The job comes back at once, unless it was told to stop for good.
fn interrupted() -> Halt {
    Halt::snooze(Duration::ZERO)
}

fn video_type(media: &Media) -> VideoType {
    match media.content_type.as_deref() {
        Some("video/quicktime") => VideoType::QuickTime,
        Some("video/webm") => VideoType::WebM,
        _ => VideoType::Mp4,
    }
}
