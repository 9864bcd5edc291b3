//! The integration tests: one binary, one module for each part.

mod api;
mod graphql_protocol;
