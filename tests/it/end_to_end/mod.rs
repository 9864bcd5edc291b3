//! The program as its users run it: processes that are killed, stopped, and fed files of gigabytes.
//!
//! Each test starts `clipqueue sim` and one or more `clipqueue serve` of its own, speaks to them over
//! the wire only, and judges by the simulator's ledger.

#![allow(clippy::unwrap_used)]

mod big_file;
mod child;
mod client;
mod clock;
mod copy;
mod crashes;
mod demo;
mod erasure;
mod imports;
mod kill;
mod movie;
mod outage;
mod redis;
mod rolling;
mod simulator;
mod stop;
mod world;
mod zombie;

use std::time::Duration;

/// How long a test waits for something that should come soon.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a post may take whose last chunk may or may not have reached TikTok: for a minute "it
/// lacks bytes" is not believed, and the questions have gaps.
const DOUBT: Duration = Duration::from_secs(150);

/// Work of a process that died must run elsewhere within this time.
const PICKUP: Duration = Duration::from_secs(30);
