//! Who a request acts for. The application knows its API keys; this module only asks.

use axum::http::{HeaderMap, StatusCode};
use clipqueue_entities::{MediaId, UserId};
use futures::future::BoxFuture;

use crate::{
    http::uploads::{UploadError, Uploads},
    media::{CapabilityError, MediaError},
};

/// Why a request may not act.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// 401 without a usable key, 403 with one that may not upload, 429 when it is used too often.
    pub status: StatusCode,
    /// A stable word for machines.
    pub code: &'static str,
    /// What to do, for people.
    pub message: String,
}

/// Tells who a request acts for, by its headers.
pub trait Authorize: Send + Sync + 'static {
    /// The tenant, when the headers carry a key that may upload.
    fn authorize<'a>(&'a self, headers: &'a HeaderMap) -> BoxFuture<'a, Result<UserId, Refusal>>;
}

/// The tenant and the file that an upload's address means, for a request with these headers.
pub(super) async fn resolve(
    state: &Uploads,
    address: &str,
    headers: &HeaderMap,
) -> Result<(UserId, MediaId), UploadError> {
    if let Ok(id) = address.parse::<MediaId>() {
        return Ok((state.authorize.authorize(headers).await?, id));
    }
    match state.capabilities.check(address, state.clock.now()) {
        Ok(found) => Ok(found),
        Err(CapabilityError::Expired) => Err(UploadError::AddressExpired),
        Err(CapabilityError::Invalid) => Err(MediaError::NotFound.into()),
    }
}
