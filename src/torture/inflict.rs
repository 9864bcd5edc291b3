//! Carries out the faults of a plan, and takes back whatever is left of them.

use std::time::Duration;

use anyhow::Context as _;
use rustix::process::Signal;
use tokio::time::sleep;

use super::{
    choose::QUEUES,
    doubt::Window,
    plan::{Link, PlannedFault, What},
    proxy::{Passing, Proxy},
    until,
    world::World,
};

/// How long an operator goes on asking.
const OPERATING: Duration = Duration::from_secs(120);

/// Carries out one fault, from its time to its end. Gives the time in which answers may have been
/// lost of it; what the simulator or the disk does is told by the calls.
pub(super) async fn inflict(world: &World, fault: &PlannedFault) -> anyhow::Result<Option<Window>> {
    sleep(Duration::from_millis(fault.at)).await;
    let from_ms = world.daemons.now_ms();
    carry_out(world, fault).await?;
    let ahead_ms = match &fault.what {
        What::DiskFull | What::Pause { .. } | What::Sim { .. } | What::SimConfig(_) => {
            return Ok(None);
        }
        What::Clock { minutes, .. } => minutes * 60_000,
        _ => 0,
    };
    Ok(Some(Window {
        from_ms,
        to_ms: world.daemons.now_ms(),
        ahead_ms,
    }))
}

async fn carry_out(world: &World, fault: &PlannedFault) -> anyhow::Result<()> {
    let lasts = Duration::from_millis(fault.lasts);
    let daemons = &world.daemons;
    match &fault.what {
        What::Kill { process, again } => {
            daemons.kill(*process);
            sleep(lasts).await;
            daemons.start(*process, *again)?;
            daemons.ready(*process).await?;
        }
        What::Stop { process } => {
            daemons.signal(*process, Signal::STOP);
            sleep(lasts).await;
            daemons.signal(*process, Signal::CONT);
        }
        What::RedisRestart => {
            let mut redis = world
                .redis
                .as_ref()
                .context("there is no Redis")?
                .lock()
                .await;
            redis.kill();
            sleep(lasts).await;
            redis.start_again().await?;
        }
        What::Flushall => {
            let redis = world
                .redis
                .as_ref()
                .context("there is no Redis")?
                .lock()
                .await;
            redis.command("FLUSHALL").await?;
        }
        What::Maxmemory => {
            let redis = world
                .redis
                .as_ref()
                .context("there is no Redis")?
                .lock()
                .await;
            redis.command("CONFIG SET maxmemory 1").await?;
            sleep(lasts).await;
            redis.command("CONFIG SET maxmemory 0").await?;
        }
        What::DbRestart => {
            let postgres = world.postgres.as_ref().context("there is no PostgreSQL")?;
            let mut postgres = postgres.lock().await;
            postgres.crash().await;
            sleep(lasts).await;
            postgres.start_again().await?;
        }
        What::Cut(link) => proxy(world, *link)?.cut(),
        What::Delay(link, ms) => {
            let proxy = proxy(world, *link)?;
            proxy.pass(Passing::Late(Duration::from_millis(*ms)));
            sleep(lasts).await;
            proxy.pass(Passing::Freely);
        }
        What::HalfOpen(link) => {
            let proxy = proxy(world, *link)?;
            proxy.pass(Passing::Never);
            sleep(lasts).await;
            // What was kept is lost with its connection.
            proxy.cut();
            proxy.pass(Passing::Freely);
        }
        What::Clock { process, minutes } => {
            daemons.set_clock(*process, minutes * 60_000)?;
            sleep(lasts).await;
            daemons.set_clock(*process, 0)?;
        }
        What::DiskFull => {
            world.media.fill()?;
            sleep(lasts).await;
            world.media.free();
        }
        What::Pause { queue, drain } => {
            let how = if *drain { "drainQueue" } else { "pauseQueue" };
            operate(world, how, queue).await?;
            sleep(lasts).await;
            operate(world, "resumeQueue", queue).await?;
        }
        What::Sim {
            endpoint,
            kind,
            after,
        } => world.sim.fault(*endpoint, kind.clone(), *after).await?,
        What::SimConfig(setting) => world.sim.behave(*setting).await?,
    }
    Ok(())
}

/// Asks for something to be done to a queue until somebody has done it.
async fn operate(world: &World, mutation: &str, queue: &str) -> anyhow::Result<()> {
    until(OPERATING, "an operator is heard", async || {
        world.daemons.any().operate(mutation, queue).await.ok()
    })
    .await
}

fn proxy(world: &World, link: Link) -> anyhow::Result<&Proxy> {
    let found = world.links.iter().find(|(one, _)| *one == link);
    Ok(&found.context("there is no such link")?.1)
}

/// Nothing is wrong any more.
pub(super) async fn heal(world: &World) -> anyhow::Result<()> {
    world.sim.clear_faults().await?;
    world.sim.behave_well().await?;
    world.media.free();
    for (_, proxy) in &world.links {
        proxy.pass(Passing::Freely);
    }
    for number in 0..world.daemons.count() {
        world.daemons.set_clock(number, 0)?;
        world.daemons.signal(number, Signal::CONT);
    }
    world.ready().await?;
    for queue in QUEUES {
        operate(world, "resumeQueue", queue).await?;
    }
    Ok(())
}
