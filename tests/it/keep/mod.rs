//! What is kept, for how long, how it is proved, and how it is given to whom it is about.

mod chain;
mod completeness;
mod ended;
mod exports;
mod held;
mod logs;
mod media;
mod rules;

use clipqueue::media::Part;

use crate::support::app::TestApp;

impl TestApp {
    /// Stores an object of that name behind everybody's back.
    async fn put_object(&self, key: &str) {
        let (parts, coming) = tokio::sync::mpsc::channel(2);
        let bytes = bytes::Bytes::from_static(b"bytes");
        parts.send(Part::Bytes(bytes)).await.unwrap();
        parts.send(Part::End).await.unwrap();
        let storage = self.app.media.storage();
        storage.store_parcel(key, coming).await.unwrap();
    }
}
