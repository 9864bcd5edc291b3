//! Ids and cursors as they leave the installation: base64url of `Type:key`. Whoever gets one must take
//! it as opaque, and can give it back to the API.

use std::fmt::Display;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The type of posts.
pub const POST: &str = "Post";
/// The type of TikTok accounts.
pub const ACCOUNT: &str = "TikTokAccount";
/// The type of addresses that are told what happens.
pub const WEBHOOK_ENDPOINT: &str = "WebhookEndpoint";
/// The list of events, whose cursors are places in it.
pub const EVENTS: &str = "event";

/// The public form of a key of the type or list `name`.
pub fn render(name: &str, key: impl Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{name}:{key}"))
}
