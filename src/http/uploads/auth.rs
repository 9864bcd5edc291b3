//! Who a request acts for. The application knows its API keys; this module only asks.

use std::time::Duration;

use axum::http::{Extensions, HeaderMap, StatusCode};
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
    /// How long to wait, with 429.
    pub retry_after: Option<Duration>,
}

/// Tells who a request acts for, by its headers.
pub trait Authorize: Send + Sync + 'static {
    /// The tenant, when the headers carry a key that may upload. With `counted`, the request's extensions,
    /// it is counted as one operation, and they are told how the limit stands.
    fn authorize<'a>(
        &'a self,
        headers: &'a HeaderMap,
        counted: Option<&'a Extensions>,
    ) -> BoxFuture<'a, Result<UserId, Refusal>>;

    /// Is told that the tenant's new file was refused.
    fn refused<'a>(&'a self, user: UserId, why: &'a MediaError) -> BoxFuture<'a, ()> {
        let _ = (user, why);
        Box::pin(async {})
    }
}

/// The tenant and the file that an upload's address means, for a request with these headers. One that shows a
/// key is an operation when it is `counted`; an address that needs none was counted when it was given.
pub(super) async fn resolve(
    state: &Uploads,
    address: &str,
    headers: &HeaderMap,
    counted: Option<&Extensions>,
) -> Result<(UserId, MediaId), UploadError> {
    if let Ok(id) = address.parse::<MediaId>() {
        return Ok((state.authorize.authorize(headers, counted).await?, id));
    }
    match state.capabilities.check(address, state.clock.now()) {
        Ok(found) => Ok(found),
        Err(CapabilityError::Expired) => Err(UploadError::AddressExpired),
        Err(CapabilityError::Invalid) => Err(MediaError::NotFound.into()),
    }
}
