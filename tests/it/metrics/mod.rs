//! Counters of creators' own videos: read at their ages, within the budget, kept as told.

mod drafts;
mod experiments;
mod planner;
mod reading;
mod roll_up;
pub(crate) mod support;
mod trouble;
