//! The integration tests: one binary, one module for each part.

#![allow(
    clippy::unwrap_used,
    clippy::large_futures,
    unreachable_pub,
    reason = "a test may panic, is polled once, and is nobody's dependency"
)]

mod api;
mod architecture;
mod budgets;
mod configuration;
mod connect;
mod console;
mod crash_points;
mod dashboard;
mod database;
mod docs;
mod end_to_end;
mod erasure;
mod graphql_protocol;
mod http;
mod keep;
mod media;
mod metrics;

mod operations;
mod outbound;
mod pay;
mod photos;
mod posts;
mod process;
mod queue;
mod schema_of_database;
mod space;
mod support;
mod tokens;
mod torture;
mod webhooks;
