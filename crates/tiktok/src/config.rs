//! What a [`crate::Client`] is built from, and the checks on it.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::hosts::{HostRule, has_no_credentials, is_safe_transport};

/// Address of TikTok's consent page, without the path.
pub const DEFAULT_AUTHORIZE_BASE: &str = "https://www.tiktok.com/";
/// Address of TikTok's API, without the path.
pub const DEFAULT_API_BASE: &str = "https://open.tiktokapis.com/";
/// Upload hosts seen in TikTok's answers all lie below this.
pub const DEFAULT_UPLOAD_HOSTS: &str = "*.tiktokapis.com";
/// Largest answer that is read, in bytes. The largest real one is a page of 20 videos, some tens of kB.
pub const DEFAULT_MAX_ANSWER: usize = 1024 * 1024;

/// Everything that a client needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The app's public key.
    pub client_key: String,
    /// The app's secret.
    pub client_secret: SecretString,
    /// Base of the consent page; the path is appended.
    pub authorize_base: Url,
    /// Base of the API; paths are appended.
    pub api_base: Url,
    /// Hosts that video bytes may be sent to.
    pub upload_hosts: Vec<HostRule>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// Largest answer in bytes; a larger one is an error, and is not read to its end.
    pub max_answer: usize,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To have a connection, TLS included. Running out of it means that nothing was sent.
    pub connect: Duration,
    /// For a whole call, from its start to the last byte of the answer. Chunks are not under it.
    pub call: Duration,
    /// While a chunk is sent: the longest time in which not one byte moves.
    pub upload_stall: Duration,
    /// After the last byte of a chunk: the longest wait for the answer.
    pub upload_answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            call: Duration::from_secs(30),
            upload_stall: Duration::from_secs(30),
            upload_answer: Duration::from_secs(120),
        }
    }
}

/// Why no client can be built.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A needed value is empty.
    #[error("{field} is empty")]
    Empty {
        /// Name of the field of [`Config`].
        field: &'static str,
    },
    /// A base address is unusable.
    #[error(
        "{field} must be https (http for loopback hosts only), without credentials, query and fragment"
    )]
    Base {
        /// Name of the field of [`Config`].
        field: &'static str,
    },
    /// The HTTP client cannot be set up, mostly for want of system certificates.
    #[error("the HTTP client cannot be set up")]
    Http(#[source] reqwest::Error),
}

impl Config {
    /// A configuration for TikTok itself with the default timeouts.
    pub fn new(client_key: impl Into<String>, client_secret: SecretString) -> Self {
        Self {
            client_key: client_key.into(),
            client_secret,
            authorize_base: Url::parse(DEFAULT_AUTHORIZE_BASE).expect("a constant URL"),
            api_base: Url::parse(DEFAULT_API_BASE).expect("a constant URL"),
            upload_hosts: vec![DEFAULT_UPLOAD_HOSTS.parse().expect("a constant rule")],
            timeouts: Timeouts::default(),
            max_answer: DEFAULT_MAX_ANSWER,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        use secrecy::ExposeSecret;
        let empty = |field| Err(ConfigError::Empty { field });
        if self.client_key.is_empty() {
            return empty("client_key");
        }
        if self.client_secret.expose_secret().is_empty() {
            return empty("client_secret");
        }
        if self.upload_hosts.is_empty() {
            return empty("upload_hosts");
        }
        for (field, base) in [
            ("authorize_base", &self.authorize_base),
            ("api_base", &self.api_base),
        ] {
            let plain = base.query().is_none() && base.fragment().is_none();
            if !(plain && is_safe_transport(base) && has_no_credentials(base)) {
                return Err(ConfigError::Base { field });
            }
        }
        Ok(())
    }
}

/// Appends a path to a base, which may have a path of its own with or without a trailing slash.
pub(crate) fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bases_are_joined_and_checked() {
        for base in ["https://x.example", "https://x.example/"] {
            let url = join(&Url::parse(base).unwrap(), "v2/oauth/token/");
            assert_eq!(url.as_str(), "https://x.example/v2/oauth/token/");
        }
        let url = join(&Url::parse("http://localhost:1/sim/").unwrap(), "v2/a/");
        assert_eq!(url.as_str(), "http://localhost:1/sim/v2/a/");

        let good = Config::new("key", SecretString::from("secret"));
        assert!(good.check().is_ok());
        for bad in [
            "http://open.tiktokapis.com",
            "https://u@x.example",
            "https://x.example?a",
            "ftp://localhost",
        ] {
            let mut config = good.clone();
            config.api_base = Url::parse(bad).unwrap();
            assert!(
                matches!(config.check(), Err(ConfigError::Base { field: "api_base" })),
                "{bad}"
            );
        }
        let mut config = good.clone();
        config.client_secret = SecretString::from("");
        assert!(matches!(
            config.check(),
            Err(ConfigError::Empty {
                field: "client_secret"
            })
        ));
        assert!(!format!("{good:?}").contains("\"secret\""));
    }
}
