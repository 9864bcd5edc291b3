//! Announcing files and taking them away.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use clipqueue_entities::MediaId;

use crate::{
    domain::{
        actor::Scope,
        uploads::{self, Announcement},
    },
    graphql::{
        guard::{Needs, actor, app},
        ids::Global as _,
        scalars::{BigInt, DateTime, Url},
        types::media::Media,
        user_error::{UserError, settle},
    },
};

/// A file to upload.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct CreateUploadInput {
    /// A text of your choice, such as a fresh UUID. The same key with the same request gives the same
    /// file again.
    idempotency_key: String,
    /// The file's name; shown, never trusted.
    filename: String,
    /// Bytes in all.
    size: BigInt,
    /// The file's type, such as `video/mp4`; shown, never trusted.
    content_type: Option<String>,
    /// The file's SHA-256 in hexadecimal. When a READY file of yours has it already, that file is given
    /// and nothing needs to be sent; otherwise bytes with another one are refused.
    sha256: Option<String>,
    /// The folder that it shall lie in, such as `2027/may`.
    folder: Option<String>,
    /// Your own reference.
    reference: Option<String>,
}

impl From<CreateUploadInput> for Announcement {
    fn from(input: CreateUploadInput) -> Self {
        Self {
            filename: input.filename,
            // The store refuses an empty file, which says enough about a negative size.
            size: u64::try_from(input.size.0).unwrap_or_default(),
            content_type: input.content_type,
            sha256: input.sha256,
            folder: input.folder,
            reference: input.reference,
        }
    }
}

/// Where to send a file's bytes.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct CreateUploadPayload {
    /// The file, still without its bytes; or the one that has them already.
    media: Option<Media>,
    /// The address to send the bytes to by tus 1.0.0 (HEAD, then PATCH). It needs no API key and is as
    /// good as one for this upload: give it to the uploader alone. Null when no bytes are needed.
    upload_url: Option<Url>,
    /// Until when the address is good; ask again with the same key for a fresh one.
    expires_at: Option<DateTime>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// A file to take away.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct DeleteMediaInput {
    /// The file.
    id: ID,
}

/// The file that was taken away.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct DeleteMediaPayload {
    /// The file; its bytes are gone, what is known about it is kept for the posts that used it.
    media: Option<Media>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

#[derive(Debug, Default)]
pub(crate) struct MediaMutations;

#[Object]
impl MediaMutations {
    /// Announces a file and gives the address to send its bytes to. Needs the scope `media:write`.
    #[graphql(guard = "Needs(Scope::MediaWrite)")]
    async fn create_upload(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file.")] input: CreateUploadInput,
    ) -> Result<CreateUploadPayload> {
        let key = input.idempotency_key.clone();
        let upload = uploads::begin(app(ctx), actor(ctx)?, input.into(), &key).await;
        let (upload, user_errors) = settle("idempotencyKey", upload)?;
        Ok(CreateUploadPayload {
            upload_url: upload
                .as_ref()
                .and_then(|upload| upload.url.clone())
                .map(Url),
            expires_at: upload
                .as_ref()
                .and_then(|upload| upload.expires_at)
                .map(DateTime),
            media: upload.map(|upload| Media(upload.media)),
            user_errors,
        })
    }

    /// Deletes a file's bytes, or ends its upload. Refused while a post still needs it. Needs the
    /// scope `media:write`.
    #[graphql(guard = "Needs(Scope::MediaWrite)")]
    async fn delete_media(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file.")] input: DeleteMediaInput,
    ) -> Result<DeleteMediaPayload> {
        let id = MediaId::from_global(&input.id);
        let (media, user_errors) = settle("id", uploads::delete(app(ctx), actor(ctx)?, id).await)?;
        Ok(DeleteMediaPayload {
            media: media.map(Media),
            user_errors,
        })
    }
}
