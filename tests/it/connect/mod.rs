//! Connecting accounts: to TikTok's consent page and back, and again; for whom it is, and what for.

mod consent;
mod purposes;
mod reconnect;
mod sealed;
