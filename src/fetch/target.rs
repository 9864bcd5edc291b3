//! Which URLs may be asked, before any name is resolved. Pure.
//!
//! The parser is the one that the client uses, so that both see the same host: every notation of an
//! address (decimal, hexadecimal, octal, short, mapped) has become the address when it is judged.

use std::net::IpAddr;

use url::{Host, Url};

use super::address::{is_loopback, is_public};

/// The longest URL that is taken.
pub const MAX_URL: usize = 2048;

/// Names that never lead to the public network.
const CLOSED_NAMES: &[&str] = &[
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "home.arpa",
    "in-addr.arpa",
    "ip6.arpa",
    "onion",
    "test",
    "invalid",
    "example",
];

/// What the operator allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Ports that may be asked.
    pub ports: Vec<u16>,
    /// For tests and development: this machine may be asked, by plain http, too, and on any port.
    pub loopback: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            ports: vec![443],
            loopback: false,
        }
    }
}

/// Why a URL is not asked. Its text is for the person who gave the URL, and does not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// It is no URL.
    #[error("this is not an absolute https URL without spaces and control characters")]
    Form,
    /// It is too long.
    #[error("the URL has more than 2048 characters")]
    TooLong,
    /// It is not https.
    #[error("only https URLs are fetched")]
    Scheme,
    /// It holds a user or password.
    #[error("the URL holds a user name or password; leave it out")]
    Credentials,
    /// The port is not allowed.
    #[error("this port is not allowed; use the one of https")]
    Port,
    /// The host is a name that is not public, or an address that is not.
    #[error("the host is not one of the public internet")]
    Host,
}

impl Policy {
    /// Whether an address may be connected to.
    pub fn admits(&self, address: IpAddr) -> bool {
        is_public(address) || (self.loopback && is_loopback(address))
    }

