//! The GraphQL API over a real application: SQLite, the memory transport and the simulator.

#![allow(clippy::unwrap_used)]

mod batch;
mod budgets;
mod deletions;
mod fixture;
mod http;
mod keep;
mod keys;
mod live;
mod operators;
mod outbound;
mod pages;
mod posts;
mod refusals;
mod restricted;
mod roles;
mod samples;
mod schema_file;
mod scopes;
mod sdl;
mod tenants;
mod word;
