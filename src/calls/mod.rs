//! Leave to call TikTok: every call asks for it before, and says afterwards how it ended.
//!
//! Leave is refused when the endpoint rests after failures ([`breaker`]) or when a budget is used up
//! ([`budgets`]). What is counted and what is remembered is shared by all processes through the
//! transport. Without the transport nobody counts, so whatever has a budget waits; breakers then go on
//! with what this process saw itself.
//!
//! It knows no post and no job. What a caller does about a refusal is the caller's business; refusals
//! spend nothing.

pub mod breaker;
pub mod budgets;
pub mod health;
mod leave;
mod shared;

use std::time::Duration;

use clipqueue_entities::AccountId;
use tiktok::{Class, Endpoint, limits::RATE_WINDOW};

pub use self::leave::{BreakerView, Cause, Permit, Wait};
use self::{
    breaker::{Health, Look, Turn},
    leave::Granted,
    shared::Breakers,
};
use crate::{
    clock::Clock,
    queue::{
        Queue,
        transport::{Acquired, Budget, Standing, TransportError, Use, Used},
    },
};

/// The wait for a budget that cannot be asked for: outages of Redis are over in seconds.
const UNCOUNTED_WAIT: Duration = Duration::from_secs(5);
/// After TikTok said "too many calls" its whole window must pass, and a little.
const REFUSED_WAIT: Duration = Duration::from_secs(RATE_WINDOW.as_secs() + 1);

/// Leave to call, and who keeps count.
#[derive(Clone, Debug)]
pub struct Calls {
    queue: Queue,
    clock: Clock,
    breakers: Breakers,
}

impl Calls {
    /// Counts on the transport of `queue`.
    pub fn new(queue: Queue, clock: Clock) -> Self {
        Self {
            breakers: Breakers::new(queue.clone()),
            queue,
            clock,
        }
    }

    /// Asks for leave to call each of `endpoints` once: for all of them, or for none.
    pub async fn ask(
        &self,
        account: Option<AccountId>,
        endpoints: &[Endpoint],
    ) -> Result<Permit, Wait> {
        for endpoint in endpoints {
            self.resting(account, *endpoint).await?;
        }
        let budget_of = |endpoint: &Endpoint| budgets::of(*endpoint, account);
        let budgets: Vec<Budget> = endpoints.iter().filter_map(budget_of).collect();
        let of = match budgets.is_empty() {
            true => None,
            false => Some(self.acquire(&budgets, endpoints, account).await?),
        };
        let mut permit = Permit {
            account,
            calls: Vec::with_capacity(endpoints.len()),
            of,
        };
        let mut refused = None;
        for endpoint in endpoints {
            let probe = match refused {
                Some(_) => None,
                None => self.probe(account, *endpoint).await.unwrap_or_else(|wait| {
                    refused = Some(wait);
                    None
                }),
            };
            permit.calls.push(Granted {
                endpoint: *endpoint,
                budget: budget_of(endpoint),
                probe,
            });
        }
        match refused {
            None => Ok(permit),
            Some(wait) => {
                self.unused(permit).await;
                Err(wait)
            }
        }
    }

    /// Whether `endpoint` rests for an account. Takes nothing.
    pub async fn resting(
        &self,
        account: Option<AccountId>,
        endpoint: Endpoint,
    ) -> Result<(), Wait> {
        let now = self.clock.now();
        let breaker = self.breakers.read(endpoint).await;
        let who = who(account);
        match breaker.look(now, who) {
            Look::Go | Look::MayProbe => Ok(()),
            Look::Wait(until) => Err(Wait::of(endpoint, &breaker, who, until.since(now))),
        }
    }

    /// What somebody waits for who needs what others get from `endpoint`, such as a token: nothing while
    /// the endpoint works.
    pub async fn trouble(&self, account: Option<AccountId>, endpoint: Endpoint) -> Option<Wait> {
        let now = self.clock.now();
        let breaker = self.breakers.read(endpoint).await;
        let who = who(account);
        let wait = match breaker.look(now, who) {
            Look::Go => return None,
            // Somebody's probe goes out any moment; its answer decides.
            Look::MayProbe => breaker::FIRST_GAP,
            Look::Wait(until) => until.since(now),
        };
        Some(Wait::of(endpoint, &breaker, who, wait))
    }

