//! Uploads: the store by itself, the tus protocol over it, and real tus clients against a real server.
#![allow(clippy::unwrap_used)]

mod client;
mod clients;
mod cut;
mod ending;
mod fixture;
mod s3;
mod senders;
mod store;
mod tus;
