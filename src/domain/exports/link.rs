//! The link to an archive: `{public_url}/exports/{token}`. Whoever has it may fetch, until it ends.

use std::time::Duration;

use clipqueue_entities::{DataExportId, Timestamp};
use url::Url;

use crate::{
    app::App,
    domain::link_token::{self, Kind},
    secrets::Vault,
};

/// Where archives are fetched, below the public address.
pub const PATH: &str = "/exports";
/// How long one link is good; the next look gives another.
pub const LIFE: Duration = Duration::from_secs(24 * 3600);

pub(super) fn address(app: &App, id: DataExportId, ends_at: Timestamp) -> Url {
    let token = link_token::issue(&app.vault, Kind::Export, id.0, ends_at);
    let mut url = app.config.http.public_url.clone();
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}{PATH}/{token}"));
    url
}

/// The export that a link was made for, unless it is not ours or its time is over.
pub(super) fn read(vault: &Vault, token: &str, now: Timestamp) -> Option<DataExportId> {
    link_token::read(vault, Kind::Export, token, now).map(DataExportId)
}
