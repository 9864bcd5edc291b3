//! Asks addresses that the configuration names, such as a provider of identities.
//!
//! Whoever configures the server may mean a host of their own network, so addresses are not judged. The
//! rest holds as for users' addresses: https, plain http to this machine alone and only if that was said,
//! no redirects, no proxy, no cookies, and limits of time and size.

use reqwest::{Client, header, redirect};

use super::{Body, FetchError, Patience, UrlProblem, leads_here};

/// A client for addresses that the configuration names.
#[derive(Clone, Debug)]
pub struct Trusted {
    client: Client,
    patience: Patience,
    loopback: bool,
}

impl Trusted {
    /// With `loopback`, this machine may be asked by plain http.
    pub fn new(loopback: bool, patience: Patience) -> Result<Self, reqwest::Error> {
        // As for users' addresses.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .http1_only()
            .connect_timeout(patience.connect)
            .user_agent(concat!("clipqueue/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            patience,
            loopback,
        })
    }

    /// Sends `request` and reads the answer, of which at most `most` bytes are taken. Every status but a
    /// redirect is an answer.
    pub async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        most: usize,
    ) -> Result<http::Response<Vec<u8>>, FetchError> {
        let mut request =
            reqwest::Request::try_from(request).map_err(|_| FetchError::Url(UrlProblem::Form))?;
        let url = request.url();
        if url.scheme() != "https" && !(self.loopback && leads_here(url)) {
            return Err(UrlProblem::Scheme.into());
        }
        request.headers_mut().insert(
            header::ACCEPT_ENCODING,
            header::HeaderValue::from_static("identity"),
        );
        let patience = self.patience.connect + self.patience.answer;
        let response = match tokio::time::timeout(patience, self.client.execute(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(FetchError::of_client(&error)),
            Err(_) => return Err(FetchError::TooSlow),
        };
        if response.status().is_redirection() {
            return Err(FetchError::Redirects);
        }
        let mut answer = http::Response::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        *answer.body_mut() = Body::new(response, self.patience).read_small(most).await?;
        Ok(answer)
    }
}
