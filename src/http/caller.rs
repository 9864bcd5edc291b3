//! Where a request comes from, for limits of what anybody may ask. It is counted as a keyed hash and stored
//! nowhere.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{Extensions, HeaderMap};

use super::Peer;

/// The header to which proxies add whom they speak for.
const FORWARDED: &str = "x-forwarded-for";

/// The address behind `proxies` proxies; that of the connection when there are none. Of an IPv6 address
/// the network: a caller has all of it.
pub(super) fn source(
    headers: &HeaderMap,
    extensions: &Extensions,
    proxies: usize,
) -> Option<IpAddr> {
    let address = match proxies {
        0 => extensions.get::<Peer>().map(|Peer(peer)| peer.ip()),
        // What stands further left is the caller's own word.
        proxies => {
            let named: Vec<&str> = headers
                .get_all(FORWARDED)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','))
                .collect();
            let at = named.len().checked_sub(proxies)?;
            named[at].trim().parse().ok()
        }
    };
    address.map(network)
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(forwarded: &[&str], proxies: usize) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED, value.parse().unwrap());
        }
        let mut extensions = Extensions::new();
        extensions.insert(Peer("10.0.0.1:1".parse().unwrap()));
        source(&headers, &extensions, proxies).map(|address| address.to_string())
    }

    #[test]
    fn only_what_known_proxies_added_is_believed() {
        assert_eq!(seen(&["1.1.1.1"], 0).unwrap(), "10.0.0.1");
        assert_eq!(seen(&["6.6.6.6, 1.1.1.1"], 1).unwrap(), "1.1.1.1");
        assert_eq!(
            seen(&["6.6.6.6, 1.1.1.1", "2.2.2.2"], 2).unwrap(),
            "1.1.1.1"
        );
        assert_eq!(seen(&["6.6.6.6, nonsense"], 1), None);
        assert_eq!(seen(&[], 1), None);
    }

    #[test]
    fn a_network_counts_as_one_caller() {
        let one = seen(&["2001:db8:1:2:3:4:5:6"], 1);
        assert_eq!(one.unwrap(), "2001:db8:1:2::");
        assert_eq!(seen(&["::ffff:1.2.3.4"], 1).unwrap(), "1.2.3.4");
    }
}