    /// Reads a URL and judges everything that can be judged without the network.
    pub fn read(&self, text: &str) -> Result<Url, UrlProblem> {
        if text.len() > MAX_URL {
            return Err(UrlProblem::TooLong);
        }
        // The parser would drop some of these silently, and a person may have meant something else.
        if text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == '\\')
        {
            return Err(UrlProblem::Form);
        }
        let url = Url::parse(text).map_err(|_| UrlProblem::Form)?;
        self.judge(&url)?;
        Ok(url)
    }

    /// Judges a URL that was read, such as the target of a redirect.
    pub fn judge(&self, url: &Url) -> Result<(), UrlProblem> {
        if url.as_str().len() > MAX_URL {
            return Err(UrlProblem::TooLong);
        }
        match url.scheme() {
            "https" => {}
            "http" if self.loopback => {}
            _ => return Err(UrlProblem::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlProblem::Credentials);
        }
        let local = match url.host().ok_or(UrlProblem::Form)? {
            Host::Ipv4(v4) => self.judge_address(v4.into())?,
            Host::Ipv6(v6) => self.judge_address(v6.into())?,
            Host::Domain(name) => self.judge_name(name)?,
        };
        let port = url.port_or_known_default().ok_or(UrlProblem::Port)?;
        if !local && !self.loopback && !self.ports.contains(&port) {
            return Err(UrlProblem::Port);
        }
        Ok(())
    }

    /// Whether the address is this machine.
    fn judge_address(&self, address: IpAddr) -> Result<bool, UrlProblem> {
        if self.admits(address) {
            Ok(is_loopback(address))
        } else {
            Err(UrlProblem::Host)
        }
    }

    /// Whether the name is this machine's.
    fn judge_name(&self, name: &str) -> Result<bool, UrlProblem> {
        // A name that ends in a dot is the same host under another spelling.
        if name.is_empty() || name.len() > 253 || name.ends_with('.') || name.contains("..") {
            return Err(UrlProblem::Host);
        }
        if self.loopback && name == "localhost" {
            return Ok(true);
        }
        let closed = CLOSED_NAMES.iter().any(|closed| {
            name.strip_suffix(closed)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        // A name without a dot is looked up in the operator's own domains.
        if closed || !name.contains('.') {
            return Err(UrlProblem::Host);
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// URLs that lead inside in some notation, or are something else than they seem.
    const HOSTILE: &[&str] = &[
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://017700000001/",
        "https://127.0.0.1.:443/",
        "https://①②⑦.⓪.⓪.①/",
        "https://127。0。0。1/",
        "https://%31%32%37.0.0.1/",
        "https://0/",
        "https://0.0.0.0/",
        "https://10.0.0.1/",
        "https://10.1/",
        "https://167772161/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://0xc0a80101/",
        "https://169.254.169.254/latest/meta-data/",
        "https://0xa9fea9fe/",
        "https://2852039166/",
        "https://0251.0376.0251.0376/",
        "https://100.100.100.200/",
        "https://168.63.129.16/",
        "https://192.0.0.192/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::]/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[64:ff9b:1::1]/",
        "https://[2002:7f00:1::]/",
        "https://[2002:a00:1::]/",
        "https://[2001:0:7f00:1::]/",
        "https://[fe80::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[fc00::1]/",
        "https://[fd00:ec2::254]/",
        "https://[ff02::1]/",
        "https://[2001:db8::1]/",
        "https://localhost/",
        "https://LOCALHOST/",
        "https://localhost./",
        "https://a.localhost/",
        "https://metadata.google.internal/",
        "https://printer.local/",
        "https://router.home.arpa/",
        "https://intranet/",
        "https://metadata/",
        "https://example.com./",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://:secret@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com:80/",
        "https://example.com:22/",
        "https://example.com:6379/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "http://example.com/",
        "http://127.0.0.1/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com:70/_x",
        "data:text/plain,x",
        "javascript:alert(1)",
        "unix:/run/docker.sock",
        "//example.com/",
        "example.com",
        "https://",
        "https:///",
        "https:// example.com/",
        "https://exa\tmple.com/",
        "https://example.com/\r\nHost: inside",
        "https://example.com\\@inside/",
        "https:\\\\example.com/",
        "",
    ];

    #[test]
    fn hostile_urls_are_refused_in_every_notation() {
        let policy = Policy::default();
        for text in HOSTILE {
            assert!(policy.read(text).is_err(), "{text}");
        }
        let long = format!("https://example.com/{}", "a".repeat(MAX_URL));
        assert_eq!(policy.read(&long), Err(UrlProblem::TooLong));
    }

    #[test]
    fn honest_urls_are_taken() {
        for text in [
            "https://example.com/clip.mp4",
            "https://cdn.example.com:443/a/b.mp4?signature=a%2Fb",
            "https://bücher.example.com/x",
            "https://8.8.8.8/x",
            "https://[2606:4700::1111]/x",
        ] {
            assert!(Policy::default().read(text).is_ok(), "{text}");
        }
        let more = Policy {
            ports: vec![443, 8443],
            loopback: false,
        };
        assert!(more.read("https://example.com:8443/").is_ok());
    }

    #[test]
    fn this_machine_is_open_only_where_a_key_says_so_and_nothing_else_with_it() {
        let policy = Policy {
            loopback: true,
            ..Policy::default()
        };
        for text in [
            "http://127.0.0.1:8080/",
            "http://localhost:1/",
            "https://[::1]/",
        ] {
            assert!(policy.read(text).is_ok(), "{text}");
        }
        for text in [
            "http://10.0.0.1/",
            "https://169.254.169.254/",
            "ftp://localhost/",
        ] {
            assert!(policy.read(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(text in ".{0,200}") {
            let _ = Policy::default().read(&text);
        }

        #[test]
        fn nothing_that_is_taken_names_an_address_that_is_not_public(
            scheme in "https?|HTTPS|ftp",
            user in "([a-z]{0,3}@)?",
            host in "([0-9a-fx]{1,10}\\.?){1,4}|\\[[0-9a-f:.]{2,30}\\]|[a-z0-9.-]{1,20}",
            port in "(:[0-9]{1,5})?",
            path in "[/a-z0-9?#%@:.]{0,20}",
        ) {
            let text = format!("{scheme}://{user}{host}{port}{path}");
            if let Ok(url) = Policy::default().read(&text) {
                prop_assert_eq!(url.scheme(), "https");
                prop_assert!(url.username().is_empty() && url.password().is_none());
                prop_assert_eq!(url.port_or_known_default(), Some(443));
                match url.host().unwrap() {
                    Host::Ipv4(v4) => prop_assert!(is_public(v4.into())),
                    Host::Ipv6(v6) => prop_assert!(is_public(v6.into())),
                    Host::Domain(name) => prop_assert!(name.contains('.') && !name.ends_with('.')),
                }
            }
        }

        #[test]
        fn every_notation_of_an_inner_address_is_refused(low in any::<u32>(), inner in 0_usize..4) {
            let (start, mask) = [
                (0x7f00_0000_u32, 0x00ff_ffff),
                (0x0a00_0000, 0x00ff_ffff),
                (0xa9fe_0000, 0x0000_ffff),
                (0xc0a8_0000, 0x0000_ffff),
            ][inner];
            let bits = start | (low & mask);
            let [a, b, c, d] = bits.to_be_bytes();
            for host in [
                format!("{a}.{b}.{c}.{d}"),
                format!("{bits}"),
                format!("{bits:#x}"),
                format!("0{bits:o}"),
                format!("{a:#x}.{b:#o}.{c}.{d}").replace("0o", "0"),
                format!("{a}.{}", bits & 0x00ff_ffff),
                format!("{a}.{b}.{}", bits & 0xffff),
                format!("[::ffff:{a}.{b}.{c}.{d}]"),
                format!("[::ffff:{:x}:{:x}]", bits >> 16, bits & 0xffff),
                format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
                format!("[2002:{:x}:{:x}::1]", bits >> 16, bits & 0xffff),
            ] {
                prop_assert!(Policy::default().read(&format!("https://{host}/")).is_err(), "{}", host);
            }
        }
    }
}