    /// Takes the probe if the endpoint rests and its time has come; nothing when it does not rest.
    async fn probe(
        &self,
        account: Option<AccountId>,
        endpoint: Endpoint,
    ) -> Result<Option<u32>, Wait> {
        let (now, who) = (self.clock.now(), who(account));
        self.breakers
            .change(endpoint, |breaker| match breaker.look(now, who) {
                Look::Go => Ok(None),
                Look::MayProbe => Ok(breaker.begin_probe(now, who)),
                Look::Wait(until) => Err(Wait::of(endpoint, breaker, who, until.since(now))),
            })
            .await
    }

    async fn acquire(
        &self,
        budgets: &[Budget],
        endpoints: &[Endpoint],
        account: Option<AccountId>,
    ) -> Result<Use, Wait> {
        match self
            .queue
            .transport()
            .acquire(budgets, self.clock.counted())
            .await
        {
            Ok(Acquired::Granted(of)) => Ok(of),
            Ok(Acquired::Wait(wait)) => {
                let standing = self.standing(account, endpoints).await.unwrap_or_default();
                // Which of them it is only matters to the reader: the first that is used up.
                let full = standing
                    .iter()
                    .find(|(_, limit, standing)| standing.used >= *limit);
                let endpoint = full.map_or(endpoints[0], |(endpoint, ..)| *endpoint);
                Err(Wait {
                    cause: Cause::Budget(endpoint),
                    wait,
                })
            }
            Err(error) => {
                tracing::warn!(%error, "calls to TikTok cannot be counted and have to wait");
                Err(Wait {
                    cause: Cause::Uncounted,
                    wait: UNCOUNTED_WAIT,
                })
            }
        }
    }

    /// Says how a call ended. Gives the wait when its endpoint rests now: whoever meant to try again
    /// waits with the others, and has spent nothing.
    pub async fn heard<T>(
        &self,
        permit: &mut Permit,
        endpoint: Endpoint,
        ended: &Result<T, tiktok::Error>,
    ) -> Option<Wait> {
        let place = permit
            .calls
            .iter()
            .position(|granted| granted.endpoint == endpoint);
        let granted = place.map(|place| permit.calls.swap_remove(place));
        let budget = granted.as_ref().and_then(|granted| granted.budget.clone());
        if let (Some(budget), Some(of)) = (&budget, permit.of) {
            // TikTok counted it when it arrived, which was no later than now.
            let keys = [budget.key.clone()];
            let settled = self.queue.transport();
            let settled = settled
                .settle_use(&keys, of, Used::Made, self.clock.counted())
                .await;
            told(settled);
        }
        if let Err(error) = ended
            && error.class() == Class::RateLimited
            && let Some(budget) = budgets::of(endpoint, permit.account)
        {
            tracing::warn!(%endpoint, "TikTok says that a budget is used up");
            metrics::counter!("clipqueue_budget_corrections_total", "budget" => endpoint.label())
                .increment(1);
            let spent = self.queue.transport();
            told(
                spent
                    .spend(&budget, REFUSED_WAIT, self.clock.counted())
                    .await,
            );
        }
        let probe = granted.and_then(|granted| granted.probe);
        self.report(endpoint, permit.account, ended, probe).await
    }

    /// The same for a call that needed no leave, such as one chunk of many.
    pub async fn overheard<T>(
        &self,
        account: Option<AccountId>,
        endpoint: Endpoint,
        ended: &Result<T, tiktok::Error>,
    ) -> Option<Wait> {
        self.report(endpoint, account, ended, None).await
    }

