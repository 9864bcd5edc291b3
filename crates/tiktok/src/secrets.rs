//! Tokens and upload URLs: values that whoever holds them can act with. They cannot print
//! themselves, and the only way out is `expose`, which is easy to search for.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Why a text is not an upload URL. It never shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upload URL is not an absolute http or https URL")]
pub struct InvalidUploadUrl;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// The secret itself. Only for the request or the sealed column that needs it.
            #[must_use]
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "([REDACTED])"))
            }
        }
    };
}

secret!(
    /// The bearer token of one user; valid for hours.
    AccessToken
);
secret!(
    /// The token that buys the next pair of tokens, once.
    RefreshToken
);
secret!(
    /// Where the bytes of one video go. Its query carries a token, so it is a secret as a whole. Whether
    /// its host is allowed is checked when it is used.
    UploadUrl
);

impl AccessToken {
    /// Takes a token as TikTok sent it.
    pub fn new(token: impl Into<String>) -> Self {
        Self(SecretString::from(token.into()))
    }
}

impl RefreshToken {
    /// Takes a token as TikTok sent it.
    pub fn new(token: impl Into<String>) -> Self {
        Self(SecretString::from(token.into()))
    }
}

impl UploadUrl {
    /// Takes the URL as TikTok sent it, with its query.
    ///
    /// # Errors
    /// [`InvalidUploadUrl`] if it is no absolute `http` or `https` URL.
    pub fn parse(url: impl Into<String>) -> Result<Self, InvalidUploadUrl> {
        let url = url.into();
        match Url::parse(&url) {
            Ok(parsed) if parsed.has_host() && matches!(parsed.scheme(), "http" | "https") => {
                Ok(Self(SecretString::from(url)))
            }
            _ => Err(InvalidUploadUrl),
        }
    }

    pub(crate) fn to_url(&self) -> Url {
        Url::parse(self.expose()).expect("parse accepted this very text")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let url = UploadUrl::parse("https://up.example/video/?upload_token=s3cret").unwrap();
        let shown = format!(
            "{:?} {:?} {url:?}",
            AccessToken::new("act.s3cret"),
            RefreshToken::new("rft.s3cret")
        );
        assert!(
            !shown.contains("s3cret") && !shown.contains("up.example"),
            "{shown}"
        );
        assert_eq!(
            url.expose(),
            "https://up.example/video/?upload_token=s3cret"
        );
    }

    #[test]
    fn upload_urls_are_absolute_http() {
        for bad in ["", "/video/", "file:///etc/passwd", "data:,x", "https://"] {
            assert!(UploadUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
