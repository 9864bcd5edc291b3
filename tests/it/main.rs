//! The integration tests: one binary, one module for each part.

#![allow(unreachable_pub, reason = "a test binary has no outside")]
#![allow(clippy::unwrap_used, reason = "tests fail by unwrapping")]

mod api;
mod architecture;
mod configuration;
mod connect;
mod database;
mod end_to_end;
mod graphql_protocol;
mod http;
mod media;
mod posts;
mod process;
mod queue;
mod schema_of_database;
mod support;
mod tokens;
