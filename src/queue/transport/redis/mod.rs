//! The transport for several processes: pointers in Redis or Valkey.
//!
//! Everything that decides is a short script in `src/queue/lua/`, bounded by its batch, on keys of
//! one hash tag per queue, so that a cluster can hold them. One multiplexed connection carries the
//! calls; a second one listens for signals. Either is made anew when it fails, as soon as the
//! server answers again. After a restart or `FLUSHALL` the epoch is another word, and the relay
//! delivers again what the rows say.
//!
//! Keys of a queue `q` under the prefix `cq`:
//!
//! | key | type | what |
//! |---|---|---|
//! | `cq:{q}:ptr` | hash | job id → nonce, for every pointer |
//! | `cq:{q}:lane:<lane>` | sorted set | waiting job ids by rank |
//! | `cq:{q}:ring` | sorted set | lanes that may be served, by turn |
//! | `cq:{q}:run` | sorted set | job id and lane in flight, by end of lease |
//! | `cq:{q}:busy` | hash | lane → pointers in flight |
//! | `cq:{q}:turn`, `…:epoch`, `…:paused` | string | next turn, epoch, pause |
//! | `cq:{budget}:<key>` | sorted set | uses within the window |
//! | `cq:{note}:<name>` | string | a small text that processes share |

mod link;
mod listen;
mod report;
mod survey;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use clipqueue_entities::{JobId, Timestamp};
use redis::{Client, Script};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

pub use self::report::RedisReport;
use self::{link::Link, listen::listen};
use super::{
    Acquired, Budget, Channel, Delivery, Depth, FIRST, MAX_BATCH, MAX_EXPIRED, Pointer,
    SIGNAL_BUFFER, See, Signal, Standing, Taken, Transport, TransportError, Use, Used,
};

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a call may take. Scripts take milliseconds; more than this is an outage.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// What a probe writes is gone after this.
const PROBE_LIFE: Duration = Duration::from_secs(10);
/// The longest time until a call finds a server that is back.
#[cfg(test)]
pub(in crate::queue) const SLOWEST_RECONNECT: Duration =
    CONNECT_TIMEOUT.saturating_add(link::RECONNECT);

/// Pointers in Redis.
pub struct RedisTransport {
    link: Link,
    prefix: String,
    channel: String,
    scripts: Scripts,
    signals: broadcast::Sender<Signal>,
    _listener: DropGuard,
}

impl fmt::Debug for RedisTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTransport")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

struct Scripts {
    admit: Script,
    deliver: Script,
    take: Script,
    extend: Script,
    finish: Script,
    give_back: Script,
    epoch: Script,
    acquire: Script,
    settle_use: Script,
    spend: Script,
    standing: Script,
    swap_note: Script,
}

impl RedisTransport {
    /// A transport on the server at `url` (`redis://…` or `rediss://…`), with every key under
    /// `prefix`. It connects when it is first used, and listens at once: call it within a runtime.
    pub fn open(url: &str, prefix: &str) -> Result<Self, TransportError> {
        let client =
            Client::open(url).map_err(|error| TransportError::new("read its address", error))?;
        let signals = broadcast::Sender::new(SIGNAL_BUFFER);
        let channel = format!("{prefix}:signals");
        let stop = CancellationToken::new();
        tokio::spawn(listen(
            client.clone(),
            channel.clone(),
            signals.clone(),
            stop.clone(),
        ));
        Ok(Self {
            link: Link::new(client),
            prefix: prefix.to_owned(),
            channel,
            scripts: Scripts {
                admit: Script::new(include_str!("../../lua/admit.lua")),
                deliver: Script::new(include_str!("../../lua/deliver.lua")),
                take: Script::new(include_str!("../../lua/take.lua")),
                extend: Script::new(include_str!("../../lua/extend.lua")),
                finish: Script::new(include_str!("../../lua/finish.lua")),
                give_back: Script::new(include_str!("../../lua/give_back.lua")),
                epoch: Script::new(include_str!("../../lua/epoch.lua")),
                acquire: Script::new(include_str!("../../lua/acquire.lua")),
                settle_use: Script::new(include_str!("../../lua/settle_use.lua")),
                spend: Script::new(include_str!("../../lua/spend.lua")),
                standing: Script::new(include_str!("../../lua/standing.lua")),
                swap_note: Script::new(include_str!("../../lua/swap_note.lua")),
            },
            signals,
            _listener: stop.drop_guard(),
        })
    }

    fn key(&self, queue: &str, part: &str) -> String {
        format!("{}:{{{queue}}}:{part}", self.prefix)
    }

