//! The integration tests: one binary, one module for each part.

mod connect;
mod graphql_protocol;
mod media;
mod posts;
mod queue;
mod support;
mod tokens;
