//! Every integration test, in one binary.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod queue;
mod support;
