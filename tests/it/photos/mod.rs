//! Photo posts against a simulator that really fetches them from the product's own addresses.

mod addresses;
mod api;
mod crashes;
mod gallery;
mod lost_answers;
mod owners;
mod publish;
mod refusals;
