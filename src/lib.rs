//! Clipqueue: a durable job daemon and a GraphQL API that post to TikTok.
//!
//! The modules in the order in which they may import each other (`tests/it/architecture.rs` holds
//! them to it):
//!
//! 1. [`clock`], [`db`]: time and the database handle.
//! 2. [`graphql`]: what the API offers. [`http`]: the doors through which it is reached.

pub mod clock;
pub mod config;
pub mod db;
pub mod graphql;
pub mod http;
pub mod secrets;
pub mod telemetry;
