//! What operators do to the queue, and how the installation watches itself.

mod audit;
mod bulk;
mod drain;
mod drift;
mod isolation;
mod retries;
mod roles;
mod support;
mod watch;
