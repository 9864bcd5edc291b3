//! Photos for TikTok: `GET` and `HEAD` of `/m/{token}/{name}`, the addresses that an init names.
//!
//! Whoever knows an address may fetch, for the attempt that it was made for and as long as that is
//! open. Everything else answers 404 and nothing more. That somebody came is on record before the first
//! byte goes out, what went out afterwards; without the record there is no answer. One range is served
//! as asked; several, and ranges under a condition, get the whole file, as HTTP allows.

use std::{
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use bytes::Bytes;
use futures::{Stream, stream::BoxStream};

use super::answer;
use crate::{
    app::App,
    domain::{
        error::Error,
        pulls::{self, Ask, Offer},
    },
};

/// The route.
pub(super) fn router(app: App) -> Router {
    Router::new()
        .route("/m/{token}/{name}", get(photo))
        .with_state(app)
}

async fn photo(
    State(app): State<App>,
    method: Method,
    Path((token, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    match offer(&app, &method, &token, &name, &headers).await {
        Ok(Some(response)) => response,
        Ok(None) => answer::not_found().await,
        Err(error) => {
            tracing::error!(?error, "a photo could not be handed out");
            let retry = [(header::RETRY_AFTER, HeaderValue::from_static("5"))];
            (StatusCode::SERVICE_UNAVAILABLE, retry).into_response()
        }
    }
}

async fn offer(
    app: &App,
    method: &Method,
    token: &str,
    name: &str,
    headers: &HeaderMap,
) -> Result<Option<Response>, Error> {
    let Some(offer) = pulls::find(app, token, name).await? else {
        return Ok(None);
    };
    let Some(reader) = pulls::open(app, &offer).await? else {
        return Ok(None);
    };
    let asked = match method {
        &Method::HEAD => Wanted::Whole,
        _ => wanted(headers, offer.size),
    };
    let (status, range) = match asked {
        Wanted::Whole => (StatusCode::OK, 0..offer.size),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Nothing => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
    };
    let ask = match (method, status) {
        (&Method::HEAD, _) | (_, StatusCode::RANGE_NOT_SATISFIABLE) => Ask::Head,
        _ => Ask::Bytes,
    };
    if !pulls::asked(app, &offer, ask).await? {
        return Ok(None);
    }
    let mut response = Response::builder()
        .status(status)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::ACCEPT_RANGES, "bytes")
        .header("x-robots-tag", "noindex");
    let length = range.end - range.start;
    match status {
        StatusCode::RANGE_NOT_SATISFIABLE => {
            response = response.header(header::CONTENT_RANGE, format!("bytes */{}", offer.size));
        }
        StatusCode::PARTIAL_CONTENT => {
            let part = format!("bytes {}-{}/{}", range.start, range.end - 1, offer.size);
            response = response
                .header(header::CONTENT_TYPE, &offer.content_type)
                .header(header::CONTENT_RANGE, part)
                .header(header::CONTENT_LENGTH, length);
        }
        _ => {
            response = response
                .header(header::CONTENT_TYPE, &offer.content_type)
                .header(header::CONTENT_LENGTH, length);
        }
    }
    let body = match ask {
        Ask::Head => Body::empty(),
        Ask::Bytes => Body::from_stream(Counted {
            bytes: reader.read_range(range.clone()),
            app: app.clone(),
            offer,
            range,
            sent: 0,
        }),
    };
    let response = response.body(body).map_err(anyhow::Error::from)?;
    Ok(Some(response))
}

/// What of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Range<u64>),
    /// A range that lies behind the end.
    Nothing,
}

fn wanted(headers: &HeaderMap, size: u64) -> Wanted {
    let range = headers.get(header::RANGE).and_then(|it| it.to_str().ok());
    // There is no validator that a condition could name.
    let Some(range) = range.filter(|_| !headers.contains_key(header::IF_RANGE)) else {
        return Wanted::Whole;
    };
    // A header that cannot be read is to be treated as if it were not there.
    part(range, size).unwrap_or(Wanted::Whole)
}

fn part(range: &str, size: u64) -> Option<Wanted> {
    let spec = range.strip_prefix("bytes=")?.trim();
    let (first, last) = spec.split_once('-').filter(|_| !spec.contains(','))?;
    let range = if first.is_empty() {
        let tail: u64 = last.parse().ok()?;
        size.saturating_sub(tail)..size
    } else {
        let first: u64 = first.parse().ok()?;
        let last = match last {
            "" => u64::MAX,
            last => last.parse().ok()?,
        };
        if last < first {
            return None;
        }
        first..last.saturating_add(1).min(size)
    };
    Some(if range.start < range.end {
        Wanted::Part(range)
    } else {
        Wanted::Nothing
    })
}

/// A body that counts what is taken of it, and puts that on record when it ends, however it ends.
struct Counted {
    bytes: BoxStream<'static, io::Result<Bytes>>,
    app: App,
    offer: Offer,
    range: Range<u64>,
    sent: u64,
}

impl Stream for Counted {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.bytes.as_mut().poll_next(context);
        if let Poll::Ready(Some(Ok(piece))) = &next {
            self.sent += piece.len() as u64;
        }
        next
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let (app, offer) = (self.app.clone(), self.offer.clone());
        let (range, sent) = (self.range.clone(), self.sent);
        tokio::spawn(async move {
            if let Err(error) = pulls::served(&app, &offer, range, sent).await {
                tracing::warn!(
                    ?error,
                    "what went out of a photo could not be put on record"
                );
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        for (text, expected) in [
            ("bytes=0-9", Wanted::Part(0..10)),
            ("bytes=5-", Wanted::Part(5..100)),
            ("bytes=-10", Wanted::Part(90..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("bytes=90-1000", Wanted::Part(90..100)),
            ("bytes=0-18446744073709551615", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=9-5", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=x-", Wanted::Whole),
            ("pages=1-2", Wanted::Whole),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_str(text).unwrap());
            assert_eq!(wanted(&headers, 100), expected, "{text}");
            headers.insert(header::IF_RANGE, HeaderValue::from_static("\"tag\""));
            assert_eq!(wanted(&headers, 100), Wanted::Whole, "{text}");
        }
        assert_eq!(wanted(&HeaderMap::new(), 100), Wanted::Whole);
    }
}
