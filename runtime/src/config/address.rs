//! Where log and store are: `sqlite:DIR`, `kafka://host:port,…`, `postgres://…`. What may hold a password is never quoted.

use std::path::PathBuf;

use super::found::found;
use super::secret::Secret;
use super::section::{Problems, Section, complain, expected, path, plain, text};
use super::tree::Node;

/// Where the log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogAddress {
    /// `sqlite:DIR`: embedded, in a directory.
    Sqlite(PathBuf),
    /// `kafka://host:port[,host:port]`: the brokers, without the scheme.
    Kafka(String),
}

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAddress {
    /// `sqlite:DIR`: embedded, in a directory.
    Sqlite(PathBuf),
    /// `postgres://…`: the whole URL, which may hold a password.
    Postgres(Secret),
}

const LOG: &str = "`sqlite:DIR` or `kafka://host:port[,host:port]`";
const STORE: &str = "`sqlite:DIR` or `postgres://user@host:port/database`";

/// The address of the log; `None` if it is not given, or wrong.
pub(super) fn log(top: &Section<'_>, problems: &Problems) -> Option<LogAddress> {
    let node = top.get("log")?;
    let given = text(node).unwrap_or_default();
    if let Some(brokers) = given.strip_prefix("kafka://") {
        match check_brokers(brokers) {
            Ok(()) => return Some(LogAddress::Kafka(brokers.to_owned())),
            Err(why) => complain(problems, &node.place, format!("`log`: {why}")),
        }
        return None;
    }
    let directory = embedded(node);
    if directory.is_none() {
        expected(problems, node, "log", LOG);
    }
    directory.map(LogAddress::Sqlite)
}

/// The address of the store; `None` if it is not given, or wrong.
pub(super) fn store(top: &Section<'_>, problems: &Problems) -> Option<StoreAddress> {
    let node = top.get("store")?;
    let given = text(node).and_then(plain).unwrap_or_default();
    let rest = given.strip_prefix("postgres://").or_else(|| given.strip_prefix("postgresql://"));
    if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
        return match check_database(rest) {
            Ok(()) => Some(StoreAddress::Postgres(Secret::new(given))),
            Err(why) => {
                complain(problems, &node.place, format!("`store`: {why}"));
                None
            }
        };
    }
    let directory = embedded(node);
    if directory.is_none() {
        expected(problems, node, "store", STORE);
    }
    directory.map(StoreAddress::Sqlite)
}

fn embedded(node: &Node) -> Option<PathBuf> {
    let directory = text(node)?.strip_prefix("sqlite:").and_then(plain)?;
    Some(path(&node.place, &directory))
}

fn check_brokers(brokers: &str) -> Result<(), String> {
    if brokers.contains('@') {
        return Err("user names and passwords do not belong in the address; they belong in `kafka.properties` (sasl.username) and \
                    `kafka.properties_file` (sasl.password)"
            .to_owned());
    }
    for broker in brokers.split(',') {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '[' | ']');
        match broker.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && broker.chars().all(fits) => {
                check_port(port).map_err(|why| format!("{why} in {}", found(broker)))?;
            }
            _ => return Err(format!("expected brokers as `host:port`, found {}", found(broker))),
        }
    }
    Ok(())
}

/// Quotes what is no port only if it looks like one: behind an `@` that is missing it is a password.
fn check_port(port: &str) -> Result<(), String> {
    let looks_like_one = (1..=6).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(1..) if looks_like_one => Ok(()),
        _ if looks_like_one => Err(format!("expected a port from 1 to 65535, found {port}")),
        _ => Err("expected a port from 1 to 65535 after the last `:`".to_owned()),
    }
}

