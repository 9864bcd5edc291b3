//! What an API key may do.

use async_graphql::Enum;

/// One permission of an API key. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "Scope", remote = "crate::domain::actor::Scope")]
pub(crate) enum ApiScope {
    /// `account:delete`: delete the user with everything.
    AccountDelete,
    /// `account:export`: be given everything that is held about the user.
    AccountExport,
    /// `accounts:connect`: connect TikTok accounts.
    AccountsConnect,
    /// `accounts:read`: see connected accounts.
    AccountsRead,
    /// `keys:admin`: make, see and revoke API keys.
    KeysAdmin,
    /// `media:read`: see uploaded files.
    MediaRead,
    /// `media:write`: upload and delete files.
    MediaWrite,
    /// `ops:admin`: act on many jobs at once, settle posts and give plans, in the whole installation.
    OpsAdmin,
    /// `ops:read`: see jobs and queues of the whole installation.
    OpsRead,
    /// `ops:write`: steer jobs and queues of the whole installation.
    OpsWrite,
    /// `posts:read`: see posts.
    PostsRead,
    /// `posts:write`: make, change and stop posts.
    PostsWrite,
    /// `webhooks:admin`: name, change and see addresses that are told what happens.
    WebhooksAdmin,
}
