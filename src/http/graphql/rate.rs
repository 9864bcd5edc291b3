//! Counting the operations of GraphQL. Who counts, and by which limit, the [`Session`] knows. A socket has no
//! headers; its operations are counted all the same.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::Extensions;

use super::session::Session;
use crate::{
    graphql::error::{ApiError, Code},
    http::rate::{self, Charge},
};

/// Counts one operation.
pub(super) type Meter = Arc<dyn Fn() -> BoxFuture<'static, Charge> + Send + Sync>;

/// Counts one operation of `session`; the request's extensions are told how the limit stands.
pub(super) async fn charge(
    session: &Session,
    extensions: Option<&Extensions>,
) -> Result<(), ApiError> {
    let charge = session.charge().await;
    if let Some(extensions) = extensions {
        rate::note(extensions, &charge);
    }
    match charge {
        Charge::Unlimited | Charge::Taken(_) => Ok(()),
        Charge::Refused { wait, message, .. } => {
            Err(ApiError::new(Code::RateLimited, message).retry_after(wait))
        }
    }
}