/// Checks what follows `postgres://`, split up as the driver does it: hosts and ports. Parameters are checked by the store.
fn check_database(rest: &str) -> Result<(), String> {
    let (login, place) = rest.split_once('@').unwrap_or(("", rest));
    if login.contains(['/', '?']) {
        return Err(
            "in a user, password or parameter with an `@`, write `%40`; a `/` is written `%2F` and a `?` `%3F`"
                .to_owned(),
        );
    }
    let (hosts, behind) = place.split_at(place.find(['/', '?']).unwrap_or(place.len()));
    let parameters = behind.split_once('?').map_or("", |(_, parameters)| parameters);
    let named = |name: &str| parameters.split('&').filter_map(|p| p.split_once('=')).find(|(n, _)| *n == name);
    if place.split('?').next().is_some_and(|place| place.contains('@')) {
        return Err("an `@` in the user or the password is written `%40`".to_owned());
    }
    if hosts.is_empty() && named("host").is_none() && named("hostaddr").is_none() {
        return Err(format!("expected {STORE}, found an address without a host"));
    }
    for host in hosts.split(',').filter(|_| !hosts.is_empty()) {
        let (name, port) = match host.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            Some((name, "")) => (name, None),
            Some((name, behind)) => (name, behind.strip_prefix(':').or(Some(behind))),
            None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
        };
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || matches!(c, '[' | ']')) {
            return Err(format!("expected {STORE}, found an address with an invalid host"));
        }
        if port.is_some_and(|port| port.contains(':')) {
            return Err(
                "a host with more than one `:`; an IPv6 address is written in brackets: `[::1]:5432`".to_owned()
            );
        }
        port.map_or(Ok(()), check_port)?;
    }
    match named("port") {
        Some((_, ports)) => ports.split(',').filter(|port| !port.is_empty()).try_for_each(check_port),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers() {
        for right in ["broker:9092", "10.0.0.1:9092,10.0.0.2:9092", "[::1]:9092", "b-1.example.org:9094"] {
            assert_eq!(check_brokers(right), Ok(()), "{right}");
        }
        for wrong in ["", "broker", "broker:", ":9092", "a:1,", "a:1, b:2", "a:0", "a:70000", "a:1/topic", "u:p@a:1"] {
            let error = check_brokers(wrong).expect_err(wrong);
            assert!(!error.contains("u:p"), "{error}");
        }
        let error = check_brokers("127.0.0.1:9092?password=s3cret").unwrap_err();
        assert_eq!(error, "expected brokers as `host:port`, found `127.0.0.1:9092?…`");
        let error = check_brokers("a:1,b:70000").unwrap_err();
        assert_eq!(error, "expected a port from 1 to 65535, found 70000 in `b:70000`");
    }

    #[test]
    fn databases() {
        for right in [
            "host/db",
            "me@host",
            "me:p%40ss:w%2Fo%3Frd@host:5432/db?sslmode=require",
            "me@a:1,b:65535,c/db",
            "me@[::1]:5432/db",
            "me@[::1]/db",
            "me@%2Fvar%2Frun%2Fpostgresql/db",
            "me@/db?host=/var/run/postgresql&port=5433",
            "me@host/db?port=",
        ] {
            assert_eq!(check_database(right), Ok(()), "{right}");
        }
        for (wrong, why) in [
            ("host:99999/db", "expected a port from 1 to 65535, found 99999"),
            ("me:t0ps3cret@host:0/db", "expected a port from 1 to 65535, found 0"),
            ("me:t0ps3cret@a:1,b:65536/db", "expected a port from 1 to 65535, found 65536"),
            ("me:t0ps3cret@[::1]:x/db", "expected a port from 1 to 65535 after the last `:`"),
            ("me:t0ps3cret@host:/db", "expected a port from 1 to 65535 after the last `:`"),
            ("me:t0ps3cret@host/db?port=70000", "expected a port from 1 to 65535, found 70000"),
            // The @ is missing: it may be the password that stands there.
            ("me:t0ps3cret", "expected a port from 1 to 65535 after the last `:`"),
            ("me:12345678/db", "expected a port from 1 to 65535 after the last `:`"),
            ("me:t0p@s3cret@host/db", "an `@` in the user or the password is written `%40`"),
            ("me:t0p@s/3cret@host/db", "an `@` in the user or the password is written `%40`"),
            ("me:t0p/s3cret@host/db", "a `/` is written `%2F` and a `?` `%3F`"),
            ("me:t0ps3c?ret@host/db?sslmode=require", "a `/` is written `%2F` and a `?` `%3F`"),
            ("host/db?user=me@t0ps3cret", "a `/` is written `%2F` and a `?` `%3F`"),
            ("me@fe80::1/db", "an IPv6 address is written in brackets: `[::1]:5432`"),
            ("me:t0ps3cret@/db", "found an address without a host"),
            ("/db", "found an address without a host"),
            ("me@:5432/db", "found an address with an invalid host"),
            ("me@my host/db", "found an address with an invalid host"),
            ("me@[::1/db", "found an address with an invalid host"),
        ] {
            let error = check_database(wrong).expect_err(wrong);
            assert!(error.ends_with(why) && !error.contains("s3cret"), "{wrong}: {error}");
        }
    }
}
