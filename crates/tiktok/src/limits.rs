//! TikTok's numbers, each with what it limits.
//!
//! They come from the documentation of the endpoints as of 2026-09, tightened where the
//! documentation can be read in two ways or where a stricter rule was observed. The crate itself
//! enforces only those that shape a request (chunks, list sizes); the others are for the caller's
//! checks and rate limiters.

use std::time::Duration;

/// The window of every per-minute limit: sliding, one minute.
pub const RATE_WINDOW: Duration = Duration::from_secs(60);
/// `creator_info/query` calls per minute and user token.
pub const CREATOR_INFO_PER_MINUTE: u32 = 20;
/// Direct video inits per minute and user token.
pub const VIDEO_INIT_PER_MINUTE: u32 = 6;
/// Inbox (draft) video inits per minute and user token.
pub const INBOX_INIT_PER_MINUTE: u32 = 6;
/// Photo inits per minute and user token.
pub const PHOTO_INIT_PER_MINUTE: u32 = 6;
/// Status fetches per minute and user token.
pub const STATUS_PER_MINUTE: u32 = 30;
/// `user/info`, `video/list` and `video/query` calls per minute, each. Whether the bucket belongs to the
/// app or to the token is not documented.
pub const DISPLAY_PER_MINUTE: u32 = 600;

/// The window after which a creator's or the app's daily cap frees itself.
pub const CAP_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
/// Drafts that may wait in a creator's inbox within [`CAP_WINDOW`].
pub const PENDING_DRAFTS: u32 = 5;
/// Direct posts per creator and day, over all API clients together. It varies by creator.
pub const DIRECT_POSTS_PER_DAY: u32 = 15;
/// Creators that an unaudited client may post for within [`CAP_WINDOW`].
pub const UNAUDITED_CREATORS_PER_DAY: u32 = 5;

/// Caption of a video in UTF-16 code units.
pub const VIDEO_TITLE_UTF16: usize = 2200;
/// Title of a photo post in UTF-16 code units.
pub const PHOTO_TITLE_UTF16: usize = 90;
/// Description of a photo post in UTF-16 code units.
pub const PHOTO_DESCRIPTION_UTF16: usize = 4000;

/// Largest video file in bytes: 4 GB in the decimal reading, the smaller of the two.
pub const VIDEO_MAX_BYTES: u64 = 4_000_000_000;
/// Frames per second, lowest.
pub const VIDEO_MIN_FPS: u32 = 23;
/// Frames per second, highest.
pub const VIDEO_MAX_FPS: u32 = 60;
/// Shortest allowed side of a video frame in pixels.
pub const VIDEO_MIN_SIDE: u32 = 360;
/// Longest allowed side of a video frame in pixels.
pub const VIDEO_MAX_SIDE: u32 = 4096;
/// Duration that every creator may post. A creator's own limit is
/// [`crate::CreatorInfo::max_video_duration`].
pub const VIDEO_MAX_DURATION_EVERYONE: Duration = Duration::from_secs(3 * 60);
/// Longest video that the draft endpoint takes.
pub const VIDEO_MAX_DURATION_INBOX: Duration = Duration::from_secs(10 * 60);

/// Images in one photo post, at most. The least is one.
pub const PHOTO_MAX_IMAGES: usize = 35;
/// Bytes of one image, at most (decimal reading).
pub const PHOTO_MAX_BYTES: u64 = 20_000_000;
/// Pixels of an image's shorter side, at most: the best evidence for "1080p".
pub const PHOTO_MAX_SHORT_SIDE: u32 = 1080;
/// Pixels of an image's longer side to stay on the safe side of "1080p".
pub const PHOTO_MAX_LONG_SIDE: u32 = 1920;

/// Life of an upload URL; the whole upload must end inside it.
pub const UPLOAD_URL_LIFE: Duration = Duration::from_secs(60 * 60);
/// Time that TikTok gives a pull from a URL.
pub const PULL_LIFE: Duration = Duration::from_secs(60 * 60);
/// Life of a creator's avatar URL.
pub const AVATAR_URL_LIFE: Duration = Duration::from_secs(2 * 60 * 60);
/// Life of a video's cover URL.
pub const COVER_URL_LIFE: Duration = Duration::from_secs(6 * 60 * 60);

/// Life to assume for an access token whose answer names none: the shortest documented.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(2 * 60 * 60);
/// Life to assume for a refresh token whose answer names none: the shortest documented.
pub const REFRESH_TOKEN_LIFE: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// How long a publish id may be unknown to status/fetch just after its init.
pub const STATUS_LAG: Duration = Duration::from_secs(60);
/// How long TikTok repeats a webhook that was not answered with 200.
pub const WEBHOOK_RETRY_WINDOW: Duration = Duration::from_secs(72 * 60 * 60);

/// Videos in one page of `video/list`, at most.
pub const VIDEO_PAGE_MAX: u8 = 20;
/// Ids in one `video/query`, at most.
pub const VIDEO_QUERY_MAX: usize = 20;
