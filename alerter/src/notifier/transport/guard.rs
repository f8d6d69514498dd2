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

use super::networks::{is_of_link, is_private};

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
            Access::Private => !is_of_link(address),
            Access::Public => !is_private(address),
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

/// Resolves the names of one receiver for a client: its own, and those of the proxies, which were configured by whoever runs this
/// machine. A name that it does not know gets what a name of a receiver would.
#[derive(Debug, Clone, Default)]
pub struct Names {
    known: BTreeMap<String, (String, Access)>,
}

impl Names {
    /// These as well: who asks for `name` gets the addresses of `host`.
    pub fn with(mut self, name: &str, host: &str, access: Access) -> Names {
        self.known.insert(spelled(name), (host.to_owned(), access));
        self
    }

    /// What is looked up for a name, and which of the addresses are for it.
    fn of(&self, name: &str) -> (String, Access) {
        self.known.get(&spelled(name)).cloned().unwrap_or_else(|| (name.to_owned(), Access::of(name, false)))
    }
}

/// One spelling of a name: a dot at its end makes it no other.
fn spelled(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, access) = self.of(name.as_str());
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
            ("64:ff9b::10.0.0.1", Private),
            ("2002:a00:1::1", Private),
            ("64:ff9b::198.51.100.1", Public),
            ("fd00::1", Private),
            ("169.254.169.254", Everything),
            ("64:ff9b::169.254.169.254", Everything),
            ("fd00:ec2::254", Everything),
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

    #[test]
    fn a_name_that_nobody_configured_gets_no_more_than_a_receivers() {
        let names = Names::default().with("Hooks.example.org", "hooks.example.org", Access::Public).with(
            "proxy.example.org",
            "proxy.example.org",
            Access::Everything,
        );
        for (name, want) in [
            ("hooks.example.ORG.", Access::Public),
            ("proxy.example.org", Access::Everything),
            ("elsewhere.example.org", Access::Public),
            ("elsewhere.internal", Access::Private),
        ] {
            assert_eq!(names.of(name).1, want, "{name}");
        }
    }
}
