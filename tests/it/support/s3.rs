//! A real S3-compatible store for tests: SeaweedFS on free loopback ports, with its data in a temporary
//! directory and requests that must be signed.
//!
//! One is started per test process and shared; each test takes its own prefix of the one bucket.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use clipqueue::media::{S3Address, Storage};
use object_store::{ObjectStore as _, aws::AmazonS3Builder};
use tokio::sync::OnceCell;

use super::{
    eventually,
    servers::{Kept, directory, find, free_port},
};

/// How long the store may take to make its bucket.
const START: Duration = Duration::from_secs(60);
const BUCKET: &str = "clips";
const KEY_ID: &str = "test-key-id";
const SECRET: &str = "test-secret-key";

/// Gives the keys by the environment, since arguments are for everybody to see, and keeps the store
/// from calling home.
const WITH_KEYS: &str = r#"
AWS_ACCESS_KEY_ID=$1 AWS_SECRET_ACCESS_KEY=$2; shift 2
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
exec "$@"
"#;

/// An S3-compatible store of our own.
pub struct S3Server {
    port: u16,
    dir: PathBuf,
    kept: Option<Kept>,
}

impl S3Server {
    /// Starts one and waits until its bucket is there.
    pub async fn start() -> Self {
        let mut server = Self {
            port: free_port(),
            dir: directory("s3-data"),
            kept: None,
        };
        server.start_again().await;
        server
    }

    /// Ends it at once; what it stored stays.
    pub fn kill(&mut self) {
        self.kept = None;
    }

    /// Starts it on the same port and data.
    pub async fn start_again(&mut self) {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/s3/.venv/bin");
        let program = find("weed", &[tools]);
        let log = directory("s3");
        let mut command: Vec<String> = ["sh", "-c", WITH_KEYS, "s3", KEY_ID, SECRET]
            .map(str::to_owned)
            .into();
        command.push(program.display().to_string());
        command.extend(
            [
                "mini",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-admin.ui=false",
                "-webdav=false",
                "-master.telemetry=false",
                "-s3.autoCreateBucket=false",
                "-master.volumeSizeLimitMB=64",
                "-volume.max=50",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
            ]
            .map(str::to_owned),
        );
        command.push(format!("-bucket={BUCKET}"));
        command.push(format!("-dir={}", self.dir.display()));
        command.push(format!("-s3.port={}", self.port));
        for port in [
            "s3.port.grpc",
            "master.port",
            "master.port.grpc",
            "volume.port",
            "volume.port.grpc",
            "filer.port",
            "filer.port.grpc",
            "admin.port",
            "admin.port.grpc",
        ] {
            command.push(format!("-{port}={}", free_port()));
        }
        self.kept = Some(Kept::start("KILL", &log, &command));
        let storage = Storage::s3(&self.address("")).unwrap();
        eventually(START, "the S3 store takes an object", async || {
            storage.prove().await.ok()
        })
        .await;
    }

    /// Where it is, for objects below `prefix`.
    pub fn address(&self, prefix: &str) -> S3Address {
        S3Address {
            bucket: BUCKET.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: Some(self.endpoint().parse().unwrap()),
            region: "us-east-1".to_owned(),
            access_key_id: KEY_ID.to_owned().into(),
            secret_access_key: SECRET.to_owned().into(),
            path_style: true,
        }
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The settings of a process that keeps its media below `prefix`.
    pub fn settings(&self, prefix: &str) -> Vec<(&'static str, String)> {
        vec![
            ("media.url", format!("s3://{BUCKET}/{prefix}")),
            ("media.s3_endpoint", self.endpoint()),
            ("media.s3_access_key_id", KEY_ID.to_owned()),
            ("media.s3_secret_access_key", SECRET.to_owned()),
        ]
    }

    /// The keys of all objects below `prefix`, as the store lists them.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        use futures::TryStreamExt as _;
        let mut keys: Vec<String> = self
            .client()
            .list(Some(&object_store::path::Path::from(prefix)))
            .map_ok(|object| object.location.to_string())
            .try_collect()
            .await
            .unwrap();
        keys.sort();
        keys
    }

    /// A client of its own, to do behind the product's back what only a test may.
    pub fn client(&self) -> object_store::aws::AmazonS3 {
        AmazonS3Builder::new()
            .with_bucket_name(BUCKET)
            .with_region("us-east-1")
            .with_access_key_id(KEY_ID)
            .with_secret_access_key(SECRET)
            .with_endpoint(self.endpoint())
            .with_allow_http(true)
            .build()
            .unwrap()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A prefix that no other test has.
pub fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("tests/{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The store of this test process.
pub async fn s3() -> &'static S3Server {
    static SERVER: OnceCell<S3Server> = OnceCell::const_new();
    SERVER.get_or_init(S3Server::start).await
}
