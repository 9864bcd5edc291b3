//! The client: configuration, HTTP and the ways in which endpoints are called. The endpoints themselves are
//! methods in the modules of their subjects.

use std::sync::Arc;

use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use crate::config::{Config, ConfigError, join};
use crate::endpoint::Endpoint;
use crate::envelope::{Opened, RawAnswer};
use crate::error::{Error, LogIds, Malformed};
use crate::fields::Fields;
use crate::secrets::AccessToken;
use crate::transport::{self, Http};

/// The content type that TikTok's posting pages name.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// A client of TikTok's API for one app. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) config: Arc<Config>,
    pub(crate) http: Http,
}

/// What a call gave, with the evidence for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The answer itself.
    pub value: T,
    /// HTTP status it came with.
    pub http_status: u16,
    /// TikTok's references for it.
    pub logs: LogIds,
}

impl<T> Answer<T> {
    /// The same evidence with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: f(self.value),
            http_status: self.http_status,
            logs: self.logs,
        }
    }
}

impl Client {
    /// Builds a client. Installs rustls' ring provider if the program has not installed one.
    ///
    /// # Errors
    /// [`ConfigError`] for an unusable configuration or a system without certificates.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let http = Http::new(&config.timeouts)?;
        Ok(Self {
            config: Arc::new(config),
            http,
        })
    }

    /// The configuration it was built from.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn url(&self, endpoint: Endpoint) -> url::Url {
        join(&self.config.api_base, endpoint.path())
    }

    pub(crate) async fn post_json(
        &self,
        endpoint: Endpoint,
        token: &AccessToken,
        query: &[(&str, String)],
        body: &Value,
    ) -> Result<Opened, Error> {
        let request = self
            .http
            .calls
            .post(self.url(endpoint))
            .bearer_auth(token.expose())
            .query(query)
            .header(CONTENT_TYPE, JSON)
            .body(body.to_string());
        transport::call(endpoint, request, self.config.max_answer)
            .await?
            .open_wrapped()
    }

    pub(crate) async fn get(
        &self,
        endpoint: Endpoint,
        token: &AccessToken,
        query: &[(&str, String)],
    ) -> Result<Opened, Error> {
        let request = self
            .http
            .calls
            .get(self.url(endpoint))
            .bearer_auth(token.expose())
            .query(query);
        transport::call(endpoint, request, self.config.max_answer)
            .await?
            .open_wrapped()
    }

    pub(crate) async fn post_form(
        &self,
        endpoint: Endpoint,
        form: &[(&str, &str)],
    ) -> Result<RawAnswer, Error> {
        let request = self
            .http
            .calls
            .post(self.url(endpoint))
            .header(CACHE_CONTROL, NO_CACHE)
            .form(form);
        transport::call(endpoint, request, self.config.max_answer).await
    }
}

impl Opened {
    /// Reads the fields into a value, keeping the evidence in either case.
    pub(crate) fn read<T>(
        mut self,
        read: impl FnOnce(Fields) -> Result<T, Malformed>,
    ) -> Result<Answer<T>, Error> {
        match read(std::mem::take(&mut self.fields)) {
            Ok(value) => Ok(Answer {
                value,
                http_status: self.http_status,
                logs: self.logs,
            }),
            Err(problem) => Err(self.malformed(problem)),
        }
    }
}
