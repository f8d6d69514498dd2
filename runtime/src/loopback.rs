//! What is of this machine alone: loopback addresses, and the names of them. One answer for servers, which serve it more
//! freely, and for clients, which use no proxy for it.

use std::net::IpAddr;

use url::{Host, Url};

/// Whether an address is a loopback one, also where IPv6 wraps one of IPv4.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether a name resolves to nothing else (RFC 6761): `localhost`, and all names below it.
pub fn is_loopback_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether a URL leads to this machine's loopback.
///
/// ```
/// use slipstream_runtime::loopback::is_loopback_url;
///
/// assert!(is_loopback_url(&"http://127.0.0.1:8480".parse().unwrap()));
/// assert!(!is_loopback_url(&"http://127.0.0.1.example.org".parse().unwrap()));
/// ```
pub fn is_loopback_url(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_loopback_name(name),
        Some(Host::Ipv4(address)) => is_loopback(address.into()),
        Some(Host::Ipv6(address)) => is_loopback(address.into()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_this_machine_are_told_from_others() {
        for (url, expected) in [
            ("http://localhost:8480", true),
            ("https://LOCALHOST./v1", true),
            ("http://a.localhost", true),
            ("http://127.0.0.1:8480", true),
            ("http://127.9.9.9", true),
            ("http://2130706433/", true),
            ("http://[::1]:8480", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://localhost.example.org", false),
            ("http://notlocalhost", false),
            ("http://127.0.0.1.example.org", false),
            ("http://0.0.0.0:8480", false),
            ("http://192.0.2.1", false),
            ("http://[2001:db8::1]", false),
            ("unix:/run/slipstream", false),
        ] {
            assert_eq!(url.parse::<Url>().map(|url| is_loopback_url(&url)), Ok(expected), "{url}");
        }
    }
}
