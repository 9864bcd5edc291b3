//! The guarded fetcher: the only way to addresses that users name.
//!
//! Whoever may name an address can try to make this server ask something that only this server
//! reaches. So: https alone; hosts by the rules of [`target`]; every name resolved by us, every one
//! of its addresses judged by [`address`], and the connection made to what was judged; redirects
//! followed by hand, each judged like the first; no proxy, no cookies, no credentials; bodies counted
//! while they come, uncompressed, within limits of time and size. Nothing that it says repeats a URL.
//!
//! It knows neither who asks nor what for. TLS proves the server's name, so an address that was
//! judged and then answers for somebody else is turned away.
//!
//! [`Trusted`] asks what the configuration names instead, wherever it lies, within the same limits.

pub mod address;
mod body;
mod error;
mod resolve;
pub mod target;
mod trusted;

use std::{sync::Arc, time::Duration};

use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use url::Url;

pub use address::leads_here;
pub use body::Body;
pub use error::FetchError;
pub use resolve::{Resolver, SystemResolver};
pub use target::{Policy, UrlProblem};
pub use trusted::Trusted;

use resolve::{Guarded, Reach};

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection, names and TLS included.
    pub connect: Duration,
    /// From a request to the head of its answer.
    pub answer: Duration,
    /// Between two pieces of a body.
    pub silence: Duration,
    /// For a small body as a whole, and for each mebibyte of a large one.
    pub body: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(15),
            silence: Duration::from_secs(20),
            body: Duration::from_secs(30),
        }
    }
}

/// What a part of a file is asked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The first byte that is missing.
    pub from: u64,
    /// The mark by which the server knows that the file is the same.
    pub mark: String,
}

/// The part of a file that an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its first byte.
    pub from: u64,
    /// Bytes of the whole file.
    pub total: u64,
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub struct Fetched {
    /// Bytes of the body, as the server announces them.
    pub length: Option<u64>,
    /// The part of the file, when it is not the whole.
    pub part: Option<Part>,
    /// The mark of this very content, if the server gives one that can be relied on.
    pub mark: Option<String>,
    /// The body.
    pub body: Body,
}

/// Asks addresses that users name.
#[derive(Clone, Debug)]
pub struct Fetcher {
    policy: Policy,
    patience: Patience,
    resolver: Arc<dyn Resolver>,
    secure: Client,
    /// For plain http to this machine, where the policy allows that.
    plain: Client,
}

impl Fetcher {
    /// A fetcher that keeps to `policy`.
    pub fn new(
        policy: Policy,
        patience: Patience,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, reqwest::Error> {
        // reqwest has no TLS provider of its own. If the program has installed one, that one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let build = |reach: Reach| {
            Client::builder()
                .dns_resolver(Arc::new(Guarded {
                    resolver: Arc::clone(&resolver),
                    policy: policy.clone(),
                    reach,
                }))
                .https_only(reach == Reach::Policy)
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .http1_only()
                // A connection is judged when it is made, and made for one request.
                .pool_max_idle_per_host(0)
                .connect_timeout(patience.connect)
                .user_agent(concat!("clipqueue/", env!("CARGO_PKG_VERSION")))
                .build()
        };
        Ok(Self {
            secure: build(Reach::Policy)?,
            plain: build(Reach::Loopback)?,
            policy,
            patience,
            resolver,
        })
    }

    /// What is allowed.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The TXT records of a name.
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, FetchError> {
        let asked = self.resolver.texts(name);
        match tokio::time::timeout(self.patience.answer, asked).await {
            Ok(texts) => texts,
            Err(_) => Err(FetchError::TooSlow),
        }
    }

