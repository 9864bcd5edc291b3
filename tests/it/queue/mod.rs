//! The queue, on both stacks: SQLite with the memory transport, and PostgreSQL with Redis.

mod acts;
mod basics;
mod budgets;
mod clocks;
mod cron;
mod daemon;
mod due;
mod faults;
mod fence;
mod fixture;
mod group;
mod lanes;
mod leases;
mod ledger;
mod model;
mod pause;
mod told;
mod toys;
mod transport;
mod transport_lanes;
mod transport_model;
mod versions;
