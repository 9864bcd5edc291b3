//! Which hosts may be talked to: the allow-list for upload URLs, and the rule that plain http is for
//! loopback alone.

use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

/// One entry of the allow-list for upload hosts.
///
/// Forms: `*.example.com` (every host below it, not itself), `up.example.com` (this host), both with https
/// on port 443; `host:port` (this host and port); `localhost:*` (any port, loopback hosts only). Plain
/// http passes only to a loopback host that the list names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    host: HostPattern,
    port: PortPattern,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    /// Holds the part from the dot on: `.example.com`.
    Below(String),
    Exact(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PortPattern {
    /// The default port of the URL's scheme.
    Default,
    Exact(u16),
    Any,
}

/// Why a text is no host rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{rule}\" is no host rule ({problem}); write \"*.example.com\", \"host.example.com\", \"host:port\" or \"localhost:*\""
)]
pub struct InvalidHostRule {
    rule: String,
    problem: &'static str,
}

impl HostRule {
    /// Whether the rule lets a request to this URL through.
    #[must_use]
    pub fn allows(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        let name = host.to_string();
        let host_fits = match &self.host {
            HostPattern::Exact(exact) => *exact == name,
            HostPattern::Below(suffix) => {
                matches!(host, Host::Domain(_)) && name.ends_with(suffix.as_str())
            }
        };
        // `Url::port` is `None` for the scheme's default port.
        let port_fits = match self.port {
            PortPattern::Default => url.port().is_none(),
            PortPattern::Exact(port) => url.port_or_known_default() == Some(port),
            PortPattern::Any => true,
        };
        host_fits && port_fits && is_safe_transport(url) && has_no_credentials(url)
    }
}

/// https, or http to the machine itself.
pub(crate) fn is_safe_transport(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => url.host().is_some_and(|host| is_loopback(&host)),
        _ => false,
    }
}

pub(crate) fn has_no_credentials(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref().eq_ignore_ascii_case("localhost"),
        Host::Ipv4(ip) => IpAddr::V4(*ip).is_loopback(),
        Host::Ipv6(ip) => IpAddr::V6(*ip).is_loopback(),
    }
}

impl FromStr for HostRule {
    type Err = InvalidHostRule;

    fn from_str(text: &str) -> Result<Self, InvalidHostRule> {
        let fail = |problem| InvalidHostRule {
            rule: text.to_owned(),
            problem,
        };
        let rule = text.trim();
        if let Some(below) = rule.strip_prefix("*.") {
            let host = Host::parse(below).map_err(|_| fail("the host is malformed"))?;
            let Host::Domain(name) = host else {
                return Err(fail("a wildcard needs a domain name"));
            };
            if name.contains('*') {
                return Err(fail("the host is malformed"));
            }
            if !name.contains('.') {
                return Err(fail("the wildcard covers a whole top-level domain"));
            }
            return Ok(Self {
                host: HostPattern::Below(format!(".{name}")),
                port: PortPattern::Default,
            });
        }
        let (host, port) = match rule.rsplit_once(':') {
            // The colons of a bare IPv6 address are inside brackets.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rule, None),
        };
        // A star is a legal character of a URL's host, but nobody means it so.
        if host.contains('*') {
            return Err(fail("a wildcard stands for the first label"));
        }
        let host = Host::parse(host).map_err(|_| fail("the host is malformed"))?;
        let port = match port {
            None => PortPattern::Default,
            Some("*") if is_loopback(&host) => PortPattern::Any,
            Some("*") => return Err(fail("any port is allowed for loopback hosts only")),
            Some(number) => {
                PortPattern::Exact(number.parse().map_err(|_| fail("the port is no number"))?)
            }
        };
        Ok(Self {
            host: HostPattern::Exact(host.to_string()),
            port,
        })
    }
}

impl std::fmt::Display for HostRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            HostPattern::Below(suffix) => write!(f, "*{suffix}")?,
            HostPattern::Exact(host) => f.write_str(host)?,
        }
        match self.port {
            PortPattern::Default => Ok(()),
            PortPattern::Exact(port) => write!(f, ":{port}"),
            PortPattern::Any => f.write_str(":*"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn allows(rule: &str, url: &str) -> bool {
        let rule: HostRule = rule.parse().unwrap();
        assert_eq!(rule, rule.to_string().parse().unwrap());
        rule.allows(&Url::parse(url).unwrap())
    }

    #[test]
    fn suffix_rules() {
        let rule = "*.tiktokapis.com";
        assert!(allows(
            rule,
            "https://open-upload.tiktokapis.com/video/?a=b"
        ));
        assert!(allows(rule, "https://upload.us.TikTokApis.com/"));
        for refused in [
            "https://tiktokapis.com/",
            "https://eviltiktokapis.com/",
            "https://x.tiktokapis.com.evil.example/",
            "https://x.tiktokapis.com:8443/",
            "https://u:p@x.tiktokapis.com/",
            "http://x.tiktokapis.com/",
            "https://x.tiktokapis.com./",
            "https://127.0.0.1/",
        ] {
            assert!(!allows(rule, refused), "{refused}");
        }
    }

    #[test]
    fn loopback_rules() {
        assert!(allows("127.0.0.1:9000", "http://127.0.0.1:9000/upload"));
        assert!(!allows("127.0.0.1:9000", "http://127.0.0.1:9001/upload"));
        assert!(!allows("127.0.0.1:9000", "http://localhost:9000/upload"));
        assert!(allows("localhost:*", "http://localhost:54321/"));
        assert!(allows("[::1]:9000", "http://[::1]:9000/"));
        assert!(!allows("sim.example:9000", "http://sim.example:9000/"));
        assert!(allows("sim.example:9000", "https://sim.example:9000/"));
    }

    #[test]
    fn malformed_rules_say_why() {
        for bad in [
            "",
            "*",
            "*.com",
            "a.*.com",
            "*.*.com",
            "*.127.0.0.1",
            "example.com:*",
            "a b",
            "host:99999",
            "https://x.y",
        ] {
            let error = bad.parse::<HostRule>().unwrap_err();
            assert!(error.to_string().contains("no host rule"), "{error}");
        }
    }
}
