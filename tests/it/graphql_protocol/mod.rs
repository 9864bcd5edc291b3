//! GraphQL's protocols and limits, over a real socket, with a toy schema.

#![allow(clippy::unwrap_used)]

mod clients;
mod http;
mod limits;
mod operations;
mod socket;
mod stream;
mod toy;
