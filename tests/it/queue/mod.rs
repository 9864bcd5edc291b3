//! The queue, on both stacks: SQLite with the memory transport, and PostgreSQL with Redis.

mod basics;
mod daemon;
mod faults;
mod fence;
mod fixture;
mod transport;
