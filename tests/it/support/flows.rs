//! What the tests of posting, connecting and tokens share: reading the record, and time in small steps.

use std::time::Duration;

use clipqueue::{
    domain::{
        attempts,
        error::{Code, Error, Refusal},
        events,
        posts::NewPost,
    },
    job::{Job, Jobs},
    queue::{Run, steps::Steps},
    service,
};
use clipqueue_entities::{
    AccountId, MediaId, PostId, account_token, event, evidence, job,
    post::{self, PostState},
    post_attempt,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _,
};
use tiktok_sim::{Endpoint, Entry, Fault, FaultKind, LedgerFilter};

use super::app::{CLIP, TestApp};

/// Runs one test on both stacks; it is given the stack, to start the product with settings.
#[macro_export]
macro_rules! on_both_stacks_by_hand {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use $crate::support::app::Stack;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                super::$name(Stack::Embedded).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn servers() {
                super::$name(Stack::Servers).await;
            }
        }
    )+};
}

/// One simulated minute is over, and with it every rate limit's window.
pub(crate) const MINUTE: Duration = Duration::from_secs(61);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// How far off an instant may be to which time leaps while somebody waits for it: further off than the next
/// try of anything, and nearer than the end of any job's patience or lease.
const LEAP: Duration = Duration::from_secs(10);
/// How often the clocks are looked at, in real time.
const LOOK: Duration = Duration::from_millis(20);

/// The clip with a box of nothing behind it, `size` bytes in all.
pub(crate) fn long_clip(size: usize) -> Vec<u8> {
    let padding = u32::try_from(size - CLIP.len()).unwrap();
    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(CLIP);
    bytes.extend_from_slice(&padding.to_be_bytes());
    bytes.extend_from_slice(b"free");
    bytes.resize(size, 0);
    bytes
}

/// The refusals of a request that was refused.
pub(crate) fn refusals<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<Refusal> {
    match result {
        Err(Error::Refused(refusals)) => refusals,
        other => panic!("not refused: {other:?}"),
    }
}

/// The codes of those refusals.
pub(crate) fn codes<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<Code> {
    refusals(result)
        .into_iter()
        .map(|refusal| refusal.code)
        .collect()
}

impl TestApp {
    /// A connected creator and an uploaded clip.
    pub(crate) async fn ready(&self) -> (AccountId, MediaId) {
        (self.connect("creator").await.id, self.upload().await)
    }

    /// A direct post of a fresh creator.
    pub(crate) async fn direct_post(&self) -> post::Model {
        let (account, media) = self.ready().await;
        self.post(Self::direct(account, media)).await
    }

    /// A request with a caption of its own: the simulator takes equal captions for a double post.
    pub(crate) fn captioned(account: AccountId, media: MediaId, caption: &str) -> NewPost {
        NewPost {
            caption: caption.to_owned(),
            ..Self::direct(account, media)
        }
    }

