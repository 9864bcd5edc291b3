//! The integration tests: one binary, one module for each part.

#![allow(
    clippy::unwrap_used,
    clippy::large_futures,
    unreachable_pub,
    reason = "a test may panic, is polled once, and is nobody's dependency"
)]

mod connect;
mod database;
mod graphql_protocol;
mod media;
mod posts;
mod queue;
mod support;
mod tokens;
