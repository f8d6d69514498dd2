//! Whether a request without a token is from a program of this machine. A browser is one, and does what pages of other sites
//! tell it: it sends their requests to loopback addresses with the header Origin, and those of an image or a script with
//! Sec-Fetch-Site alone; or to the page's own name, which its owner lets lead to loopback (DNS rebinding), with that name in the
//! header Host. A proxy is one as well, and does what anybody tells it. Most say so in a header; one that does not, and puts
//! this machine's address into Host, cannot be told from a program of this machine.

use std::net::IpAddr;

use axum::http::header::{FORWARDED, HOST, ORIGIN, VIA};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Uri};

use super::Stranger;
use crate::loopback::{is_loopback, is_loopback_name};

/// What proxies add to what they pass on.
const PROXY: [HeaderName; 5] = [
    FORWARDED,
    VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-real-ip"),
];

/// What gives a request away; `None` where nothing does.
pub(super) fn stranger(peer: Option<IpAddr>, uri: &Uri, headers: &HeaderMap) -> Option<Stranger> {
    if !peer.is_some_and(is_loopback) {
        return Some(Stranger::Peer);
    }
    if PROXY.iter().any(|name| headers.contains_key(name)) {
        return Some(Stranger::Proxy);
    }
    if !is_to_loopback(uri, headers) {
        return Some(Stranger::Host);
    }
    if !is_own_site(headers) {
        return Some(Stranger::Origin);
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

/// Whether a request was sent to a name, or an address, of the loopback, or to none.
pub(crate) fn is_to_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let hosts = headers.get_all(HOST).iter().map(|host| host.to_str().ok());
    // In the absolute form, which is meant for proxies, the host stands in the request line as well.
    let mut hosts = hosts.chain(uri.authority().map(|authority| Some(authority.as_str())));
    hosts.all(|host| host.is_some_and(is_loopback_host))
}

/// What a browser says of whose page a request is for. It says it to loopback addresses; other programs do not.
fn is_own_site(headers: &HeaderMap) -> bool {
    let all = |name: &'static str, right: &[&str]| {
        headers.get_all(name).iter().all(|value| value.to_str().is_ok_and(|value| right.contains(&value)))
    };
    let is = |name: &'static str, value: &str| headers.contains_key(name) && all(name, &[value]);
    // Somebody follows a link: the page that it is on does not see the answer.
    let is_link = is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
    all("sec-fetch-site", &["same-origin", "none"]) || is_link
}

/// Whether a host, with or without a port, is the loopback: an address, or a name that resolves to nothing else (RFC 6761).
fn is_loopback_host(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.parse::<IpAddr>().map_or_else(|_| is_loopback_name(name), is_loopback)
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
    fn what_comes_through_a_proxy_is_not_of_this_machine() {
        for (name, value) in [
            ("forwarded", "for=192.0.2.1"),
            ("X-Forwarded-For", "192.0.2.1"),
            ("X-Forwarded-Host", "localhost"),
            ("X-Real-IP", "127.0.0.1"),
            ("via", "1.1 proxy"),
            ("via", ""),
        ] {
            assert_eq!(with(&[("host", "localhost"), (name, value)]), Some(Stranger::Proxy), "{name}");
        }
    }

    #[test]
    fn what_a_browser_fetches_for_another_site_is_refused_and_a_link_is_followed() {
        let sent = |site: &str, mode: &str, dest: &str| {
            with(&[
                ("host", "localhost:8470"),
                ("sec-fetch-site", site),
                ("sec-fetch-mode", mode),
                ("sec-fetch-dest", dest),
            ])
        };
        for (site, mode, dest, expected) in [
            ("same-origin", "cors", "empty", None),
            ("none", "navigate", "document", None),
            ("cross-site", "navigate", "document", None),
            ("same-site", "navigate", "document", None),
            ("cross-site", "no-cors", "image", Some(Stranger::Origin)),
            ("cross-site", "no-cors", "script", Some(Stranger::Origin)),
            ("cross-site", "navigate", "iframe", Some(Stranger::Origin)),
            ("cross-site", "cors", "document", Some(Stranger::Origin)),
            // A page of another port of this machine.
            ("same-site", "cors", "empty", Some(Stranger::Origin)),
            ("", "no-cors", "empty", Some(Stranger::Origin)),
        ] {
            assert_eq!(sent(site, mode, dest), expected, "{site} {mode} {dest}");
        }
        assert_eq!(with(&[("sec-fetch-site", "cross-site")]), Some(Stranger::Origin), "it says no more");
        let twice = [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert_eq!(with(&twice), Some(Stranger::Origin));
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