    /// Asks for a file, or for the rest of one. Follows redirects.
    pub async fn get(&self, url: &Url, rest: Option<&Rest>) -> Result<Fetched, FetchError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.request(reqwest::Method::GET, &url)?;
            if let Some(rest) = rest {
                let range = format!("bytes={}-", rest.from);
                request = request
                    .header(header::RANGE, range)
                    .header(header::IF_RANGE, &rest.mark);
            }
            let response = self.send(request).await?;
            let status = response.status();
            if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                url = self.redirected(&url, &response)?;
                continue;
            }
            return self.fetched(response);
        }
        Err(FetchError::Redirects)
    }

    /// A small body as a whole, from this address itself: redirects are not followed.
    pub async fn get_small(&self, url: &Url, most: usize) -> Result<Vec<u8>, FetchError> {
        let request = self.request(reqwest::Method::GET, url)?;
        let response = self.send(request).await?;
        if response.status().is_redirection() {
            return Err(FetchError::Redirects);
        }
        self.fetched(response)?.body.read_small(most).await
    }

    /// Sends `body` with `headers`, and gives the status of the answer, whatever it is. The answer's
    /// body is not read, and redirects are not followed: what is sent is for this address alone.
    pub async fn post(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<u16, FetchError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|_| FetchError::Broken)?;
            map.insert(HeaderName::from_static(name), value);
        }
        let request = self.request(reqwest::Method::POST, url)?;
        let response = self.send(request.headers(map).body(body)).await?;
        Ok(response.status().as_u16())
    }

    fn request(&self, method: reqwest::Method, url: &Url) -> Result<RequestBuilder, FetchError> {
        self.policy.judge(url)?;
        let client = match url.scheme() {
            "https" => &self.secure,
            _ => &self.plain,
        };
        Ok(client
            .request(method, url.clone())
            .header(header::ACCEPT_ENCODING, "identity"))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, FetchError> {
        let patience = self.patience.connect + self.patience.answer;
        match tokio::time::timeout(patience, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(FetchError::of_client(&error)),
            Err(_) => Err(FetchError::TooSlow),
        }
    }

    fn redirected(&self, from: &Url, response: &Response) -> Result<Url, FetchError> {
        let to = response
            .headers()
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .ok_or(FetchError::Redirects)?;
        let to = from.join(to).map_err(|_| FetchError::Redirects)?;
        self.policy.judge(&to)?;
        // Whoever began with https does not go on without.
        if from.scheme() == "https" && to.scheme() != "https" {
            return Err(UrlProblem::Scheme.into());
        }
        Ok(to)
    }

    fn fetched(&self, response: Response) -> Result<Fetched, FetchError> {
        let headers = response.headers();
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let part = match response.status() {
            StatusCode::OK => None,
            StatusCode::PARTIAL_CONTENT => {
                let part = text(header::CONTENT_RANGE).and_then(part);
                Some(part.ok_or(FetchError::Status(206))?)
            }
            status => return Err(FetchError::Status(status.as_u16())),
        };
        let plain = text(header::CONTENT_ENCODING).is_none_or(|word| word.trim() == "identity");
        if !plain || headers.get_all(header::CONTENT_ENCODING).iter().count() > 1 {
            return Err(FetchError::Encoded);
        }
        Ok(Fetched {
            length: response.content_length(),
            part,
            mark: mark(text(header::ETAG), text(header::LAST_MODIFIED)),
            body: Body::new(response, self.patience),
        })
    }
}

/// The mark that `If-Range` takes: a strong entity tag, else the time of the last change.
fn mark(etag: Option<&str>, modified: Option<&str>) -> Option<String> {
    let strong = etag.filter(|tag| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'));
    strong
        .or(modified)
        .filter(|mark| mark.len() <= 200)
        .map(str::to_owned)
}

/// `bytes 100-199/1000`.
fn part(text: &str) -> Option<Part> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    };
    let (from, to, total) = (number(from)?, number(to)?, number(total)?);
    // It must be the rest of the file.
    (from <= to && to.checked_add(1)? == total).then_some(Part { from, total })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_is_the_rest_of_a_file_or_nothing() {
        let found = part("bytes 100-999/1000");
        assert_eq!(
            found,
            Some(Part {
                from: 100,
                total: 1000
            })
        );
        for text in [
            "bytes 100-998/1000",
            "bytes 100-999/*",
            "bytes */1000",
            "bytes 999-100/1000",
            "bytes +1-999/1000",
            "items 0-9/10",
            "bytes 0-18446744073709551615/1",
            "",
        ] {
            assert_eq!(part(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_mark_that_can_be_relied_on_is_kept() {
        assert_eq!(mark(Some("\"abc\""), Some("then")), Some("\"abc\"".into()));
        assert_eq!(mark(Some("W/\"abc\""), Some("then")), Some("then".into()));
        assert_eq!(mark(Some("W/\"abc\""), None), None);
        assert_eq!(mark(Some(&format!("\"{}\"", "a".repeat(300))), None), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(text in ".{0,60}", other in "bytes [0-9-]{0,45}/[0-9]{0,22}") {
            let _ = part(&text);
            let _ = part(&other);
            let _ = mark(Some(&text), Some(&other));
        }
    }
}