    async fn report<T>(
        &self,
        endpoint: Endpoint,
        account: Option<AccountId>,
        ended: &Result<T, tiktok::Error>,
        probe: Option<u32>,
    ) -> Option<Wait> {
        let health = health::of(ended);
        let (now, who) = (self.clock.now(), who(account));
        let (turn, wait) = self
            .breakers
            .change(endpoint, |breaker| {
                let turn = breaker.hear(now, health, who, probe);
                let wait = match (ended, breaker.look(now, who)) {
                    (Err(_), Look::Wait(until)) => {
                        Some(Wait::of(endpoint, breaker, who, until.since(now)))
                    }
                    _ => None,
                };
                Ok::<_, std::convert::Infallible>((turn, wait))
            })
            .await
            .unwrap_or((Turn::None, None));
        match (turn, wait.map(|wait| wait.cause)) {
            (Turn::Opened | Turn::Reopened, Some(Cause::ClientRefused)) => tracing::error!(
                %endpoint,
                "TikTok refuses the app itself: check tiktok.client_key and tiktok.client_secret; \
                 what would fail is paused and no account is touched"
            ),
            (Turn::Opened, _) => {
                tracing::error!(%endpoint, "TikTok is in trouble: the endpoint is left alone");
            }
            (Turn::Reopened, _) => tracing::warn!(%endpoint, "TikTok is still in trouble"),
            (Turn::Closed, _) => tracing::info!(%endpoint, "TikTok answers again"),
            (Turn::None, _) => {}
        }
        // Trouble that is not counted as trouble of the endpoint is the caller's own affair.
        wait.filter(|_| matches!(health, Health::Bad | Health::ClientRefused))
    }

    /// Gives back leave that was not used.
    pub async fn unused(&self, permit: Permit) {
        let keys: Vec<String> = permit
            .calls
            .iter()
            .filter_map(|granted| granted.budget.as_ref().map(|budget| budget.key.clone()))
            .collect();
        if let Some(of) = permit.of
            && !keys.is_empty()
        {
            let settled = self.queue.transport();
            told(
                settled
                    .settle_use(&keys, of, Used::Unmade, self.clock.counted())
                    .await,
            );
        }
        let now = self.clock.now();
        for granted in permit.calls {
            if let Some(probe) = granted.probe {
                let _ = self
                    .breakers
                    .change(granted.endpoint, |breaker| {
                        breaker.give_up_probe(now, probe);
                        Ok::<_, std::convert::Infallible>(())
                    })
                    .await;
            }
        }
    }

    /// How the budgets of these endpoints stand: the endpoint, its limit, and what is used.
    pub async fn standing(
        &self,
        account: Option<AccountId>,
        endpoints: &[Endpoint],
    ) -> Result<Vec<(Endpoint, u32, Standing)>, TransportError> {
        let limited: Vec<(Endpoint, Budget)> = endpoints
            .iter()
            .filter_map(|endpoint| Some((*endpoint, budgets::of(*endpoint, account)?)))
            .collect();
        let asked: Vec<Budget> = limited.iter().map(|(_, budget)| budget.clone()).collect();
        let transport = self.queue.transport();
        let standing = transport.standing(&asked, self.clock.counted()).await?;
        Ok(limited
            .into_iter()
            .zip(standing)
            .map(|((endpoint, budget), standing)| (endpoint, budget.limit, standing))
            .collect())
    }

    /// Forgets how often TikTok was called for an account.
    pub async fn forget(&self, account: AccountId) -> Result<(), TransportError> {
        let keys: Vec<String> = budgets::LIMITED
            .into_iter()
            .filter(|endpoint| budgets::owner(*endpoint) == budgets::Owner::Account)
            .filter_map(|endpoint| Some(budgets::of(endpoint, Some(account))?.key))
            .collect();
        self.queue.transport().forget_budgets(&keys).await
    }

    /// How every breaker stands.
    pub async fn breakers(&self) -> Vec<BreakerView> {
        let now = self.clock.now();
        let read = self.breakers.read_all(&budgets::ENDPOINTS).await;
        budgets::ENDPOINTS
            .into_iter()
            .zip(read)
            .map(|(endpoint, breaker)| BreakerView::of(endpoint, &breaker, now))
            .collect()
    }
}

/// A count that could not be kept is learned again from TikTok's refusals.
fn told(result: Result<(), TransportError>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a use of a budget could not be settled");
    }
}

/// Tells creators apart without being their id. Calls of nobody in particular are of one kind.
fn who(account: Option<AccountId>) -> u32 {
    let id = account.map_or(0, |account| account.0.as_u128());
    let halves = (id >> 64) ^ id;
    #[expect(clippy::cast_possible_truncation, reason = "folding is the purpose")]
    let folded = ((halves >> 32) ^ halves) as u32;
    folded
}
