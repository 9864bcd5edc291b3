//! Clipqueue: a durable job daemon and a GraphQL API that post to TikTok.
//!
//! The modules in the order in which they may import each other (`tests/it/architecture.rs` holds
//! them to it):
//!
//! 1. [`clock`], [`db`]: time and the database handle.
//! 2. [`queue`]: the durable job queue; knows no job by name.

pub mod clock;
pub mod db;
pub mod queue;
