//! The headers of tus requests, read into values, and the dates of its answers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use clipqueue_entities::Timestamp;

use crate::{
    http::uploads::{
        UploadError,
        answer::{TUS_RESUMABLE, TUS_VERSION},
    },
    media::{Checksum, ChecksumAlgorithm, NewUpload},
};

pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(super) const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub(super) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
/// What PATCH bodies are.
pub(super) const OFFSET_STREAM: &str = "application/offset+octet-stream";

/// Refuses clients of another version.
pub(super) fn version(headers: &HeaderMap) -> Result<(), UploadError> {
    match headers.get(TUS_RESUMABLE) {
        Some(version) if version == TUS_VERSION => Ok(()),
        _ => Err(UploadError::Version),
    }
}

/// What a POST announces.
pub(super) fn announcement(headers: &HeaderMap) -> Result<NewUpload, UploadError> {
    if headers.contains_key(UPLOAD_CONCAT) {
        return Err(UploadError::Header {
            header: "Upload-Concat",
            problem: "is not supported; send the file as one upload",
        });
    }
    if headers.contains_key(UPLOAD_DEFER_LENGTH) {
        return Err(UploadError::Header {
            header: "Upload-Defer-Length",
            problem: "is not supported; announce the size with Upload-Length",
        });
    }
    let size = number(headers, &UPLOAD_LENGTH).ok_or(UploadError::Header {
        header: "Upload-Length",
        problem: "is missing or not a number; send the size of the file in bytes",
    })?;
    let metadata = match headers.get(UPLOAD_METADATA) {
        None => String::new(),
        Some(value) => value.to_str().map_err(|_| BAD_METADATA)?.to_owned(),
    };
    let mut new = NewUpload {
        size,
        ..NewUpload::default()
    };
    for pair in metadata.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (key, value) = pair.trim().split_once(' ').unwrap_or((pair.trim(), ""));
        let field = match key {
            "filename" | "name" => &mut new.filename,
            "filetype" | "type" => &mut new.content_type,
            "sha256" => &mut new.sha256,
            _ => {
                STANDARD.decode(value.trim()).map_err(|_| BAD_METADATA)?;
                continue;
            }
        };
        let value = STANDARD.decode(value.trim()).map_err(|_| BAD_METADATA)?;
        let value = String::from_utf8(value).map_err(|_| BAD_METADATA)?;
        field.get_or_insert(value);
    }
    new.metadata = Some(metadata);
    Ok(new)
}

const BAD_METADATA: UploadError = UploadError::Header {
    header: "Upload-Metadata",
    problem: "is malformed; send comma-separated pairs of a key and its value in base64 of UTF-8",
};

/// Where a PATCH begins.
pub(super) fn offset(headers: &HeaderMap) -> Result<u64, UploadError> {
    number(headers, &UPLOAD_OFFSET).ok_or(UploadError::Header {
        header: "Upload-Offset",
        problem: "is missing or not a number; send the offset that HEAD tells",
    })
}

/// Whether the body is announced as upload bytes.
pub(super) fn is_offset_stream(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.eq_ignore_ascii_case(OFFSET_STREAM))
}

/// Bytes that the body announces, when it does.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    number(headers, &header::CONTENT_LENGTH)
}

/// The checksum that the body must have.
pub(super) fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, UploadError> {
    const BAD: UploadError = UploadError::Header {
        header: "Upload-Checksum",
        problem: "is malformed; send \"sha1\" or \"sha256\", a space, and the digest in base64",
    };
    let Some(value) = headers.get(UPLOAD_CHECKSUM) else {
        return Ok(None);
    };
    let (name, digest) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or(BAD)?;
    let (algorithm, bytes) = match name {
        "sha1" => (ChecksumAlgorithm::Sha1, 20),
        "sha256" => (ChecksumAlgorithm::Sha256, 32),
        _ => return Err(BAD),
    };
    let digest = STANDARD.decode(digest.trim()).map_err(|_| BAD)?;
    if digest.len() != bytes {
        return Err(BAD);
    }
    Ok(Some(Checksum { algorithm, digest }))
}

/// An instant as HTTP writes it.
pub(super) fn http_date(at: Timestamp) -> Option<HeaderValue> {
    let date: DateTime<Utc> = DateTime::from_timestamp_millis(at.as_millis())?;
    HeaderValue::from_str(&date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let text = headers.get(name)?.to_str().ok()?;
    // `parse` alone would take a plus sign.
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every header that is read, with a value that may be anything a connection lets through.
    fn headers(values: &[(usize, Vec<u8>)]) -> HeaderMap {
        const NAMES: [HeaderName; 8] = [
            TUS_RESUMABLE,
            UPLOAD_OFFSET,
            UPLOAD_LENGTH,
            UPLOAD_METADATA,
            UPLOAD_DEFER_LENGTH,
            UPLOAD_CHECKSUM,
            header::CONTENT_TYPE,
            header::CONTENT_LENGTH,
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(NAMES[name % NAMES.len()].clone(), value);
            }
        }
        headers
    }

    fn read(headers: &HeaderMap) {
        let _ = version(headers);
        let _ = announcement(headers);
        let _ = offset(headers);
        let _ = is_offset_stream(headers);
        let _ = content_length(headers);
        if let Ok(Some(sum)) = checksum(headers) {
            assert!(matches!(sum.digest.len(), 20 | 32));
        }
    }

    proptest! {
        #[test]
        fn any_headers_are_read_without_panic(
            values in prop::collection::vec((any::<usize>(), prop::collection::vec(any::<u8>(), 0..80)), 0..10),
            at in any::<i64>(),
        ) {
            read(&headers(&values));
            let _ = http_date(Timestamp::from_millis(at));
        }

        #[test]
        fn headers_that_are_nearly_right_are_read_without_panic(
            length in "[+-]?[0-9]{0,25}",
            metadata in "((filename|name|filetype|sha256|x) ?[A-Za-z0-9+/=]{0,12},? ?){0,6}",
            sum in "(sha1|sha256|md5) [A-Za-z0-9+/=]{0,48}",
        ) {
            let values = [
                (1, length.clone().into_bytes()),
                (2, length.clone().into_bytes()),
                (3, metadata.into_bytes()),
                (5, sum.into_bytes()),
                (7, length.clone().into_bytes()),
            ];
            let headers = headers(&values);
            read(&headers);
            if let Ok(new) = announcement(&headers) {
                prop_assert_eq!(Some(new.size), length.parse().ok());
                prop_assert!(!length.starts_with('+'));
            }
        }
    }
}
