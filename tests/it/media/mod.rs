//! Uploads: the store by itself, the tus protocol over it, and real tus clients against a real server.
#![allow(clippy::unwrap_used)]

mod clients;
mod cut;
mod fixture;
mod store;
mod tus;
