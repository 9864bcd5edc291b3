//! The doors of the daemon: what speaks HTTP.
//!
//! A module here turns bytes into calls and answers into bytes. It decides nothing about posts,
//! accounts or jobs, and it never imports workers.

pub mod graphql;
