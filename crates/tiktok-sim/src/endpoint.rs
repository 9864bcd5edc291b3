//! The endpoints TikTok offers, as names that faults and the ledger share.

use http::Method;
use serde::{Deserialize, Serialize};

/// One endpoint. The token endpoint counts as three, by grant type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// The consent page.
    Authorize,
    /// `oauth/token` with an authorization code.
    OauthExchange,
    /// `oauth/token` with a refresh token.
    OauthRefresh,
    /// `oauth/token` for the client itself, or with a grant type that does not exist.
    OauthClient,
    /// `oauth/revoke`.
    OauthRevoke,
    /// `user/info`.
    UserInfo,
    /// `post/publish/creator_info/query`.
    CreatorInfo,
    /// `post/publish/video/init`.
    VideoInit,
    /// `post/publish/inbox/video/init`.
    InboxInit,
    /// `post/publish/content/init`.
    PhotoInit,
    /// PUT to an `upload_url`.
    Upload,
    /// `post/publish/status/fetch`.
    Status,
    /// `post/publish/cancel`.
    Cancel,
    /// `video/list`.
    VideoList,
    /// `video/query`.
    VideoQuery,
    /// Anything else.
    Unknown,
}

/// Path of the bytes endpoint; an `upload_url` adds its query.
pub(crate) const UPLOAD_PATH: &str = "/video/";
/// Path of the consent page.
pub(crate) const AUTHORIZE_PATH: &str = "/v2/auth/authorize/";

impl Endpoint {
    /// The endpoint at `path`, with the method it wants. The grant type splits the token endpoint.
    pub(crate) fn at(path: &str, body: &[u8]) -> Option<(Self, Method)> {
        Some(match path {
            AUTHORIZE_PATH => (Self::Authorize, Method::GET),
            "/v2/oauth/token/" => (Self::of_grant(body), Method::POST),
            "/v2/oauth/revoke/" => (Self::OauthRevoke, Method::POST),
            "/v2/user/info/" => (Self::UserInfo, Method::GET),
            "/v2/post/publish/creator_info/query/" => (Self::CreatorInfo, Method::POST),
            "/v2/post/publish/video/init/" => (Self::VideoInit, Method::POST),
            "/v2/post/publish/inbox/video/init/" => (Self::InboxInit, Method::POST),
            "/v2/post/publish/content/init/" => (Self::PhotoInit, Method::POST),
            UPLOAD_PATH => (Self::Upload, Method::PUT),
            "/v2/post/publish/status/fetch/" => (Self::Status, Method::POST),
            "/v2/post/publish/cancel/" => (Self::Cancel, Method::POST),
            "/v2/video/list/" => (Self::VideoList, Method::POST),
            "/v2/video/query/" => (Self::VideoQuery, Method::POST),
            _ => return None,
        })
    }

    fn of_grant(body: &[u8]) -> Self {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body).unwrap_or_default();
        let grant = pairs
            .iter()
            .find(|(name, _)| name == "grant_type")
            .map(|(_, value)| value.as_str());
        match grant {
            Some("authorization_code") => Self::OauthExchange,
            Some("refresh_token") => Self::OauthRefresh,
            _ => Self::OauthClient,
        }
    }

    /// Whether errors here are flat instead of wrapped.
    pub(crate) fn is_oauth(self) -> bool {
        matches!(
            self,
            Self::OauthExchange | Self::OauthRefresh | Self::OauthClient | Self::OauthRevoke
        )
    }

    /// Whether this is one of the three inits.
    pub fn is_init(self) -> bool {
        matches!(self, Self::VideoInit | Self::InboxInit | Self::PhotoInit)
    }

    /// Whether this endpoint's page documents `invalid_param` without the s.
    pub(crate) fn is_posting(self) -> bool {
        self.is_init() || matches!(self, Self::CreatorInfo | Self::Status | Self::Cancel)
    }
}
