//! Access tokens: replaced ahead of time, by one refresher, without losing a creator's grant.

mod faults;
mod rotation;
