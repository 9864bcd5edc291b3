//! From names to addresses, and to the texts that prove who owns a name.
//!
//! A name is admitted when **every** address that it has is: one that is public and one that is not
//! are an attempt to be let in. The client connects to what was judged here and asks nobody again.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use hickory_resolver::{TokioResolver, proto::rr::RData};
use tokio::sync::OnceCell;

use super::{FetchError, address::is_loopback, target::Policy};

/// Looks names up.
#[async_trait::async_trait]
pub trait Resolver: fmt::Debug + Send + Sync {
    /// The addresses of a host.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, FetchError>;

    /// The TXT records of a name; none, when there are none.
    async fn texts(&self, name: &str) -> Result<Vec<String>, FetchError>;
}

/// Asks what the machine is configured to ask.
#[derive(Default)]
pub struct SystemResolver {
    dns: OnceCell<TokioResolver>,
}

impl fmt::Debug for SystemResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemResolver")
    }
}

#[async_trait::async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, FetchError> {
        let found = tokio::net::lookup_host((host, 0))
            .await
            .map_err(|_| FetchError::Unresolved)?;
        Ok(found.map(|address| address.ip()).collect())
    }

    async fn texts(&self, name: &str) -> Result<Vec<String>, FetchError> {
        let dns = self
            .dns
            .get_or_try_init(async || {
                TokioResolver::builder_tokio()
                    .and_then(|builder| builder.build())
                    .map_err(|_| FetchError::Unresolved)
            })
            .await?;
        // With its dot it is looked up as it stands, and not in the machine's own domains.
        let found = match dns.txt_lookup(format!("{name}.")).await {
            Ok(found) => found,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(_) => return Err(FetchError::Unresolved),
        };
        let texts = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::TXT(text) => {
                    Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned())
                }
                _ => None,
            });
        Ok(texts.collect())
    }
}

/// Which addresses a client may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those that the policy admits.
    Policy,
    /// This machine alone, for plain http.
    Loopback,
}

/// The resolver as the HTTP client sees it: whatever leaves it was judged.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) policy: Policy,
    pub(super) reach: Reach,
}

impl Guarded {
    fn judge(&self, found: &[IpAddr]) -> Result<(), FetchError> {
        if found.is_empty() {
            return Err(FetchError::Unresolved);
        }
        let admitted = found.iter().all(|address| {
            self.policy.admits(*address) && (self.reach == Reach::Policy || is_loopback(*address))
        });
        if admitted {
            Ok(())
        } else {
            Err(FetchError::Inside)
        }
    }
}

impl reqwest::dns::Resolve for Guarded {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let guarded = Self {
            resolver: Arc::clone(&self.resolver),
            policy: self.policy.clone(),
            reach: self.reach,
        };
        Box::pin(async move {
            let found = guarded.resolver.addresses(name.as_str()).await?;
            guarded.judge(&found)?;
            let found = found.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as reqwest::dns::Addrs)
        })
    }
}