    /// Drains while time leaps to whatever is waited for, for work that waits between two tries.
    pub(crate) async fn drain_in_time(&mut self) {
        let (sim, clock) = (self.sim.clone(), self.clock.clone());
        let ticking = async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let Some(instant) = clock.awaits() else {
                    continue;
                };
                let wait = instant.since(clock.now());
                if wait <= LEAP {
                    sim.clock().advance(wait);
                    clock.advance(wait);
                }
            }
        };
        tokio::select! {
            () = self.drain() => {}
            () = ticking => {}
        }
    }

    /// Runs what is due beside the test.
    pub(crate) fn drain_beside(&self) -> tokio::task::JoinHandle<()> {
        let app = self.app.clone();
        let runner = self.runner();
        tokio::spawn(async move {
            let catalogue = Jobs::new(&app.config.queue);
            app.queue.drain(&catalogue, &runner).await.unwrap();
        })
    }

    /// Lets time pass in steps of `step` until the post is in `state`; waits inside jobs pass too.
    pub(crate) async fn step_until(
        &mut self,
        id: PostId,
        state: PostState,
        step: Duration,
        steps: u32,
    ) {
        for _ in 0..steps {
            self.drain_in_time().await;
            if self.reload(id).await.state == state {
                return;
            }
            self.advance(step);
        }
        let post = self.reload(id).await;
        panic!(
            "the post is {:?} after {steps} steps, not {state:?}: {:?} {:?} hold {:?}",
            post.state, post.failure_code, post.failure_message, post.hold_reason
        );
    }

    /// Lets `time` pass in `steps`, running what comes due.
    pub(crate) async fn pass(&mut self, time: Duration, steps: u32) {
        for _ in 0..steps {
            self.advance(time / steps);
            self.drain().await;
        }
    }

    pub(crate) async fn attempts(&self, id: PostId) -> Vec<post_attempt::Model> {
        attempts::list(self.app.db.read(), id).await.unwrap()
    }

    pub(crate) async fn evidence(&self, id: PostId) -> Vec<evidence::Model> {
        evidence::Entity::find()
            .filter(evidence::Column::PostId.eq(id))
            .order_by_asc(evidence::Column::Id)
            .all(self.app.db.read())
            .await
            .unwrap()
    }

    pub(crate) async fn events(&self, id: PostId) -> Vec<event::Model> {
        events::after(self.app.db.read(), self.actor.user_id, Some(id), 0, 10_000)
            .await
            .unwrap()
    }

    /// The states that the post went through, as its events tell.
    pub(crate) async fn states(&self, id: PostId) -> Vec<String> {
        self.events(id)
            .await
            .iter()
            .filter(|event| event.kind == "post.state")
            .map(|event| event.data["to"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The jobs of a kind, oldest first.
    pub(crate) async fn jobs(&self, kind: &str) -> Vec<job::Model> {
        job::Entity::find()
            .filter(job::Column::Kind.eq(kind))
            .order_by_asc(job::Column::Id)
            .all(self.app.db.read())
            .await
            .unwrap()
    }

    /// The newest upload job of a post.
    pub(crate) async fn upload_job(&self, id: PostId) -> job::Model {
        let id = id.to_string();
        let mut jobs = self.jobs("upload_post").await;
        jobs.retain(|job| job.args["post_id"] == id.as_str());
        jobs.pop().unwrap()
    }

    pub(crate) async fn tokens(&self, account: AccountId) -> account_token::Model {
        account_token::Entity::find_by_id(account)
            .one(self.app.db.read())
            .await
            .unwrap()
            .unwrap()
    }

    /// Calls of an endpoint, in order.
    pub(crate) fn calls(&self, endpoint: Endpoint) -> Vec<Entry> {
        self.sim.ledger(&LedgerFilter {
            endpoint: Some(endpoint),
            ..LedgerFilter::default()
        })
    }

    /// How often a post with this caption reached an audience.
    pub(crate) fn appearances(&self, caption: &str) -> usize {
        self.sim
            .publishes()
            .iter()
            .filter(|published| published.caption == caption)
            .count()
    }

    /// An endpoint does something once.
    pub(crate) fn fault(&self, endpoint: Endpoint, kind: FaultKind) {
        self.sim.fault(Fault::once(endpoint, kind));
    }

    /// An endpoint does something until it is cleared.
    pub(crate) fn fault_always(&self, endpoint: Endpoint, kind: FaultKind) -> u64 {
        self.sim.fault(Fault::once(endpoint, kind).times(None))
    }

    /// The ordinary proof that a post went well: once at TikTok, and never more inits than attempts.
    pub(crate) async fn assert_published_once(&self, id: PostId) {
        let post = self.reload(id).await;
        assert_eq!(post.state, PostState::Published);
        assert_eq!(self.appearances(&post.caption), 1);
        let attempts = self.attempts(id).await;
        let inits = self
            .sim
            .inits()
            .iter()
            .filter(|init| init.caption == post.caption)
            .count();
        assert!(inits <= attempts.len(), "{inits} inits, {attempts:?}");
        let open = attempts.iter().filter(|one| one.open_key.is_some()).count();
        assert_eq!(open, 0, "{attempts:?}");
        assert!(attempts.iter().all(|one| one.upload_url_sealed.is_none()));
    }

    /// The queue's moves, one at a time.
    pub(crate) fn steps(&self) -> Steps {
        Steps::new(
            &self.app.queue,
            std::sync::Arc::new(Jobs::new(&self.app.config.queue)),
        )
    }

    /// Changes a row behind everybody's back, as only a test may.
    pub(crate) async fn overwrite(&self, id: PostId, edit: impl FnOnce(&mut post::ActiveModel)) {
        let mut row = self.reload(id).await.into_active_model();
        edit(&mut row);
        row.update(self.app.db.write()).await.unwrap();
    }

    /// Deletes the live job, as if it had been lost.
    pub(crate) async fn lose_job(&self, job: &Job) {
        let lost = job::Entity::delete_many()
            .filter(job::Column::UniqueKey.eq(job.unique_key()))
            .exec(self.app.db.write())
            .await
            .unwrap();
        assert_eq!(lost.rows_affected, 1, "{job:?} was not there");
    }

    /// Claims the job of the first due pointer and gives what its worker would be given.
    pub(crate) async fn claim_one(
        &self,
        steps: &mut Steps,
    ) -> (clipqueue::queue::steps::HeldJob, Run) {
        steps.relay().await.unwrap();
        let mut held = steps.fetch(1).await.unwrap();
        assert_eq!(held.len(), 1);
        let held = held.remove(0);
        let run = Run {
            job: held.job().clone(),
            lease: held.lease(),
        };
        (held, run)
    }

    /// The same for the due job of a kind; other due jobs are given back.
    pub(crate) async fn claim_kind(
        &self,
        steps: &mut Steps,
        kind: &str,
    ) -> (clipqueue::queue::steps::HeldJob, Run) {
        steps.relay().await.unwrap();
        let mut wanted = None;
        for held in steps.fetch(10).await.unwrap() {
            if wanted.is_none() && held.job().kind == kind {
                wanted = Some(held);
                continue;
            }
            let snoozed = Ok(clipqueue::queue::Outcome::Snooze(Duration::ZERO));
            steps.end(held, snoozed).await;
        }
        let held = wanted.unwrap_or_else(|| panic!("no {kind} is due"));
        let run = Run {
            job: held.job().clone(),
            lease: held.lease(),
        };
        (held, run)
    }

    /// The function that runs jobs.
    pub(crate) fn runner(&self) -> clipqueue::queue::Runner {
        service::runner(self.app.clone())
    }
}
