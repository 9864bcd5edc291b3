//! A strict simulator of TikTok's developer API: consent, tokens, posting, uploads, status, webhooks, Display.
//!
//! It is written from TikTok's documents and from what public clients recorded, and shares no type with the
//! client it judges. Where the truth is unknown the behaviour is a knob of [`SimConfig`].
//!
//! # The map
//! - `config`, `clock`, `endpoint`, `ids`: what can be set, what time it is, what things are called.
//! - `account`, `tokens`, `publish`, `video`: what the simulator remembers of creators.
//! - `chunks`, `limits`: the arithmetic of uploads and of rate limits, pure.
//! - `pipeline`: what becomes of a publish over time; `creator`: what creators do in their app;
//!   `webhook`, `deliver`, `pull`: events out, media in.
//! - `fault`, `ledger`: what goes wrong on purpose, and what happened; [`Verdict`] is what a test asserts on.
//! - `start`, `state`, `call`, `envelope`, `routes`, `server`: the lock, a call, an answer, the endpoints, the sockets.
//! - [`Sim`] drives all of it in process; `/_sim/...` offers the same over HTTP.
//!
//! Simulated time is real time plus an offset. Delayed steps are dated and carried out in order whenever
//! someone looks or the background task wakes, so a test advances the clock instead of sleeping.

mod account;
mod call;
mod chunks;
mod clock;
mod config;
mod config_transfer;
mod creator;
mod deliver;
mod endpoint;
mod envelope;
mod error;
mod fault;
mod ids;
mod ledger;
mod limits;
mod pipeline;
mod publish;
mod pull;
mod report;
mod routes;
mod server;
mod sim;
mod start;
mod state;
mod tokens;
mod video;
mod webhook;

pub use account::{Account, AccountPatch, Script};
pub use clock::Clock;
pub use config::{
    CapConfig, LimitConfig, LimitKey, PipelineConfig, PostIdMode, QuirkConfig, SimConfig,
    TokenConfig,
};
pub use config_transfer::{ProgressHeader, PullConfig, UploadConfig, WebhookConfig};
pub use endpoint::Endpoint;
pub use error::{SimError, StartError};
pub use fault::{Fault, FaultKind, InstalledFault};
pub use ledger::{Entry, LedgerFilter, Rule, RuleBroken, Verdict};
pub use pipeline::Published;
pub use report::{Duplicate, InitReport, UploadReport};
pub use sim::{Consent, Sim};
pub use start::serve;
pub use video::{Counters, Video};
pub use webhook::{WebhookAttempt, WebhookRecord};
