//! The three inits, which open a publishing task, and its cancellation.
//!
//! TikTok has no idempotency key: an init whose answer is lost ([`crate::Class::Ambiguous`]) may have opened
//! a task. With [`VideoSource::FileUpload`] that task publishes nothing without its bytes; a pulled source
//! publishes by itself. The publish id is to be stored before anything else is done.

use serde_json::{Map, Value, json};
use url::Url;

use crate::chunks::ChunkPlan;
use crate::client::{Answer, Client};
use crate::creator::PrivacyLevel;
use crate::endpoint::Endpoint;
use crate::envelope::Opened;
use crate::error::{Error, Malformed};
use crate::ids::PublishId;
use crate::limits::PHOTO_MAX_IMAGES;
use crate::secrets::{AccessToken, UploadUrl};

/// The commercial content that a creator declares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disclosure {
    /// A paid partnership for somebody else (`brand_content_toggle`).
    pub branded_content: bool,
    /// The creator's own business (`brand_organic_toggle`).
    pub own_brand: bool,
}

/// A direct video post, apart from its bytes. The rules between the fields are the caller's to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoPost {
    /// Caption of up to 2200 UTF-16 units; `None` for none.
    pub title: Option<String>,
    /// One of the creator's options.
    pub privacy_level: PrivacyLevel,
    /// Forbid duets.
    pub disable_duet: bool,
    /// Forbid stitches.
    pub disable_stitch: bool,
    /// Forbid comments.
    pub disable_comment: bool,
    /// The frame to show as cover, in milliseconds from the start; `None` is the first.
    pub cover_timestamp_ms: Option<i32>,
    /// Commercial content.
    pub disclosure: Disclosure,
    /// Label the video as made by AI.
    pub is_aigc: bool,
}

/// Where TikTok gets a video's bytes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoSource {
    /// From us, in these chunks.
    FileUpload(ChunkPlan),
    /// From a URL on a domain that is verified for the app.
    PullFromUrl(Url),
}

/// An open video task.
#[derive(Debug, Clone)]
pub struct VideoInit {
    /// Its handle. Store it first.
    pub publish_id: PublishId,
    /// Where the bytes go. `None` for a pulled source, and if TikTok sent nothing usable.
    pub upload_url: Option<UploadUrl>,
}

/// 1 to 35 images on verified domains, one of which is the cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoSet {
    urls: Vec<Url>,
    cover_index: usize,
}

/// What becomes of photos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhotoMode {
    /// A draft in the creator's inbox.
    Draft,
    /// A post.
    Direct {
        /// One of the creator's options.
        privacy_level: PrivacyLevel,
        /// Forbid comments.
        disable_comment: bool,
        /// Let TikTok add music.
        auto_add_music: bool,
        /// Commercial content.
        disclosure: Disclosure,
    },
}

/// A photo post or draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoPost {
    /// Title of up to 90 UTF-16 units.
    pub title: Option<String>,
    /// Text of up to 4000 UTF-16 units.
    pub description: Option<String>,
    /// The images, which TikTok pulls.
    pub photos: PhotoSet,
    /// Draft or post.
    pub mode: PhotoMode,
    /// Label the photos as made by AI.
    pub is_aigc: bool,
}

impl PhotoSet {
    /// Checks the number of images and the place of the cover, counted from 0.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for no image, more than 35, or a cover that is not among them.
    pub fn new(urls: Vec<Url>, cover_index: usize) -> Result<Self, Error> {
        let reason = match urls.len() {
            0 => "a photo post needs at least one image",
            n if n > PHOTO_MAX_IMAGES => "a photo post takes at most 35 images",
            n if cover_index >= n => "the cover is not among the images",
            _ => return Ok(Self { urls, cover_index }),
        };
        Err(Error::InvalidRequest { reason })
    }
}

impl VideoSource {
    fn to_json(&self) -> Value {
        match self {
            Self::FileUpload(plan) => json!({
                "source": "FILE_UPLOAD",
                "video_size": plan.size(),
                "chunk_size": plan.chunk_size(),
                "total_chunk_count": plan.count(),
            }),
            Self::PullFromUrl(url) => json!({
                "source": "PULL_FROM_URL",
                "video_url": url.as_str(),
            }),
        }
    }
}

impl VideoPost {
    fn to_json(&self) -> Value {
        let mut info = Map::new();
        put_text(&mut info, "title", self.title.as_deref());
        if let Some(ms) = self.cover_timestamp_ms {
            info.insert("video_cover_timestamp_ms".into(), ms.into());
        }
        put(&mut info, "privacy_level", self.privacy_level.as_str());
        put(&mut info, "disable_duet", self.disable_duet);
        put(&mut info, "disable_stitch", self.disable_stitch);
        put(&mut info, "disable_comment", self.disable_comment);
        put(&mut info, "is_aigc", self.is_aigc);
        self.disclosure.put(&mut info);
        Value::Object(info)
    }
}

