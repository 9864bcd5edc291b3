//! The integration tests: one binary, one module for each part.

mod end_to_end;
mod graphql_protocol;
mod media;
mod posts;
mod queue;
mod support;
