//! The integration tests: one binary, one module for each part.

mod architecture;
mod configuration;
mod api;
mod graphql_protocol;
mod http;
mod media;
mod posts;
mod process;
mod queue;
mod schema_of_database;
mod support;
