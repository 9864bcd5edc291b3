//! What the server asks and tells of its own accord: the guarded fetcher, webhooks, verified sources
//! and imports.

mod hostile;
pub(crate) mod imports;
mod leaving;
mod resume;
pub(crate) mod server;
mod sources;
mod told;
pub(crate) mod webhooks;

use std::sync::Arc;

use crate::support::app::TestApp;
use server::{LONG, Names};

impl TestApp {
    /// Lets the product ask this machine, by the names that the answer knows.
    pub(crate) fn names(&mut self) -> Arc<Names> {
        let names = Names::new();
        self.app.fetch = server::fetcher(&names, LONG);
        names
    }
}
