//! The types that the operations give, one a file. Each wraps what the domain gave and computes
//! nothing of its own.

pub(crate) mod account;
pub(crate) mod api_key;
pub(crate) mod attempt;
pub(crate) mod audit;
pub(crate) mod breaker;
pub(crate) mod bulk;
pub(crate) mod creator;
pub(crate) mod direct;
pub(crate) mod erasure;
pub(crate) mod event;
pub(crate) mod experiment;
pub(crate) mod export;
pub(crate) mod job;
pub(crate) mod job_attempt;
pub(crate) mod library;
pub(crate) mod media;
pub(crate) mod media_facts;
pub(crate) mod metric;
pub(crate) mod node;
pub(crate) mod photos;
pub(crate) mod post;
pub(crate) mod post_parts;
pub(crate) mod post_state;
pub(crate) mod post_video;
pub(crate) mod posting_budget;
pub(crate) mod preflight;
pub(crate) mod queue;
pub(crate) mod retention;
pub(crate) mod scope;
pub(crate) mod source;
pub(crate) mod usage;
pub(crate) mod viewer;
pub(crate) mod watch;
pub(crate) mod webhook;
pub(crate) mod when;
