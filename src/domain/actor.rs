//! Who calls, and what the caller may do.

use std::{fmt, str::FromStr};

use clipqueue_entities::{AccountId, ApiKeyId, Timestamp, UserId, UserSessionId};

use super::error::{Error, Result};

/// One permission of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Delete the user with everything.
    AccountDelete,
    /// Be given everything that is held about the user.
    AccountExport,
    /// Connect TikTok accounts.
    AccountsConnect,
    /// See connected accounts.
    AccountsRead,
    /// Make and revoke API keys.
    KeysAdmin,
    /// See uploaded files.
    MediaRead,
    /// Upload files.
    MediaWrite,
    /// Act on many jobs at once, settle posts and give plans, in the whole installation.
    OpsAdmin,
    /// See jobs and queues of the whole installation.
    OpsRead,
    /// Steer jobs and queues of the whole installation.
    OpsWrite,
    /// See posts.
    PostsRead,
    /// Make, change and stop posts.
    PostsWrite,
    /// Name, change and see addresses that are told what happens.
    WebhooksAdmin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 13] = [
        Self::AccountDelete,
        Self::AccountExport,
        Self::AccountsConnect,
        Self::AccountsRead,
        Self::KeysAdmin,
        Self::MediaRead,
        Self::MediaWrite,
        Self::OpsAdmin,
        Self::OpsRead,
        Self::OpsWrite,
        Self::PostsRead,
        Self::PostsWrite,
        Self::WebhooksAdmin,
    ];

    /// The scopes of a front end's key: all but the operators' and the keys'.
    pub const CREATOR: [Self; 8] = [
        Self::AccountDelete,
        Self::AccountExport,
        Self::AccountsConnect,
        Self::AccountsRead,
        Self::MediaRead,
        Self::MediaWrite,
        Self::PostsRead,
        Self::PostsWrite,
    ];

    /// The scopes of a tenant who is signed in: all but the operators'.
    pub const TENANT: [Self; 10] = [
        Self::AccountDelete,
        Self::AccountExport,
        Self::AccountsConnect,
        Self::AccountsRead,
        Self::KeysAdmin,
        Self::MediaRead,
        Self::MediaWrite,
        Self::PostsRead,
        Self::PostsWrite,
        Self::WebhooksAdmin,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountDelete => "account:delete",
            Self::AccountExport => "account:export",
            Self::AccountsConnect => "accounts:connect",
            Self::AccountsRead => "accounts:read",
            Self::KeysAdmin => "keys:admin",
            Self::MediaRead => "media:read",
            Self::MediaWrite => "media:write",
            Self::OpsAdmin => "ops:admin",
            Self::OpsRead => "ops:read",
            Self::OpsWrite => "ops:write",
            Self::PostsRead => "posts:read",
            Self::PostsWrite => "posts:write",
            Self::WebhooksAdmin => "webhooks:admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a scope; the scopes are account:delete, account:export, accounts:connect, accounts:read, keys:admin, media:read, media:write, ops:admin, ops:read, ops:write, posts:read, posts:write and webhooks:admin"
)]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> std::result::Result<Self, UnknownScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The tenant.
    pub user_id: UserId,
    /// The tenant's name.
    pub user_name: String,
    /// The key that was shown, unless it was a session's cookie.
    pub key_id: Option<ApiKeyId>,
    /// The session whose cookie was shown.
    pub session_id: Option<UserSessionId>,
    /// What the key may do.
    pub scopes: Vec<Scope>,
    /// When the key stops working.
    pub expires_at: Option<Timestamp>,
    /// The accounts that the key is restricted to; all of the tenant's, when absent.
    pub accounts: Option<Vec<AccountId>>,
}

impl Actor {
    /// Whether the key has `scope`.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether the key may be used for this account, if it is the tenant's.
    pub fn may_use(&self, account: AccountId) -> bool {
        self.accounts
            .as_ref()
            .is_none_or(|accounts| accounts.contains(&account))
    }

    /// Refuses unless the key has `scope`.
    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.may(scope) {
            Ok(())
        } else {
            Err(Error::Forbidden(scope.as_str()))
        }
    }
}