impl PhotoPost {
    fn to_json(&self) -> Value {
        let mut info = Map::new();
        put_text(&mut info, "title", self.title.as_deref());
        put_text(&mut info, "description", self.description.as_deref());
        let post_mode = match &self.mode {
            PhotoMode::Draft => "MEDIA_UPLOAD",
            PhotoMode::Direct {
                privacy_level,
                disable_comment,
                auto_add_music,
                disclosure,
            } => {
                put(&mut info, "privacy_level", privacy_level.as_str());
                put(&mut info, "disable_comment", *disable_comment);
                put(&mut info, "auto_add_music", *auto_add_music);
                disclosure.put(&mut info);
                "DIRECT_POST"
            }
        };
        json!({
            "media_type": "PHOTO",
            "post_mode": post_mode,
            // For photos the AI label stands beside post_info, not in it.
            "is_aigc": self.is_aigc,
            "post_info": info,
            "source_info": {
                "source": "PULL_FROM_URL",
                "photo_images": self.photos.urls.iter().map(Url::as_str).collect::<Vec<_>>(),
                "photo_cover_index": self.photos.cover_index,
            },
        })
    }
}

impl Disclosure {
    /// Always sends both: the documentation calls one required and leaves it out of its own examples.
    fn put(self, info: &mut Map<String, Value>) {
        put(info, "brand_content_toggle", self.branded_content);
        put(info, "brand_organic_toggle", self.own_brand);
    }
}

fn put(info: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    info.insert(name.to_owned(), value.into());
}

fn put_text(info: &mut Map<String, Value>, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        put(info, name, text);
    }
}

impl Client {
    /// Opens a direct video post.
    ///
    /// # Errors
    /// The caps and refusals of [`crate::Class`], and what any call can end in.
    pub async fn init_video(
        &self,
        token: &AccessToken,
        post: &VideoPost,
        source: &VideoSource,
    ) -> Result<Answer<VideoInit>, Error> {
        let body = json!({ "post_info": post.to_json(), "source_info": source.to_json() });
        let opened = self
            .post_json(Endpoint::VideoInit, token, &[], &body)
            .await?;
        read_video_init(opened)
    }

    /// Opens a video draft in the creator's inbox. TikTok takes no text with it.
    ///
    /// # Errors
    /// The caps and refusals of [`crate::Class`], and what any call can end in.
    pub async fn init_inbox_video(
        &self,
        token: &AccessToken,
        source: &VideoSource,
    ) -> Result<Answer<VideoInit>, Error> {
        let body = json!({ "source_info": source.to_json() });
        let opened = self
            .post_json(Endpoint::InboxVideoInit, token, &[], &body)
            .await?;
        read_video_init(opened)
    }

    /// Opens a photo post or draft. TikTok pulls the images, so this call is what publishes.
    ///
    /// # Errors
    /// The caps and refusals of [`crate::Class`], and what any call can end in.
    pub async fn init_photo(
        &self,
        token: &AccessToken,
        post: &PhotoPost,
    ) -> Result<Answer<PublishId>, Error> {
        let opened = self
            .post_json(Endpoint::PhotoInit, token, &[], &post.to_json())
            .await?;
        opened.read(|data| publish_id(data.need_filled("publish_id")?))
    }

    /// Asks TikTok to drop a task. Best effort: near its end a task goes on, so only the status tells.
    ///
    /// # Errors
    /// [`crate::Class::NotCancellable`] for a final task, and what any call can end in.
    pub async fn cancel(
        &self,
        token: &AccessToken,
        publish_id: &PublishId,
    ) -> Result<Answer<()>, Error> {
        let body = json!({ "publish_id": publish_id.as_str() });
        let opened = self.post_json(Endpoint::Cancel, token, &[], &body).await?;
        opened.read(|_| Ok(()))
    }
}

fn read_video_init(opened: Opened) -> Result<Answer<VideoInit>, Error> {
    opened.read(|data| {
        Ok(VideoInit {
            publish_id: publish_id(data.need_filled("publish_id")?)?,
            upload_url: data
                .filled("upload_url")
                .and_then(|url| UploadUrl::parse(url).ok()),
        })
    })
}

fn publish_id(text: &str) -> Result<PublishId, Malformed> {
    PublishId::parse(text).map_err(|_| Malformed::Missing("publish_id"))
}
