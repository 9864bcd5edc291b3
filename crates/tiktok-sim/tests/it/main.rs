//! The simulator over the wire, by a plain HTTP client that knows nothing of the typed one.
#![allow(clippy::unwrap_used)]

mod control;
mod display;
mod drafts;
mod faults;
mod oauth;
mod photos;
mod posting;
mod refusals;
mod support;
mod uploads;
mod webhooks;
