//! The rules of the product, and the only writer of the domain's tables.
//!
//! A function here takes the [`App`](crate::app::App) or a transaction, knows the tenant, decides,
//! writes, and returns a value or an [`error::Error`] that a caller can act on. It knows neither
//! GraphQL nor HTTP nor how jobs are run. `_in_tx` in a name means that the caller's transaction
//! must carry it.
//!
//! - Who: [`actor`], [`api_keys`]
//! - TikTok accounts: [`connect`], [`accounts`], [`tokens`], [`creator`]
//! - Posts: [`posts`], [`post_settings`], [`post_state`], [`post_change`], [`preflight`],
//!   [`attempts`], [`reconcile`], [`poll_plan`], [`next_action`], [`post_history`], [`sweep`]
//! - Files: [`uploads`]. The installation: [`operators`]
//! - Across: [`key_canary`], [`events`], [`idempotency`], [`retention`], [`census`], [`error`]

pub mod accounts;
pub mod actor;
pub mod api_keys;
pub mod attempts;
pub mod census;
pub mod connect;
pub mod creator;
pub mod error;
pub mod events;
pub mod idempotency;
pub mod key_canary;
pub mod next_action;
pub mod operators;
pub mod poll_plan;
pub mod post_change;
pub mod post_history;
pub mod post_settings;
pub mod post_state;
pub mod posts;
pub mod preflight;
pub mod reconcile;
pub mod retention;
pub mod sweep;
pub mod tokens;
pub mod uploads;
