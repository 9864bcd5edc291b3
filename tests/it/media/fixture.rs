//! A media store over its own database and directory, on a clock that tests move, and files to upload.

use std::{path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{Extensions, HeaderMap},
};
use bytes::Bytes;
use clipqueue::{
    clock::{Clock, ManualClock},
    db::Db,
    http::uploads::{self, Authorize, Origins, Refusal, Uploads},
    media::{
        Appended, Capabilities, Checksum, Media, MediaError, MediaSettings, MediaStore, NewUpload,
        S3Address, Storage,
    },
};
use clipqueue_entities::{MediaId, Timestamp, UserId, user};
use clipqueue_migration::MigratorTrait;
use futures::{FutureExt, future::BoxFuture, stream};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use secrecy::SecretBox;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::s3::S3Server;

/// How long a test waits for something that should come at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Fixture {
    pub(crate) dir: TempDir,
    pub(crate) db: Db,
    pub(crate) clock: ManualClock,
    pub(crate) store: MediaStore,
    pub(crate) user: UserId,
    settings: MediaSettings,
    /// The bucket that is used instead of the directory.
    bucket: Option<S3Address>,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(settings()).await
    }

    /// On SQLite in the fixture's own directory.
    pub(crate) async fn with(settings: MediaSettings) -> Self {
        let dir = TempDir::new().unwrap();
        let url = format!("sqlite://{}/test.sqlite?mode=rwc", dir.path().display());
        Self::on(&url, dir, settings).await
    }

    /// On any empty database.
    pub(crate) async fn on(database_url: &str, dir: TempDir, settings: MediaSettings) -> Self {
        Self::made(database_url, dir, settings, None).await
    }

    /// On SQLite, with the bytes below a prefix of an S3-compatible store.
    pub(crate) async fn on_s3(server: &S3Server, prefix: &str, settings: MediaSettings) -> Self {
        let dir = TempDir::new().unwrap();
        let url = format!("sqlite://{}/test.sqlite?mode=rwc", dir.path().display());
        Self::made(&url, dir, settings, Some(server.address(prefix))).await
    }

    async fn made(
        database_url: &str,
        dir: TempDir,
        settings: MediaSettings,
        bucket: Option<S3Address>,
    ) -> Self {
        let db = Db::connect(database_url, 8).await.unwrap();
        clipqueue_migration::Migrator::up(db.write(), None)
            .await
            .unwrap();
        let clock = ManualClock::new(Timestamp::from_secs(1_800_000_000));
        let store = Self::store_in(dir.path(), &db, &clock, &settings, bucket.as_ref());
        let mut fixture = Self {
            dir,
            db,
            clock,
            store,
            user: UserId::new(),
            settings,
            bucket,
        };
        fixture.user = fixture.another_user().await;
        fixture
    }

    fn store_in(
        dir: &Path,
        db: &Db,
        clock: &ManualClock,
        settings: &MediaSettings,
        bucket: Option<&S3Address>,
    ) -> MediaStore {
        let storage = match bucket {
            Some(address) => Storage::s3(address).unwrap(),
            None => Storage::open(dir.join("bytes").to_str().unwrap()).unwrap(),
        };
        MediaStore::new(
            db.clone(),
            storage,
            Clock::Manual(clock.clone()),
            settings.clone(),
        )
    }

    /// Another process over the same rows and bytes.
    pub(crate) fn reopened(&self) -> MediaStore {
        Self::store_in(
            self.dir.path(),
            &self.db,
            &self.clock,
            &self.settings,
            self.bucket.as_ref(),
        )
    }

    pub(crate) async fn another_user(&self) -> UserId {
        let id = UserId::new();
        user::ActiveModel {
            id: Set(id),
            name: Set(id.to_string()),
            created_at: Set(self.clock.now()),
            leaving_at: Set(None),
        }
        .insert(self.db.write())
        .await
        .unwrap();
        id
    }

    pub(crate) async fn create(&self, size: usize) -> Media {
        let new = NewUpload {
            size: size as u64,
            ..NewUpload::default()
        };
        self.store.create(self.user, new).await.unwrap()
    }

    pub(crate) async fn append(
        &self,
        id: MediaId,
        offset: usize,
        bytes: &[u8],
    ) -> Result<Appended, MediaError> {
        append(&self.store, self.user, id, offset, bytes, None).await
    }

    /// A whole upload.
    pub(crate) async fn upload(&self, bytes: &[u8]) -> Media {
        let media = self.create(bytes.len()).await;
        self.append(media.id, 0, bytes).await.unwrap().media
    }

    /// Files below the storage's directory.
    pub(crate) fn stored_files(&self) -> Vec<String> {
        fn walk(dir: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    found.push(path.display().to_string());
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.dir.path().join("bytes"), &mut found);
        found
    }

    pub(crate) fn capabilities() -> Capabilities {
        Capabilities::new(SecretBox::new(Box::new([7; 32])))
    }

    pub(crate) fn router(&self) -> Router {
        self.router_for(Origins::List(vec!["https://app.example".to_owned()]))
    }

    pub(crate) fn router_for(&self, origins: Origins) -> Router {
        uploads::router(Uploads {
            media: self.store.clone(),
            authorize: Arc::new(KeyIsUser),
            capabilities: Self::capabilities(),
            clock: Clock::Manual(self.clock.clone()),
            origins,
            location_base: "/uploads".to_owned(),
        })
    }

    /// Serves the routes on a port of this machine; ends with the test's runtime.
    pub(crate) async fn serve(&self) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address
    }
}

/// Small segments, so that small files have several.
pub(crate) fn settings() -> MediaSettings {
    MediaSettings {
        segment_bytes: 4096,
        low_water: 0,
        ..MediaSettings::default()
    }
}

pub(crate) async fn append(
    store: &MediaStore,
    user: UserId,
    id: MediaId,
    offset: usize,
    bytes: &[u8],
    checksum: Option<Checksum>,
) -> Result<Appended, MediaError> {
    let pieces: Vec<Result<Bytes, std::io::Error>> = bytes
        .chunks(1000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    store
        .append(user, id, offset as u64, checksum, stream::iter(pieces))
        .await
}

/// In these tests the API key is the tenant's id.
struct KeyIsUser;

impl Authorize for KeyIsUser {
    fn authorize<'a>(
        &'a self,
        headers: &'a HeaderMap,
        _: Option<&'a Extensions>,
    ) -> BoxFuture<'a, Result<UserId, Refusal>> {
        async {
            headers
                .get("authorization")
                .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer ")?.parse().ok())
                .ok_or(Refusal {
                    status: axum::http::StatusCode::UNAUTHORIZED,
                    code: "UNAUTHENTICATED",
                    message: "send an API key".to_owned(),
                    retry_after: None,
                })
        }
        .boxed()
    }
}

pub(crate) fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/media")
        .join(name);
    std::fs::read(path).unwrap()
}

/// A good video of exactly `size` bytes: a real header in front of as much media data as it takes.
pub(crate) fn video_of(size: usize) -> Vec<u8> {
    let mut bytes = file("clip.mp4");
    let padding = size.checked_sub(bytes.len()).unwrap();
    assert!(padding >= 8, "too small for another box");
    bytes.extend_from_slice(&u32::try_from(padding).unwrap().to_be_bytes());
    bytes.extend_from_slice(b"free");
    bytes.extend((8..padding).map(|at| (at % 251) as u8));
    bytes
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
