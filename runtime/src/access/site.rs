//! Whether a request without a token is from a program of this machine. A browser is one, and does what pages of other sites
//! tell it: it sends their requests to loopback addresses with the header Origin, or to the page's own name, which its owner
//! lets lead to loopback (DNS rebinding), with that name in the header Host.

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

use super::Stranger;

/// What gives a request away; `None` where nothing does.
pub(super) fn stranger(peer: Option<IpAddr>, uri: &Uri, headers: &HeaderMap) -> Option<Stranger> {
    if !peer.is_some_and(is_loopback) {
        return Some(Stranger::Peer);
    }
    let hosts = headers.get_all(HOST).iter().map(|host| host.to_str().ok());
    // In the absolute form, which is meant for proxies, the host stands in the request line as well.
    let mut hosts = hosts.chain(uri.authority().map(|authority| Some(authority.as_str())));
    if !hosts.all(|host| host.is_some_and(is_loopback_host)) {
        return Some(Stranger::Host);
    }
    let own = headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_own = |origin: &str| {
        let place = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        place.zip(own).is_some_and(|(place, own)| place.eq_ignore_ascii_case(own))
    };
    let mut origins = headers.get_all(ORIGIN).iter();
    let all_own = origins.all(|origin| origin.to_str().is_ok_and(is_own));
    (!all_own).then_some(Stranger::Origin)
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether a host, with or without a port, is the loopback: an address, or a name that resolves to nothing else (RFC 6761).
fn is_loopback_host(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = name.parse::<IpAddr>() {
        return is_loopback(address);
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn headers(all: &[(&str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn with(all: &[(&str, &str)]) -> Option<Stranger> {
        let mut map = HeaderMap::new();
        for (name, value) in all {
            map.append(axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        stranger(HERE, &Uri::from_static("/v1/events"), &map)
    }

    #[test]
    fn only_loopback_peers_are_of_this_machine() {
        let host = headers(&[("host", "localhost:8480")]);
        for (peer, expected) in [
            ("127.0.0.1", None),
            ("127.9.9.9", None),
            ("::1", None),
            ("::ffff:127.0.0.1", None),
            ("192.0.2.1", Some(Stranger::Peer)),
            ("::ffff:192.0.2.1", Some(Stranger::Peer)),
            ("0.0.0.0", Some(Stranger::Peer)),
        ] {
            assert_eq!(stranger(Some(peer.parse().unwrap()), &Uri::from_static("/"), &host), expected, "{peer}");
        }
        assert_eq!(stranger(None, &Uri::from_static("/"), &host), Some(Stranger::Peer), "nobody says who it is");
    }

    #[test]
    fn a_host_that_is_not_the_loopback_is_a_name_that_leads_here() {
        for host in
            ["localhost", "LOCALHOST:8480", "localhost.", "a.localhost:1", "127.0.0.1:8480", "127.1.2.3", "[::1]:8480"]
        {
            assert_eq!(with(&[("host", host)]), None, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8480",
            "localhost.evil.example",
            "evillocalhost",
            "127.0.0.1.evil.example",
            "192.0.2.1:8480",
            "[2001:db8::1]",
            "0.0.0.0:8480",
            "a b",
            "",
        ] {
            assert_eq!(with(&[("host", host)]), Some(Stranger::Host), "{host}");
        }
        assert_eq!(with(&[]), None, "a browser always says it");
        assert_eq!(with(&[("host", "localhost"), ("host", "evil.example")]), Some(Stranger::Host));
        let absolute = Uri::from_static("http://evil.example/v1/events");
        assert_eq!(stranger(HERE, &absolute, &headers(&[("host", "localhost")])), Some(Stranger::Host));
    }

    #[test]
    fn a_page_of_another_site_is_refused_and_our_own_is_not() {
        let from = |host: &str, origin: &str| with(&[("host", host), ("origin", origin)]);
        assert_eq!(from("127.0.0.1:8480", "http://127.0.0.1:8480"), None);
        assert_eq!(from("localhost:8480", "https://LOCALHOST:8480"), None);
        assert_eq!(from("localhost", "http://localhost"), None);
        for origin in [
            "http://evil.example",
            "http://evil.example:8480",
            "http://localhost:3000",
            "http://127.0.0.1:8480",
            "http://localhost:8480.evil.example",
            "http://localhost:8480/",
            "localhost:8480",
            "file://",
            "null",
            "",
        ] {
            assert_eq!(from("localhost:8480", origin), Some(Stranger::Origin), "{origin}");
        }
        let twice = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://evil.example")];
        assert_eq!(with(&twice), Some(Stranger::Origin));
        assert_eq!(with(&[("origin", "http://localhost")]), Some(Stranger::Origin), "to whom?");
    }
}
