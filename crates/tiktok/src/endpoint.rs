//! The endpoints by name: path, per-minute limit, and a label for logs and metrics.

use crate::limits;

/// One endpoint of TikTok's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Code exchange and refresh.
    Token,
    /// Revocation of a user's grant.
    Revoke,
    /// Profile and counters of the user.
    UserInfo,
    /// What the creator may post right now.
    CreatorInfo,
    /// Init of a direct video post.
    VideoInit,
    /// Init of a draft video.
    InboxVideoInit,
    /// Init of a photo post or draft.
    PhotoInit,
    /// Bytes of one chunk. Its address comes with the init.
    ChunkUpload,
    /// State of a publishing task.
    StatusFetch,
    /// Cancellation of a publishing task.
    Cancel,
    /// The user's public videos, newest first.
    VideoList,
    /// The user's public videos by id.
    VideoQuery,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: &[Self] = &[
        Self::Token,
        Self::Revoke,
        Self::UserInfo,
        Self::CreatorInfo,
        Self::VideoInit,
        Self::InboxVideoInit,
        Self::PhotoInit,
        Self::ChunkUpload,
        Self::StatusFetch,
        Self::Cancel,
        Self::VideoList,
        Self::VideoQuery,
    ];

    /// The path under the API base, with the trailing slash that TikTok documents. Empty for
    /// [`Endpoint::ChunkUpload`], whose URL is not ours to build.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Token => "v2/oauth/token/",
            Self::Revoke => "v2/oauth/revoke/",
            Self::UserInfo => "v2/user/info/",
            Self::CreatorInfo => "v2/post/publish/creator_info/query/",
            Self::VideoInit => "v2/post/publish/video/init/",
            Self::InboxVideoInit => "v2/post/publish/inbox/video/init/",
            Self::PhotoInit => "v2/post/publish/content/init/",
            Self::ChunkUpload => "",
            Self::StatusFetch => "v2/post/publish/status/fetch/",
            Self::Cancel => "v2/post/publish/cancel/",
            Self::VideoList => "v2/video/list/",
            Self::VideoQuery => "v2/video/query/",
        }
    }

    /// A short stable name.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Token => "oauth_token",
            Self::Revoke => "oauth_revoke",
            Self::UserInfo => "user_info",
            Self::CreatorInfo => "creator_info",
            Self::VideoInit => "video_init",
            Self::InboxVideoInit => "inbox_video_init",
            Self::PhotoInit => "photo_init",
            Self::ChunkUpload => "chunk_upload",
            Self::StatusFetch => "status_fetch",
            Self::Cancel => "cancel",
            Self::VideoList => "video_list",
            Self::VideoQuery => "video_query",
        }
    }

    /// Calls that TikTok documents per minute; `None` where it documents no limit.
    #[must_use]
    pub fn per_minute(self) -> Option<u32> {
        match self {
            Self::CreatorInfo => Some(limits::CREATOR_INFO_PER_MINUTE),
            Self::VideoInit => Some(limits::VIDEO_INIT_PER_MINUTE),
            Self::InboxVideoInit => Some(limits::INBOX_INIT_PER_MINUTE),
            Self::PhotoInit => Some(limits::PHOTO_INIT_PER_MINUTE),
            Self::StatusFetch => Some(limits::STATUS_PER_MINUTE),
            Self::UserInfo | Self::VideoList | Self::VideoQuery => Some(limits::DISPLAY_PER_MINUTE),
            Self::Token | Self::Revoke | Self::ChunkUpload | Self::Cancel => None,
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label())
    }
}
