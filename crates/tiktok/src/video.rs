//! The Display API: a user's public videos and their counters.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::endpoint::Endpoint;
use crate::error::{Error, Malformed};
use crate::fields::Fields;
use crate::ids::PostId;
use crate::limits::{VIDEO_PAGE_MAX, VIDEO_QUERY_MAX};
use crate::secrets::AccessToken;

/// The fields of a video that are asked for. `is_aigc` is left out: not every copy of the documentation has it, and one
/// unknown field can fail the whole call.
const FIELDS: &str = "id,create_time,cover_image_url,share_url,video_description,title,duration,height,width,\
                      embed_html,embed_link,like_count,comment_count,share_count,view_count";

/// A public video. Counters that TikTok did not send are absent, not zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    /// Its id.
    pub id: PostId,
    /// When it was posted, in Unix seconds.
    pub create_time: Option<i64>,
    /// Cover; the address lives for six hours.
    pub cover_image_url: Option<String>,
    /// Public link, with TikTok's tracking parameters.
    pub share_url: Option<String>,
    /// Caption, which TikTok may cut.
    pub description: Option<String>,
    /// Title, which TikTok may cut.
    pub title: Option<String>,
    /// Length in seconds.
    pub duration: Option<i64>,
    /// Height in pixels.
    pub height: Option<i64>,
    /// Width in pixels.
    pub width: Option<i64>,
    /// HTML that embeds it.
    pub embed_html: Option<String>,
    /// Address of the embedded player.
    pub embed_link: Option<String>,
    /// Likes.
    pub like_count: Option<i64>,
    /// Comments.
    pub comment_count: Option<i64>,
    /// Shares.
    pub share_count: Option<i64>,
    /// Views.
    pub view_count: Option<i64>,
}

/// A page of videos, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoPage {
    /// The videos. One without a readable id is left out.
    pub videos: Vec<Video>,
    /// Where the next page begins, in Unix milliseconds.
    pub cursor: Option<i64>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// 1 to 20 ids to ask for at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoIds(Vec<PostId>);

impl VideoIds {
    /// Checks the number of ids.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for none or more than 20.
    pub fn new(ids: Vec<PostId>) -> Result<Self, Error> {
        let reason = match ids.len() {
            0 => "a video query needs at least one id",
            n if n > VIDEO_QUERY_MAX => "a video query takes at most 20 ids",
            _ => return Ok(Self(ids)),
        };
        Err(Error::InvalidRequest { reason })
    }
}

impl Client {
    /// Lists the user's public videos from `cursor` back in time, or from the newest. `max_count` is brought into 1 to 20.
    ///
    /// # Errors
    /// What any call can end in.
    pub async fn list_videos(
        &self,
        token: &AccessToken,
        cursor: Option<i64>,
        max_count: u8,
    ) -> Result<Answer<VideoPage>, Error> {
        let mut body = json!({ "max_count": max_count.clamp(1, VIDEO_PAGE_MAX) });
        if let Some(cursor) = cursor {
            body["cursor"] = cursor.into();
        }
        let opened = self
            .post_json(Endpoint::VideoList, token, &fields(), &body)
            .await?;
        opened.read(|mut data| {
            Ok(VideoPage {
                cursor: data.signed("cursor"),
                has_more: data.flag("has_more").unwrap_or(false),
                videos: read_videos(&mut data)?,
            })
        })
    }

    /// Asks for videos by id. One that is missing from the answer is not visible now: private, deleted or another user's.
    ///
    /// # Errors
    /// What any call can end in.
    pub async fn query_videos(
        &self,
        token: &AccessToken,
        ids: &VideoIds,
    ) -> Result<Answer<Vec<Video>>, Error> {
        let ids: Vec<&str> = ids.0.iter().map(PostId::as_str).collect();
        let body = json!({ "filters": { "video_ids": ids } });
        let opened = self
            .post_json(Endpoint::VideoQuery, token, &fields(), &body)
            .await?;
        opened.read(|mut data| read_videos(&mut data))
    }
}

fn fields() -> [(&'static str, String); 1] {
    [("fields", FIELDS.to_owned())]
}

/// An answer that says nothing of videos must not read as "there are none".
fn read_videos(data: &mut Fields) -> Result<Vec<Video>, Malformed> {
    if data.list("videos").is_none() && data.flag("has_more").is_none() {
        return Err(Malformed::Missing("videos"));
    }
    Ok(data
        .take_list("videos")
        .into_iter()
        .filter_map(read_video)
        .collect())
}

fn read_video(value: Value) -> Option<Video> {
    let Value::Object(object) = value else {
        return None;
    };
    let video = Fields(object);
    Some(Video {
        id: video.post_id("id")?,
        create_time: video.signed("create_time"),
        cover_image_url: video.owned("cover_image_url"),
        share_url: video.owned("share_url"),
        description: video.owned("video_description"),
        title: video.owned("title"),
        duration: video.signed("duration"),
        height: video.signed("height"),
        width: video.signed("width"),
        embed_html: video.owned("embed_html"),
        embed_link: video.owned("embed_link"),
        like_count: video.signed("like_count"),
        comment_count: video.signed("comment_count"),
        share_count: video.signed("share_count"),
        view_count: video.signed("view_count"),
    })
}
