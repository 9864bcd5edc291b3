//! The integration tests: one binary, one module for each part.

mod graphql_protocol;
mod media;
mod posts;
mod process;
mod queue;
mod support;
