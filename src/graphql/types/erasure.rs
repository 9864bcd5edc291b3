//! Erasures as their requesters see them.

use async_graphql::SimpleObject;

use crate::{
    app::App,
    domain::erasure::Accepted,
    graphql::scalars::{DateTime, Url},
};

/// The deletion of an account or of a user, which goes on by itself.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct Erasure {
    /// The confirmation code. Whoever has it can see how the deletion stands and have the receipt.
    code: String,
    /// The page that shows how the deletion stands, for anybody who has the address. With
    /// `Accept: application/json` it answers with JSON, and at the end with the signed receipt.
    status_url: Url,
    /// When it was asked for.
    requested_at: DateTime,
}

impl Erasure {
    pub(crate) fn new(app: &App, accepted: Accepted) -> Self {
        Self {
            status_url: Url(app.erasure_url(&accepted.code).into()),
            requested_at: accepted.erasure.requested_at.into(),
            code: accepted.code,
        }
    }
}
