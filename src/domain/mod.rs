//! The rules of the product, and the only writer of the domain's tables.
//!
//! A function here takes the [`App`](crate::app::App) or a transaction, knows the tenant, decides,
//! writes, and returns a value or an [`error::Error`] that a caller can act on. It knows neither
//! GraphQL nor HTTP nor how jobs are run. `_in_tx` in a name means that the caller's transaction
//! must carry it.
//!
//! - Who: [`actor`], [`api_keys`], [`console_sessions`], [`user_sessions`], [`single_sign_on`], [`session_cookie`], [`ownership`],
//!   [`roles`]
//! - TikTok accounts: [`connect`], [`accounts`], [`tokens`], [`token_life`], [`renewal`], [`creator`]
//! - Posts: [`posts`], [`post_settings`], [`post_state`], [`post_change`], [`post_birth`],
//!   [`preflight`], [`local_time`], [`lateness`], [`attempts`], [`caps`], [`line`](mod@line), [`reconcile`], [`fail_reason`],
//!   [`notices`], [`doubt`], [`drafts`], [`videos`], [`video_search`], [`video_link`], [`poll_plan`],
//!   [`next_action`], [`post_history`], [`posting_budget`], [`sweep`]
//! - What became of them: [`counters`]
//! - Files: [`uploads`], photos that TikTok fetches: [`pulls`], and files that are fetched from users'
//!   addresses: [`sources`], [`imports`]
//! - What users may use, and how they keep their files in order: [`plans`], [`library`]
//! - What users' addresses are told: [`webhooks`], [`public_id`]
//! - The installation: [`operators`], [`inspect`], [`bulk`], [`audit`], [`drift`], [`canaries`],
//!   [`overdue`]
//! - Leaving and taking along: [`erasure`](mod@erasure), [`exports`]
//! - What they pay, and what they are written: [`billing`], [`mails`]; who asks without access: [`deletions`]
//! - Across: [`key_canary`], [`events`], [`idempotency`], [`retention`], [`census`], [`error`]

pub mod accounts;
pub mod actor;
pub mod api_keys;
pub mod attempts;
pub mod audit;
pub mod billing;
pub mod bulk;
pub mod canaries;
pub mod caps;
pub mod census;
pub mod connect;
pub mod console_sessions;
pub mod counters;
pub mod creator;
pub mod deletions;
pub mod doubt;
pub mod drafts;
pub mod drift;
pub mod erasure;
pub mod error;
pub mod events;
pub mod exports;
pub mod fail_reason;
pub mod idempotency;
pub mod imports;
pub mod inspect;
pub mod key_accounts;
pub mod key_canary;
pub mod key_rotation;
pub mod lateness;
pub mod library;
pub mod line;
mod link_token;
pub mod local_time;
pub mod mails;
mod names;
pub mod next_action;
pub mod notices;
pub mod operators;
pub mod overdue;
pub mod ownership;
pub mod plans;
pub mod poll_plan;
pub mod post_birth;
pub mod post_change;
pub mod post_history;
pub mod post_settings;
pub mod post_state;
pub mod posting_budget;
pub mod posts;
pub mod preflight;
pub mod public_id;
pub mod pulls;
pub mod reconcile;
pub mod renewal;
pub mod retention;
pub mod roles;
pub mod session_cookie;
pub mod single_sign_on;
pub mod sources;
pub mod sweep;
pub mod token_life;
pub mod tokens;
pub mod uploads;
pub mod user_sessions;
pub mod video_link;
pub mod video_search;
pub mod videos;
pub mod webhooks;
