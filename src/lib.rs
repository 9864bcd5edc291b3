//! Clipqueue: a durable job daemon and a GraphQL API that post to TikTok.
//!
//! The modules, in the order in which they may import each other (`tests/it/architecture.rs` holds
//! them to it):
//!
//! 1. [`clock`], [`config`], [`db`], [`migrate`], [`secrets`], [`telemetry`]: what every part needs.
//! 2. [`media`]: uploaded files.
//! 3. [`queue`]: jobs as rows, pointers in Redis or memory, workers by apalis. Knows no job by name.
//! 4. [`job`]: the catalogue of jobs, as plain data.
//! 5. [`app`]: the one struct that every part is given.
//! 6. [`domain`]: the rules, and the only writer of the domain's tables.
//! 7. [`workers`]: what each job does.
//! 8. [`graphql`]: what the API offers. [`http`]: the doors through which it is reached.
//! 9. [`service`], [`demo`], [`cli`]: a process, from start to stop.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod demo;
pub mod domain;
pub mod graphql;
pub mod http;
pub mod job;
pub mod media;
pub mod migrate;
pub mod queue;
pub mod secrets;
pub mod service;
pub mod telemetry;
pub mod workers;
