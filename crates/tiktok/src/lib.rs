//! A typed client of TikTok's Login Kit, Content Posting API, Display API and webhooks.
//!
//! What it does: one method of [`Client`] per endpoint, requests that cannot be malformed, answers
//! read with tolerance (a missing or unknown field is never an error unless the answer is useless
//! without it), and errors sorted into decisions by [`Error::class`].
//!
//! What it does not know: no database, no clock, no retry, no rate limiter. It never logs a body, a
//! token or an upload URL, and it holds them in types that cannot print themselves. Whoever calls
//! decides what to do next; this crate only says what happened, and above all whether a request
//! is known not to have been processed or may have been ([`Error::outcome`]).
//!
//! The life of one call: a request is built from typed parts ([`publish`], [`video`], …), sent by
//! `transport` under a timeout with a bounded answer, split by `envelope` into data and refusal,
//! and the data is read field by field into a struct. Every answer keeps its log ids as evidence.
//!
//! The modules, in the order of a post's life: [`config`], [`client`], [`oauth`] and [`pkce`],
//! [`user`], [`creator`], [`chunks`], [`publish`], [`upload`], [`status`], [`webhook`], [`video`].

pub mod chunks;
pub mod client;
pub mod config;
pub mod creator;
pub mod endpoint;
mod envelope;
pub mod error;
mod fields;
pub mod hosts;
pub mod ids;
pub mod limits;
pub mod oauth;
pub mod pkce;
pub mod publish;
pub mod scope;
pub mod secrets;
pub mod status;
pub mod text;
mod transport;
pub mod upload;
pub mod user;
pub mod video;
pub mod webhook;

pub use chunks::{Chunk, ChunkPlan, PlanError};
pub use client::{Answer, Client};
pub use config::{Config, ConfigError, Timeouts};
pub use creator::{CreatorInfo, PrivacyLevel};
pub use endpoint::Endpoint;
pub use error::{
    Class, Error, ErrorCode, FailReason, LogIds, OAuthCode, Outcome, Sent, UploadRefusal, Who,
};
pub use hosts::HostRule;
pub use ids::{LogId, OpenId, PostId, PublishId};
pub use scope::{Scope, Scopes};
pub use secrets::{AccessToken, RefreshToken, UploadUrl};
pub use status::{PublishState, PublishStatus};
pub use text::utf16_len;
