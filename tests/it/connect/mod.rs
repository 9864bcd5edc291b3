//! Connecting accounts: to TikTok's consent page and back, and again.

mod consent;
mod reconnect;
mod sealed;
