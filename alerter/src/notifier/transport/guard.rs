//! Which addresses a receiver's name may lead to. A public name that resolves to a private address is refused: whoever
//! controls such a name could have notifications, with their secrets, sent to anything that this machine reaches. What is
//! written down as private (an address, `localhost`, a name that exists in private networks only) says that it is meant.
//!
//! The names are checked as they are resolved for a connection, so one that resolves otherwise the next moment gains nothing.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use slipstream_runtime::loopback::is_loopback_name;

/// Ends of names that no public name has (RFC 6762, RFC 8375, ICANN's reserved `internal`, Kubernetes).
const PRIVATE_ENDS: [&str; 4] = [".local", ".home.arpa", ".internal", ".svc"];

/// Which of a name's addresses are for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// All: it was said so.
    Everything,
    /// Private ones too, but not those of the link: clouds have their secrets there.
    Private,
    /// Public ones.
    Public,
}

impl Access {
    /// What a host may lead to that was configured.
    pub fn of(host: &str, allow_private: bool) -> Access {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        if allow_private || is_address || is_loopback_name(&name) {
            return Access::Everything;
        }
        let private = !name.contains('.') || PRIVATE_ENDS.iter().any(|end| name.ends_with(end));
        if private { Access::Private } else { Access::Public }
    }

    fn includes(self, address: IpAddr) -> bool {
        match self {
            Access::Everything => true,
            Access::Private => !is_link_local(address.to_canonical()),
            Access::Public => !is_private(address.to_canonical()),
        }
    }
}

/// The addresses of a name that are for it.
///
/// # Errors
/// When it has none, or none that are.
pub async fn addresses(host: &str, port: u16, access: Access) -> io::Result<Vec<SocketAddr>> {
    let all: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    permitted(host, all, access)
}

fn permitted(host: &str, all: Vec<SocketAddr>, access: Access) -> io::Result<Vec<SocketAddr>> {
    let first = all.first().map(SocketAddr::ip);
    let fit: Vec<SocketAddr> = all.into_iter().filter(|address| access.includes(address.ip())).collect();
    match first {
        None => Err(io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"))),
        Some(first) if fit.is_empty() => {
            let why = format!(
                "{host} resolves to {first}, which is private; if that is meant, set allow_private: true for this receiver"
            );
            Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
        }
        Some(_) => Ok(fit),
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Whether it is of no public network, or of no single machine.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let carrier = a == 100 && (64..128).contains(&b);
            let odd = a == 0 || v4.is_multicast() || v4.is_broadcast();
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || carrier || odd
        }
        IpAddr::V6(v6) => {
            let odd = v6.is_unspecified() || v6.is_multicast();
            v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || odd
        }
    }
}

/// Resolves the names of one receiver for a client. A name that it does not know is that of a proxy, which was configured
/// by whoever runs this machine.
#[derive(Debug, Clone, Default)]
pub struct Names {
    known: BTreeMap<String, (String, Access)>,
}

impl Names {
    /// These as well: who asks for `name` gets the addresses of `host`.
    pub fn with(mut self, name: &str, host: &str, access: Access) -> Names {
        self.known.insert(name.to_ascii_lowercase(), (host.to_owned(), access));
        self
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let known = self.known.get(&name.as_str().to_ascii_lowercase()).cloned();
        let (host, access) = known.unwrap_or_else(|| (name.as_str().to_owned(), Access::Everything));
        Box::pin(async move {
            // Port 0 stands for that of the URL.
            let found = addresses(&host, 0, access).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_as_private_is_meant() {
        for (host, want) in [
            ("127.0.0.1", Access::Everything),
            ("10.0.0.1", Access::Everything),
            ("[::1]", Access::Everything),
            ("localhost", Access::Everything),
            ("a.LOCALHOST.", Access::Everything),
            ("alertmanager", Access::Private),
            ("alertmanager.monitoring.svc", Access::Private),
            ("alertmanager.monitoring.svc.cluster.local", Access::Private),
            ("hooks.corp.internal", Access::Private),
            ("hooks.example.org", Access::Public),
            ("127.0.0.1.example.org", Access::Public),
        ] {
            assert_eq!(Access::of(host, false), want, "{host}");
        }
        assert_eq!(Access::of("hooks.example.org", true), Access::Everything);
    }

    #[test]
    fn a_name_gets_the_addresses_that_are_for_it() {
        use Access::{Everything, Private, Public};
        for (address, widest) in [
            ("192.0.2.1", Public),
            ("2001:db8::1", Public),
            ("10.1.2.3", Private),
            ("172.16.0.1", Private),
            ("192.168.0.1", Private),
            ("100.64.0.1", Private),
            ("127.0.0.1", Private),
            ("0.0.0.0", Private),
            ("::1", Private),
            ("::ffff:10.0.0.1", Private),
            ("fd00::1", Private),
            ("169.254.169.254", Everything),
            ("fe80::1", Everything),
        ] {
            let ip: IpAddr = address.parse().unwrap();
            let includes: Vec<bool> = [Public, Private, Everything].map(|access| access.includes(ip)).into();
            let want = [widest == Public, widest != Everything, true];
            assert_eq!(includes, want, "{address}");
        }
        let addresses = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let both = addresses(&["10.0.0.1:0", "192.0.2.1:0"]);
        assert_eq!(permitted("x.test", both, Public).unwrap(), addresses(&["192.0.2.1:0"]));
        let told = permitted("x.test", addresses(&["10.0.0.1:0"]), Public).unwrap_err().to_string();
        assert!(told.starts_with("x.test resolves to 10.0.0.1, which is private; "), "{told}");
        assert_eq!(permitted("x.test", Vec::new(), Public).unwrap_err().to_string(), "x.test has no address");
    }
}
