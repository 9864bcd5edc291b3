//! What the server asks and tells of its own accord: the guarded fetcher, webhooks, verified sources
//! and imports.

mod hostile;
mod imports;
mod resume;
mod server;
mod sources;
mod told;
mod webhooks;

use std::sync::Arc;

use crate::support::app::TestApp;
use server::{LONG, Names};

impl TestApp {
    /// Lets the product ask this machine, by the names that the answer knows.
    fn names(&mut self) -> Arc<Names> {
        let names = Names::new();
        self.app.fetch = server::fetcher(&names, LONG);
        names
    }
}
