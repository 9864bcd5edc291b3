//! The methods of tus, one function each.

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use clipqueue_entities::{MediaId, UserId};

use crate::{
    http::uploads::{
        UploadError, Uploads,
        answer::{ALGORITHMS, EXTENSIONS, TUS_VERSION},
        auth::resolve,
        headers::{self, UPLOAD_EXPIRES, UPLOAD_LENGTH, UPLOAD_METADATA, UPLOAD_OFFSET, http_date},
    },
    media::{Appended, Checksum, End, Media, MediaError, MediaState},
};

/// `/uploads`: what the server can do, and new uploads.
pub(super) async fn collection(
    State(state): State<Uploads>,
    request: Request,
) -> Result<Response, UploadError> {
    match *request.method() {
        Method::OPTIONS => Ok(options(&state)),
        Method::POST => create(state, request).await,
        _ => Err(UploadError::Method {
            allowed: "OPTIONS, POST",
        }),
    }
}

/// `/uploads/{upload}`: one upload.
pub(super) async fn upload(
    State(state): State<Uploads>,
    Path(address): Path<String>,
    request: Request,
) -> Result<Response, UploadError> {
    if request.method() == Method::OPTIONS {
        return Ok(options(&state));
    }
    if ![Method::HEAD, Method::PATCH, Method::DELETE].contains(request.method()) {
        return Err(UploadError::Method {
            allowed: "OPTIONS, HEAD, PATCH, DELETE",
        });
    }
    headers::version(request.headers())?;
    // Bytes are not operations, however many pieces they come in.
    let counted = (request.method() == Method::DELETE).then(|| request.extensions());
    let (user, id) = resolve(&state, &address, request.headers(), counted).await?;
    match *request.method() {
        Method::HEAD => status(&state, user, id).await,
        Method::PATCH => patch(state, user, id, request).await,
        _ => {
            state.media.terminate(user, id).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
    }
}

fn options(state: &Uploads) -> Response {
    (
        StatusCode::NO_CONTENT,
        [
            ("tus-version", TUS_VERSION.to_owned()),
            ("tus-extension", EXTENSIONS.to_owned()),
            ("tus-checksum-algorithm", ALGORITHMS.to_owned()),
            ("tus-max-size", state.media.settings().max_size.to_string()),
        ],
    )
        .into_response()
}

async fn create(state: Uploads, request: Request) -> Result<Response, UploadError> {
    headers::version(request.headers())?;
    let counted = Some(request.extensions());
    let user = state
        .authorize
        .authorize(request.headers(), counted)
        .await?;
    let new = headers::announcement(request.headers())?;
    let with_bytes = headers::is_offset_stream(request.headers());
    let checksum = headers::checksum(request.headers())?;
    if with_bytes {
        fits(request.headers(), new.size)?;
    }
    let mut media = match state.media.create(user, new).await {
        Ok(media) => media,
        Err(error) => {
            state.authorize.refused(user, &error).await;
            return Err(error.into());
        }
    };
    let location = format!("{}/{}", state.location_base, media.id);
    if with_bytes {
        let sent = append(&state, user, media.id, 0, checksum, request.into_body()).await;
        let appended = match sent {
            Ok(appended) => appended,
            Err(error) => {
                // The client never learns the address, so the reserved bytes are given back at once.
                let _ = state.media.terminate(user, media.id).await;
                return Err(error);
            }
        };
        if appended.media.state == MediaState::Rejected {
            return Err(rejected(&appended.media));
        }
        media = appended.media;
    }
    let mut response = StatusCode::CREATED.into_response();
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(&location) {
        headers.insert(header::LOCATION, location);
    }
    headers.insert(UPLOAD_OFFSET, media.received.into());
    expires(headers, &media);
    Ok(response)
}

async fn status(state: &Uploads, user: UserId, id: MediaId) -> Result<Response, UploadError> {
    let media = state.media.status(user, id).await?;
    if !matches!(media.state, MediaState::Uploading | MediaState::Ready) {
        return Err(MediaError::Gone { state: media.state }.into());
    }
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(UPLOAD_OFFSET, media.received.into());
    headers.insert(UPLOAD_LENGTH, media.size.into());
    if let Some(metadata) = &media.metadata
        && let Ok(metadata) = HeaderValue::from_str(metadata)
    {
        headers.insert(UPLOAD_METADATA, metadata);
    }
    expires(headers, &media);
    Ok(response)
}

async fn patch(
    state: Uploads,
    user: UserId,
    id: MediaId,
    request: Request,
) -> Result<Response, UploadError> {
    if !headers::is_offset_stream(request.headers()) {
        return Err(UploadError::ContentType);
    }
    let offset = headers::offset(request.headers())?;
    let checksum = headers::checksum(request.headers())?;
    let before = state.media.get(user, id).await?;
    fits(request.headers(), before.size.saturating_sub(offset))?;
    let appended = append(&state, user, id, offset, checksum, request.into_body()).await?;
    match (appended.media.state, appended.end) {
        (MediaState::Rejected, _) => return Err(rejected(&appended.media)),
        (_, End::Idle) => return Err(MediaError::Idle.into()),
        (_, End::Stopped) => return Err(MediaError::Stopping.into()),
        // A broken connection reads no answer.
        (_, End::Whole | End::Broken) => {}
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response
        .headers_mut()
        .insert(UPLOAD_OFFSET, appended.media.received.into());
    expires(response.headers_mut(), &appended.media);
    Ok(response)
}

/// Appends on a task of its own: when the connection dies, the server drops the request's future, and
/// what arrived must be stored all the same.
async fn append(
    state: &Uploads,
    user: UserId,
    id: MediaId,
    offset: u64,
    checksum: Option<Checksum>,
    body: Body,
) -> Result<Appended, UploadError> {
    let media = state.media.clone();
    let task = tokio::spawn(async move {
        media
            .append(user, id, offset, checksum, body.into_data_stream())
            .await
    });
    Ok(task.await.map_err(|_| UploadError::Interrupted)??)
}

/// Refuses a body that announces more than the upload has room for, before reading it.
fn fits(headers: &HeaderMap, room: u64) -> Result<(), UploadError> {
    match headers::content_length(headers) {
        Some(length) if length > room => Err(MediaError::BodyTooLong { room }.into()),
        _ => Ok(()),
    }
}

fn rejected(media: &Media) -> UploadError {
    MediaError::Rejected {
        reason: media.rejection().unwrap_or_default(),
    }
    .into()
}

fn expires(headers: &mut HeaderMap, media: &Media) {
    if let Some(date) = media.expires_at.and_then(http_date) {
        headers.insert(UPLOAD_EXPIRES, date);
    }
}