    /// A call of a script on the keys that most of them share.
    fn on<'s>(
        &self,
        script: &'s Script,
        queue: &str,
        parts: &[&str],
    ) -> redis::ScriptInvocation<'s> {
        let mut call = script.prepare_invoke();
        for part in parts {
            call.key(self.key(queue, part));
        }
        call
    }

    async fn deliveries(
        &self,
        script: &Script,
        channel: Channel<'_>,
        second: i64,
        batch: &[Delivery],
        doing: &'static str,
    ) -> Result<(), TransportError> {
        for batch in batch.chunks(MAX_BATCH) {
            let mut call = self.on(
                script,
                channel.queue,
                &["ptr", "run", "ring", "busy", "turn"],
            );
            call.arg(self.key(channel.queue, "lane:"))
                .arg(second)
                .arg(&self.channel)
                .arg(channel.queue);
            for delivery in batch {
                call.arg(delivery.job.0.as_bytes().as_slice())
                    .arg(delivery.nonce)
                    .arg(&delivery.lane);
            }
            self.link
                .call(doing, async |connection| {
                    call.invoke_async::<redis::Value>(connection).await
                })
                .await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Transport for RedisTransport {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn deliver(
        &self,
        channel: Channel<'_>,
        batch: &[Pointer],
    ) -> Result<u64, TransportError> {
        let mut added = 0;
        for batch in batch.chunks(MAX_BATCH) {
            let mut call = self.on(
                &self.scripts.deliver,
                channel.queue,
                &["ptr", "run", "ring", "busy", "turn"],
            );
            call.arg(self.key(channel.queue, "lane:"))
                .arg(channel.lane_limit)
                .arg(&self.channel)
                .arg(channel.queue);
            for pointer in batch {
                call.arg(pointer.job.0.as_bytes().as_slice())
                    .arg(pointer.nonce)
                    .arg(pointer.rank)
                    .arg(&pointer.lane);
            }
            added += self
                .link
                .call("deliver", async |connection| {
                    call.invoke_async::<u64>(connection).await
                })
                .await?;
        }
        Ok(added)
    }

    async fn take(
        &self,
        channel: Channel<'_>,
        limit: usize,
        lease: Duration,
    ) -> Result<Taken, TransportError> {
        let mut call = self.on(
            &self.scripts.take,
            channel.queue,
            &["ptr", "run", "ring", "busy", "turn", "paused"],
        );
        call.arg(self.key(channel.queue, "lane:"))
            .arg(channel.lane_limit)
            .arg(limit.min(MAX_BATCH))
            .arg(millis(lease))
            .arg(MAX_EXPIRED)
            .arg(FIRST);
        let (waiting, flat): (u64, Vec<Vec<u8>>) = self
            .link
            .call("take", async |connection| {
                call.invoke_async(connection).await
            })
            .await?;
        let mut deliveries = Vec::with_capacity(flat.len() / 3);
        for item in flat.chunks_exact(3) {
            deliveries.push(delivery(item).map_err(|error| TransportError::new("take", error))?);
        }
        Ok(Taken {
            deliveries,
            waiting,
        })
    }

    async fn admit(
        &self,
        channel: Channel<'_>,
        batch: &[Pointer],
        lease: Duration,
    ) -> Result<Vec<Delivery>, TransportError> {
        let mut admitted = Vec::new();
        for batch in batch.chunks(MAX_BATCH) {
            let parts = ["ptr", "run", "ring", "busy", "paused"];
            let mut call = self.on(&self.scripts.admit, channel.queue, &parts);
            call.arg(channel.lane_limit).arg(millis(lease));
            for pointer in batch {
                call.arg(pointer.job.0.as_bytes().as_slice())
                    .arg(pointer.nonce)
                    .arg(&pointer.lane);
            }
            let places: Vec<usize> = self
                .link
                .call("admit", async |connection| {
                    call.invoke_async(connection).await
                })
                .await?;
            let places = places.into_iter().filter_map(|place| batch.get(place - 1));
            admitted.extend(places.map(Delivery::from));
        }
        Ok(admitted)
    }

    async fn extend(
        &self,
        channel: Channel<'_>,
        batch: &[Delivery],
        lease: Duration,
    ) -> Result<(), TransportError> {
        for batch in batch.chunks(MAX_BATCH) {
            let mut call = self.on(&self.scripts.extend, channel.queue, &["ptr", "run"]);
            call.arg(millis(lease));
            for delivery in batch {
                call.arg(delivery.job.0.as_bytes().as_slice())
                    .arg(delivery.nonce)
                    .arg(&delivery.lane);
            }
            self.link
                .call("extend leases", async |connection| {
                    call.invoke_async::<redis::Value>(connection).await
                })
                .await?;
        }
        Ok(())
    }

    async fn finish(&self, channel: Channel<'_>, batch: &[Delivery]) -> Result<(), TransportError> {
        let limit = i64::from(channel.lane_limit);
        self.deliveries(&self.scripts.finish, channel, limit, batch, "finish")
            .await
    }

    async fn give_back(
        &self,
        channel: Channel<'_>,
        batch: &[Delivery],
    ) -> Result<(), TransportError> {
        self.deliveries(&self.scripts.give_back, channel, FIRST, batch, "give back")
            .await
    }

    async fn missing(&self, queue: &str, jobs: &[JobId]) -> Result<Vec<JobId>, TransportError> {
        let key = self.key(queue, "ptr");
        let mut missing = Vec::new();
        for jobs in jobs.chunks(MAX_BATCH) {
            let mut command = redis::cmd("HMGET");
            command.arg(&key);
            for job in jobs {
                command.arg(job.0.as_bytes().as_slice());
            }
            let nonces: Vec<Option<i64>> = self
                .link
                .call("look for pointers", async |connection| {
                    command.query_async(connection).await
                })
                .await?;
            missing.extend(
                jobs.iter()
                    .zip(nonces)
                    .filter(|(_, nonce)| nonce.is_none())
                    .map(|(job, _)| *job),
            );
        }
        Ok(missing)
    }

    async fn scan(
        &self,
        queue: &str,
        cursor: u64,
    ) -> Result<(u64, Vec<(JobId, i64)>), TransportError> {
        let mut command = redis::cmd("HSCAN");
        command.arg(self.key(queue, "ptr")).arg(cursor);
        command.arg("COUNT").arg(MAX_BATCH);
        let (next, pairs): (u64, Vec<(Vec<u8>, i64)>) = self
            .link
            .call("list pointers", async |connection| {
                command.query_async(connection).await
            })
            .await?;
        let pointers = pairs.into_iter().map(|(job, nonce)| {
            Uuid::from_slice(&job)
                .map(|job| (JobId(job), nonce))
                .map_err(|error| TransportError::new("list pointers", error))
        });
        Ok((next, pointers.collect::<Result<_, _>>()?))
    }

    async fn depth(&self, queue: &str, lanes: &[String]) -> Result<Depth, TransportError> {
        let mut pipe = redis::pipe();
        pipe.cmd("HLEN").arg(self.key(queue, "ptr"));
        pipe.cmd("ZCARD").arg(self.key(queue, "run"));
        pipe.cmd("ZCARD").arg(self.key(queue, "ring"));
        let prefix = self.key(queue, "lane:");
        for lane in lanes {
            pipe.cmd("ZCARD").arg(format!("{prefix}{lane}"));
        }
        let counts: Vec<u64> = self
            .link
            .call("count", async |connection| {
                pipe.query_async(connection).await
            })
            .await?;
        let (all, in_flight) = (counts[0], counts[1]);
        Ok(Depth {
            waiting: all.saturating_sub(in_flight),
            in_flight,
            open_lanes: counts[2],
            lanes: counts[3..].to_vec(),
        })
    }

    async fn set_paused(&self, queue: &str, paused: bool) -> Result<(), TransportError> {
        let key = self.key(queue, "paused");
        let mut pipe = redis::pipe();
        if paused {
            pipe.cmd("SET").arg(key).arg(1).ignore();
        } else {
            pipe.cmd("DEL").arg(key).ignore();
            pipe.cmd("PUBLISH")
                .arg(&self.channel)
                .arg(format!("w{queue}"))
                .ignore();
        }
        self.link
            .call("pause or resume", async |connection| {
                pipe.query_async::<()>(connection).await
            })
            .await
    }

    async fn epoch(&self, queue: &str) -> Result<String, TransportError> {
        let mut call = self.on(&self.scripts.epoch, queue, &["epoch"]);
        call.arg(Uuid::new_v4().simple().to_string());
        self.link
            .call("read the epoch", async |connection| {
                call.invoke_async(connection).await
            })
            .await
    }

    async fn acquire(
        &self,
        budgets: &[Budget],
        now: Option<Timestamp>,
    ) -> Result<Acquired, TransportError> {
        let mut call = self.scripts.acquire.prepare_invoke();
        for budget in budgets {
            call.key(self.key("budget", &budget.key));
        }
        let of = Use::new();
        call.arg(given(now)).arg(of.0.as_bytes().as_slice());
        for budget in budgets {
            call.arg(budget.limit).arg(millis(budget.window));
        }
        let wait: u64 = self
            .link
            .call("acquire a budget", async |connection| {
                call.invoke_async(connection).await
            })
            .await?;
        Ok(match wait {
            0 => Acquired::Granted(of),
            wait => Acquired::Wait(Duration::from_millis(wait)),
        })
    }

    async fn settle_use(
        &self,
        keys: &[String],
        of: Use,
        used: Used,
        now: Option<Timestamp>,
    ) -> Result<(), TransportError> {
        let mut call = self.scripts.settle_use.prepare_invoke();
        for key in keys {
            call.key(self.key("budget", key));
        }
        call.arg(given(now))
            .arg(of.0.as_bytes().as_slice())
            .arg(i32::from(used == Used::Made));
        self.link
            .call("settle a use", async |connection| {
                call.invoke_async::<()>(connection).await
            })
            .await
    }

    async fn spend(
        &self,
        budget: &Budget,
        wait: Duration,
        now: Option<Timestamp>,
    ) -> Result<(), TransportError> {
        let mut call = self.scripts.spend.prepare_invoke();
        call.key(self.key("budget", &budget.key))
            .arg(given(now))
            .arg(Use::new().0.as_bytes().as_slice())
            .arg(budget.limit)
            .arg(millis(budget.window))
            .arg(millis(wait));
        self.link
            .call("spend a budget", async |connection| {
                call.invoke_async::<()>(connection).await
            })
            .await
    }

    async fn standing(
        &self,
        budgets: &[Budget],
        now: Option<Timestamp>,
    ) -> Result<Vec<Standing>, TransportError> {
        let mut call = self.scripts.standing.prepare_invoke();
        for budget in budgets {
            call.key(self.key("budget", &budget.key));
        }
        call.arg(given(now));
        for budget in budgets {
            call.arg(budget.limit).arg(millis(budget.window));
        }
        let flat: Vec<i64> = self
            .link
            .call("read budgets", async |connection| {
                call.invoke_async(connection).await
            })
            .await?;
        Ok(flat
            .chunks_exact(2)
            .map(|pair| Standing {
                used: u32::try_from(pair[0]).unwrap_or_default(),
                next_in: u64::try_from(pair[1]).ok().map(Duration::from_millis),
            })
            .collect())
    }

    async fn notes(&self, names: &[String]) -> Result<Vec<Option<String>>, TransportError> {
        let mut command = redis::cmd("MGET");
        for name in names {
            command.arg(self.key("note", name));
        }
        self.link
            .call("read notes", async |connection| {
                command.query_async(connection).await
            })
            .await
    }

    async fn swap_note(
        &self,
        name: &str,
        old: Option<&str>,
        new: Option<&str>,
        life: Duration,
    ) -> Result<bool, TransportError> {
        let mut call = self.scripts.swap_note.prepare_invoke();
        call.key(self.key("note", name));
        for text in [old, new] {
            call.arg(i32::from(text.is_some()))
                .arg(text.unwrap_or_default());
        }
        call.arg(millis(life));
        self.link
            .call("write a note", async |connection| {
                call.invoke_async::<bool>(connection).await
            })
            .await
    }

    async fn forget_budgets(&self, keys: &[String]) -> Result<(), TransportError> {
        if keys.is_empty() {
            return Ok(());
        }
        // A cluster holds them all in one place: they share their hash tag.
        let mut command = redis::cmd("DEL");
        for key in keys {
            command.arg(self.key("budget", key));
        }
        self.link
            .call("forget budgets", async |connection| {
                command.query_async::<()>(connection).await
            })
            .await
    }

    async fn survey(&self, see: &See<'_>) -> Result<(), TransportError> {
        survey::survey(&self.link, &self.prefix, see).await
    }

    async fn publish(&self, topic: &str, payload: &str) -> Result<(), TransportError> {
        let mut command = redis::cmd("PUBLISH");
        command
            .arg(&self.channel)
            .arg(format!("t{topic}\n{payload}"));
        self.link
            .call("publish", async |connection| {
                command.query_async::<()>(connection).await
            })
            .await
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }

    async fn probe(&self) -> Result<(), TransportError> {
        let mut command = redis::cmd("SET");
        command.arg(self.key("note", "probe")).arg(1);
        command.arg("PX").arg(millis(PROBE_LIFE));
        self.link
            .call("write", async |connection| {
                command.query_async::<()>(connection).await
            })
            .await
    }

    async fn inspect(&self, now: Timestamp) -> Result<Option<RedisReport>, TransportError> {
        let (info, time): (String, (i64, i64)) = self
            .link
            .call("inspect", async |connection| {
                redis::pipe()
                    .cmd("INFO")
                    .cmd("TIME")
                    .query_async(connection)
                    .await
            })
            .await?;
        let theirs = time.0 * 1000 + time.1 / 1000;
        Ok(Some(RedisReport::read(&info, theirs - now.as_millis())))
    }
}

/// The caller's time as a script reads it; nothing stands for the server's own.
fn given(now: Option<Timestamp>) -> String {
    now.map(|now| now.to_string()).unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn delivery(item: &[Vec<u8>]) -> anyhow::Result<Delivery> {
    Ok(Delivery {
        job: JobId(Uuid::from_slice(&item[0])?),
        nonce: std::str::from_utf8(&item[1])?.parse()?,
        lane: String::from_utf8(item[2].clone())?,
    })
}
