//! The integration tests: one binary, one module for each part.

// Tests fail by unwrapping, and everything here belongs to one binary.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod architecture;
mod configuration;
mod graphql_protocol;
mod http;
mod media;
mod posts;
mod process;
mod queue;
mod schema_of_database;
mod support;
