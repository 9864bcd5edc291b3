//! Clipqueue: a durable job daemon and a GraphQL API that post to TikTok.
//!
//! The modules, in the order in which they may import each other (`tests/it/architecture.rs` holds
//! them to it):
//!
//! 1. [`clock`], [`config`], [`crash`], [`db`], [`fetch`], [`mail`], [`migrate`], [`oidc`], [`paypal`], [`remote`], [`secrets`], [`telemetry`]: what every part needs.
//! 2. [`media`]: uploaded files.
//! 3. [`queue`]: jobs as rows, pointers in Redis or memory, workers by apalis. Knows no job by name.
//! 4. [`job`]: the catalogue of jobs, as plain data.
//! 5. [`calls`]: leave to call TikTok: budgets and breakers.
//! 6. [`app`]: the one struct that every part is given.
//! 7. [`domain`]: the rules, and the only writer of the domain's tables.
//! 8. [`workers`]: what each job does.
//! 9. [`graphql`]: what the API offers. [`http`]: the doors through which it is reached.
//! 10. [`service`], [`demo`], [`torture`], [`bench`](mod@bench), [`cli`]: a process, from start to stop; a
//!     demonstration; many processes that are not let live; a measurement.

pub mod app;
pub mod bench;
pub mod calls;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crash;
pub mod db;
pub mod demo;
pub mod domain;
pub mod fetch;
pub mod graphql;
pub mod http;
pub mod job;
pub mod mail;
pub mod media;
pub mod migrate;
pub mod oidc;
pub mod paypal;
pub mod queue;
pub mod remote;
pub mod secrets;
pub mod service;
pub mod telemetry;
pub mod torture;
pub mod workers;
