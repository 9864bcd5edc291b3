//! Where the bytes of an attempt go: TikTok's upload address, which is as good as a password. It is
//! stored sealed under the account's key and forgotten with the attempt.

use std::time::Duration;

use clipqueue_entities::{Sealed, Timestamp, post, post_attempt};
use secrecy::ExposeSecret as _;
use tiktok::UploadUrl;

use crate::{
    app::App,
    domain::{error::Result, tokens},
    secrets::Place,
};

/// An upload address this close to its end is not started with.
const URL_SPARE: Duration = Duration::from_secs(60);

/// Where the bytes of an open attempt go; none once the address is about to end.
pub async fn upload_url(
    app: &App,
    post: &post::Model,
    attempt: &post_attempt::Model,
) -> Result<Option<UploadUrl>> {
    let (Some(sealed), Some(expires_at)) =
        (&attempt.upload_url_sealed, attempt.upload_url_expires_at)
    else {
        return Ok(None);
    };
    if expires_at <= app.clock.now() + URL_SPARE {
        return Ok(None);
    }
    open_url(app, post, attempt, sealed).await.map(Some)
}

async fn open_url(
    app: &App,
    post: &post::Model,
    attempt: &post_attempt::Model,
    sealed: &Sealed,
) -> Result<UploadUrl> {
    let key = tokens::data_key(app, app.db.read(), post.account_id).await?;
    let row = attempt.id.to_string();
    let text = key
        .open_text(url_place(&row), sealed)
        .map_err(anyhow::Error::from)?;
    Ok(UploadUrl::parse(text.expose_secret()).map_err(anyhow::Error::from)?)
}

/// Whether the upload address of `attempt` has ended for certain.
pub fn url_has_ended(attempt: &post_attempt::Model, now: Timestamp) -> bool {
    attempt
        .upload_url_expires_at
        .is_none_or(|at| at + URL_SPARE < now)
}

/// What a sealed address belongs to.
pub(super) fn url_place(row: &str) -> Place<'_> {
    Place {
        table: "post_attempts",
        column: "upload_url",
        row,
        version: 0,
    }
}
