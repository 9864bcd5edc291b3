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

mod budgets;
mod calls;
mod link;
mod listen;
mod report;
mod scripts;
mod survey;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use clipqueue_entities::{JobId, Timestamp};
use redis::{Client, Script};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

pub use self::report::RedisReport;
use self::{
    calls::{delivery, millis, name},
    link::Link,
    listen::listen,
    scripts::Scripts,
};
use super::{
    Channel, Delivery, Depth, FIRST, MAX_BATCH, MAX_EXPIRED, Pointer, SIGNAL_BUFFER, See, Signal,
    Taken, Transport, TransportError, Unknown,
};

/// How long a call may take, usually. Scripts take milliseconds; more than this is an outage.
pub const TIMEOUT: Duration = Duration::from_secs(2);
/// The part of it that a connection attempt may take.
const CONNECTING: u32 = 2;
/// What a probe writes is gone after this.
const PROBE_LIFE: Duration = Duration::from_secs(10);
/// The longest time until a call finds a server that is back.
#[cfg(test)]
pub(in crate::queue) const SLOWEST_RECONNECT: Duration =
    Duration::from_secs(TIMEOUT.as_secs() / CONNECTING as u64).saturating_add(link::RECONNECT);

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

impl RedisTransport {
    /// A transport on the server at `url` (`redis://…` or `rediss://…`), with every key under
    /// `prefix`. A call may take `timeout`. It connects when it is first used, and listens at once: call
    /// it within a runtime.
    pub fn open(url: &str, prefix: &str, timeout: Duration) -> Result<Self, TransportError> {
        let client =
            Client::open(url).map_err(|error| TransportError::new("read its address", error))?;
        let signals = broadcast::Sender::new(SIGNAL_BUFFER);
        let channel = format!("{prefix}:signals");
        let stop = CancellationToken::new();
        tokio::spawn(listen(
            client.clone(),
            timeout,
            channel.clone(),
            signals.clone(),
            stop.clone(),
        ));
        Ok(Self {
            link: Link::new(client, timeout),
            prefix: prefix.to_owned(),
            channel,
            scripts: Scripts::new(),
            signals,
            _listener: stop.drop_guard(),
        })
    }

    fn key(&self, queue: &str, part: &str) -> String {
        format!("{}:{{{queue}}}:{part}", self.prefix)
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
                name(&mut call, delivery);
            }
            self.invoke::<redis::Value>(doing, &call).await?;
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
            added += self.invoke::<u64>("deliver", &call).await?;
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
        let (waiting, flat): (u64, Vec<Vec<u8>>) = self.invoke("take", &call).await?;
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
            let places: Vec<usize> = self.invoke("admit", &call).await?;
            let places = places.into_iter().filter_map(|place| batch.get(place - 1));
            admitted.extend(places.map(Delivery::from));
        }
        Ok(admitted)
    }

    async fn adopt(
        &self,
        queue: &str,
        pointer: &Delivery,
    ) -> Result<Option<Delivery>, TransportError> {
        let adopted = pointer.adopted();
        let mut call = self.on(&self.scripts.adopt, queue, &["ptr", "run"]);
        call.arg(pointer.job.0.as_bytes().as_slice())
            .arg(pointer.nonce)
            .arg(adopted.nonce)
            .arg(&pointer.lane);
        let found: bool = self.invoke("adopt", &call).await?;
        Ok(found.then_some(adopted))
    }

    async fn extend(
        &self,
        channel: Channel<'_>,
        batch: &[Delivery],
        lease: Duration,
        unknown: Unknown,
    ) -> Result<(), TransportError> {
        for batch in batch.chunks(MAX_BATCH) {
            let mut call = self.on(&self.scripts.extend, channel.queue, &["ptr", "run", "busy"]);
            call.arg(millis(lease)).arg(unknown == Unknown::Restore);
            for delivery in batch {
                name(&mut call, delivery);
            }
            self.invoke::<redis::Value>("extend leases", &call).await?;
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
            let nonces: Vec<Option<i64>> = self.query("look for pointers", &command).await?;
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
        let (next, pairs): (u64, Vec<(Vec<u8>, i64)>) =
            self.query("list pointers", &command).await?;
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
        self.invoke("read the epoch", &call).await
    }

    async fn survey(&self, see: &See<'_>) -> Result<(), TransportError> {
        survey::survey(&self.link, &self.prefix, see).await
    }

    async fn publish(&self, topic: &str, payload: &str) -> Result<(), TransportError> {
        let mut command = redis::cmd("PUBLISH");
        command
            .arg(&self.channel)
            .arg(format!("t{topic}\n{payload}"));
        self.query::<()>("publish", &command).await
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }

    async fn probe(&self) -> Result<(), TransportError> {
        let mut command = redis::cmd("SET");
        command.arg(self.key("note", "probe")).arg(1);
        command.arg("PX").arg(millis(PROBE_LIFE));
        self.query::<()>("write", &command).await
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
