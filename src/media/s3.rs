//! S3-compatible object stores: where one is, and the client for it.
//!
//! The client is `object_store`'s, over the one HTTP crate and the one TLS provider that the rest of
//! the process uses. Signing happens here; the keys never travel. Nothing here knows media.

use std::{fmt, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig, aws::AmazonS3Builder, path::Path,
    prefix::PrefixStore,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::storage::StorageError;

/// One request moves 5 MiB at most, so this is a line of 170 kB/s.
const REQUEST: Duration = Duration::from_secs(30);
/// How long a store may take to take a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a failing request is tried again before its caller hears of it: a sender waits behind it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Tries after the first.
const RETRIES: usize = 5;

/// Where a store is, and the keys for it.
#[derive(Clone)]
pub struct S3Address {
    /// The bucket, which must exist.
    pub bucket: String,
    /// What stands before every key; may be empty.
    pub prefix: String,
    /// The store's address; AWS's own for the region, when absent.
    pub endpoint: Option<Url>,
    /// The region that requests are signed for.
    pub region: String,
    /// The id of the key.
    pub access_key_id: SecretString,
    /// The key.
    pub secret_access_key: SecretString,
    /// Whether the bucket is the first part of the path, not of the host.
    pub path_style: bool,
}

impl fmt::Debug for S3Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Address")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// A client for the store. Talks to nobody yet.
pub(super) fn client(address: &S3Address) -> Result<Arc<dyn ObjectStore>, StorageError> {
    // The HTTP client takes the process's TLS provider. One that was installed before stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = ClientOptions::new()
        .with_timeout(REQUEST)
        .with_connect_timeout(CONNECT)
        .with_allow_http(
            address
                .endpoint
                .as_ref()
                .is_some_and(|url| url.scheme() == "http"),
        );
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&address.bucket)
        .with_region(&address.region)
        .with_access_key_id(address.access_key_id.expose_secret())
        .with_secret_access_key(address.secret_access_key.expose_secret())
        .with_virtual_hosted_style_request(!address.path_style)
        .with_client_options(options)
        .with_retry(RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: RETRIES,
            retry_timeout: PATIENCE,
        });
    if let Some(endpoint) = &address.endpoint {
        builder = builder.with_endpoint(endpoint_of(endpoint, address)?);
    }
    let store = Arc::new(builder.build()?);
    let prefix = Path::from(address.prefix.as_str());
    if prefix.as_ref().is_empty() {
        return Ok(store);
    }
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

/// The endpoint as the client wants it: with the bucket in its host, unless that is in the path.
fn endpoint_of(endpoint: &Url, address: &S3Address) -> Result<String, StorageError> {
    let mut url = endpoint.clone();
    if !address.path_style {
        let host = url.host_str().unwrap_or_default();
        let host = format!("{}.{host}", address.bucket);
        url.set_host(Some(&host)).map_err(|_| {
            StorageError::Address(
                "names a bucket that cannot stand in a host name; set media.s3_path_style = true"
                    .to_owned(),
            )
        })?;
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
