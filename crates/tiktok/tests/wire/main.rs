//! The client against a fake server that answers as it is told, oddly for the most part. What a faithful TikTok
//! would answer is tested against the simulator.

#![allow(clippy::unwrap_used)]

mod calls;
mod network;
mod publishing;
mod support;
mod tokens;
mod uploads;
