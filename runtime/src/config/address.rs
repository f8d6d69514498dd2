//! Where log and store are: `sqlite:DIR`, `kafka://host:port,…`, `postgres://…`. What may hold a password is never quoted.

use std::path::PathBuf;

use super::secret::Secret;
use super::section::{Problems, Section, complain, path, plain, text};
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
        refuse(node, "log", LOG, problems);
    }
    directory.map(LogAddress::Sqlite)
}

/// The address of the store; `None` if it is not given, or wrong.
pub(super) fn store(top: &Section<'_>, problems: &Problems) -> Option<StoreAddress> {
    let node = top.get("store")?;
    let given = text(node).and_then(plain).unwrap_or_default();
    let rest = given.strip_prefix("postgres://").or_else(|| given.strip_prefix("postgresql://"));
    if rest.is_some_and(|rest| !rest.is_empty()) {
        return Some(StoreAddress::Postgres(Secret::new(given)));
    }
    let directory = embedded(node);
    if directory.is_none() {
        refuse(node, "store", STORE, problems);
    }
    directory.map(StoreAddress::Sqlite)
}

fn embedded(node: &Node) -> Option<PathBuf> {
    let directory = text(node)?.strip_prefix("sqlite:").and_then(plain)?;
    Some(path(&node.place, &directory))
}

/// Quotes what was found only where no password can stand in it.
fn refuse(node: &Node, key: &str, what: &str, problems: &Problems) {
    let found = match text(node) {
        Some(text) if text.contains('@') => "an address that is neither".to_owned(),
        _ => node.kind(),
    };
    complain(problems, &node.place, format!("`{key}`: expected {what}, found {found}"));
}

fn check_brokers(brokers: &str) -> Result<(), String> {
    if brokers.contains('@') {
        return Err("user names and passwords do not belong in the address; they stand in `kafka.properties` (sasl.username) and \
                    `kafka.properties_file` (sasl.password)"
            .to_owned());
    }
    for broker in brokers.split(',') {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '[' | ']');
        let right = broker
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
        if !right || !broker.chars().all(fits) {
            return Err(format!("expected brokers as `host:port`, found `{broker}`"));
        }
    }
    Ok(())
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
    }
}
