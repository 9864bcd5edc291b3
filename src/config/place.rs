//! Where media are kept: a directory, or a bucket with its keys.

use std::path::PathBuf;

use secrecy::ExposeSecret as _;
use url::Url;

use super::{MediaPlace, S3, reader::Reader};

const KEY: &str = "media.url";
const ENDPOINT: &str = "media.s3_endpoint";
const REGION: &str = "media.s3_region";
const KEY_ID: &str = "media.s3_access_key_id";
const SECRET: &str = "media.s3_secret_access_key";

enum Address {
    Directory(PathBuf),
    Bucket(String, String),
}

/// Reads `media.url` and, for a bucket, what it takes to reach it.
pub(super) fn media_place(r: &mut Reader<'_>) -> MediaPlace {
    let address = r.parsed(
        KEY,
        "a directory (a path, or file:///absolute/path) or s3://bucket/prefix",
        address,
    );
    let endpoint = r
        .parsed(
            ENDPOINT,
            "empty, or an http or https address such as https://s3.example.com",
            endpoint,
        )
        .flatten();
    let region = r.text(REGION);
    let access_key_id = r.secret(KEY_ID);
    let secret_access_key = r.secret(SECRET);
    let path_style = r.flag("media.s3_path_style");
    match address {
        None => MediaPlace::Directory(PathBuf::new()),
        Some(Address::Directory(path)) => MediaPlace::Directory(path),
        Some(Address::Bucket(bucket, prefix)) => {
            if region.trim().is_empty() && !r.has_problem(REGION) {
                r.problem(REGION, "is empty; many stores take us-east-1");
            }
            for (key, value) in [(KEY_ID, &access_key_id), (SECRET, &secret_access_key)] {
                if value.expose_secret().is_empty() && !r.has_problem(key) {
                    r.secret_problem(key, "is empty, and media.url names a bucket");
                }
            }
            MediaPlace::S3(S3 {
                bucket,
                prefix,
                endpoint,
                region,
                access_key_id,
                secret_access_key,
                path_style,
            })
        }
    }
}

fn address(text: &str) -> Option<Address> {
    if text.starts_with("file:") {
        let path = Url::parse(text).ok()?.to_file_path().ok()?;
        return Some(Address::Directory(path));
    }
    if let Some(rest) = text.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let fits = is_bucket(bucket) && prefix.split('/').all(is_part) | prefix.is_empty();
        return fits.then(|| Address::Bucket(bucket.to_owned(), prefix.to_owned()));
    }
    (!text.is_empty() && !text.contains("://")).then(|| Address::Directory(PathBuf::from(text)))
}

/// S3's rule for names, without its finer prints.
fn is_bucket(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'.'))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// Letters that every store and every tool shows as they are.
fn is_part(part: &str) -> bool {
    !part.is_empty()
        && !part.bytes().all(|c| c == b'.')
        && part
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
}

fn endpoint(text: &str) -> Option<Option<Url>> {
    if text.is_empty() {
        return Some(None);
    }
    let url = Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then_some(Some(url))
}
