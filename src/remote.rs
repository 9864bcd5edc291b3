//! TikTok as the product calls it: the client of `crates/tiktok` behind crash points.
//!
//! Nothing else in `src/` holds a [`tiktok::Client`], so a call without crash points does not
//! compile, and a new method of the client is out of reach until it stands here with its endpoint.
//! It decides nothing and retries nothing.

use oauth2::{AuthorizationCode, PkceCodeVerifier};
use tiktok::{
    AccessToken, Answer, Chunk, Config, ConfigError, Endpoint, Error, PublishId, PublishStatus,
    RefreshToken, UploadUrl,
    creator::CreatorInfo,
    oauth::{Authorize, Connected, Refreshed},
    publish::{PhotoPost, VideoInit, VideoPost, VideoSource},
    upload::{Accepted, ChunkBody, VideoType},
    user::{UserFields, UserInfo},
    video::{Video, VideoIds, VideoPage},
};
use url::Url;

use crate::crash::{Step, around};

/// What a call gives.
type Called<T> = Result<Answer<T>, Error>;

/// TikTok.
#[derive(Clone, Debug)]
pub struct Tiktok {
    client: tiktok::Client,
}

impl Tiktok {
    /// A client of TikTok for one app.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let client = tiktok::Client::new(config)?;
        Ok(Self { client })
    }

    /// The address of the consent page; no call.
    pub fn authorize_url(&self, ask: &Authorize<'_>) -> Url {
        self.client.authorize_url(ask)
    }

    /// See [`tiktok::Client::exchange_code`].
    pub async fn exchange_code(
        &self,
        code: &AuthorizationCode,
        redirect_uri: &Url,
        verifier: &PkceCodeVerifier,
    ) -> Called<Connected> {
        let call = self.client.exchange_code(code, redirect_uri, verifier);
        around(Step::Call(Endpoint::Token), call).await
    }

    /// See [`tiktok::Client::refresh`].
    pub async fn refresh(&self, refresh_token: &RefreshToken) -> Called<Refreshed> {
        let call = self.client.refresh(refresh_token);
        around(Step::Call(Endpoint::Token), call).await
    }

    /// See [`tiktok::Client::revoke`].
    pub async fn revoke(&self, token: &AccessToken) -> Called<()> {
        around(Step::Call(Endpoint::Revoke), self.client.revoke(token)).await
    }

    /// See [`tiktok::Client::user_info`].
    pub async fn user_info(&self, token: &AccessToken, fields: &UserFields) -> Called<UserInfo> {
        let call = self.client.user_info(token, fields);
        around(Step::Call(Endpoint::UserInfo), call).await
    }

    /// See [`tiktok::Client::creator_info`].
    pub async fn creator_info(&self, token: &AccessToken) -> Called<CreatorInfo> {
        let call = self.client.creator_info(token);
        around(Step::Call(Endpoint::CreatorInfo), call).await
    }

    /// See [`tiktok::Client::init_video`].
    pub async fn init_video(
        &self,
        token: &AccessToken,
        post: &VideoPost,
        source: &VideoSource,
    ) -> Called<VideoInit> {
        let call = self.client.init_video(token, post, source);
        around(Step::Call(Endpoint::VideoInit), call).await
    }

    /// See [`tiktok::Client::init_inbox_video`].
    pub async fn init_inbox_video(
        &self,
        token: &AccessToken,
        source: &VideoSource,
    ) -> Called<VideoInit> {
        let call = self.client.init_inbox_video(token, source);
        around(Step::Call(Endpoint::InboxVideoInit), call).await
    }

    /// See [`tiktok::Client::init_photo`].
    pub async fn init_photo(&self, token: &AccessToken, post: &PhotoPost) -> Called<PublishId> {
        let call = self.client.init_photo(token, post);
        around(Step::Call(Endpoint::PhotoInit), call).await
    }

    /// See [`tiktok::Client::upload_chunk`].
    pub async fn upload_chunk(
        &self,
        to: &UploadUrl,
        chunk: Chunk,
        video_type: VideoType,
        body: ChunkBody,
    ) -> Called<Accepted> {
        let call = self.client.upload_chunk(to, chunk, video_type, body);
        around(Step::Call(Endpoint::ChunkUpload), call).await
    }

    /// See [`tiktok::Client::publish_status`].
    pub async fn publish_status(
        &self,
        token: &AccessToken,
        publish_id: &PublishId,
    ) -> Called<PublishStatus> {
        let call = self.client.publish_status(token, publish_id);
        around(Step::Call(Endpoint::StatusFetch), call).await
    }

    /// See [`tiktok::Client::cancel`].
    pub async fn cancel(&self, token: &AccessToken, publish_id: &PublishId) -> Called<()> {
        let call = self.client.cancel(token, publish_id);
        around(Step::Call(Endpoint::Cancel), call).await
    }

    /// See [`tiktok::Client::list_videos`].
    pub async fn list_videos(
        &self,
        token: &AccessToken,
        cursor: Option<i64>,
        max_count: u8,
    ) -> Called<VideoPage> {
        let call = self.client.list_videos(token, cursor, max_count);
        around(Step::Call(Endpoint::VideoList), call).await
    }

    /// See [`tiktok::Client::query_videos`].
    pub async fn query_videos(&self, token: &AccessToken, ids: &VideoIds) -> Called<Vec<Video>> {
        let call = self.client.query_videos(token, ids);
        around(Step::Call(Endpoint::VideoQuery), call).await
    }
}
