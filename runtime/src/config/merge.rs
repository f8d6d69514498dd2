//! Environment over file, flags over both: they are laid over the file's tree before it is read, so that every value is
//! checked in one way, wherever it came from.

use std::ffi::OsString;

use super::nearest::nearest;
use super::problem::Place;
use super::section::{Problems, complain};
use super::tree::{Key, Node, Value};

/// What flags say; `None` or empty if the flag was not given. Texts are as typed, so that a wrong one is reported
/// together with all other mistakes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--data DIR`
    pub data: Option<String>,
    /// `--log ADDRESS`
    pub log: Option<String>,
    /// `--store ADDRESS`
    pub store: Option<String>,
    /// `--roles a,b`
    pub roles: Option<String>,
    /// `--listen ADDRESS`
    pub listen: Option<String>,
    /// `--ops-listen ADDRESS`
    pub ops_listen: Option<String>,
    /// `--api-listen ADDRESS`
    pub api_listen: Option<String>,
    /// `--slos PATH`, repeatable
    pub slos: Vec<String>,
    /// `--webhook URL`, repeatable
    pub webhooks: Vec<String>,
    /// `--drain DURATION`
    pub drain: Option<String>,
    /// `--log-level LEVEL`
    pub log_level: Option<String>,
    /// `--log-format FORMAT`
    pub log_format: Option<String>,
}

/// A setting that an environment variable can give: its path in the file, and whether it is a list (with commas).
struct Setting {
    path: &'static [&'static str],
    list: bool,
}

const fn one(path: &'static [&'static str]) -> Setting {
    Setting { path, list: false }
}

const fn many(path: &'static [&'static str]) -> Setting {
    Setting { path, list: true }
}

/// The variable of a setting is `SLIPSTREAM_` and its path in capitals, joined by `_`. Receivers stand in the file
/// only; `webhooks` are the short form.
const SETTINGS: &[Setting] = &[
    one(&["data"]),
    one(&["log"]),
    one(&["store"]),
    one(&["kafka", "prefix"]),
    one(&["kafka", "instance"]),
    one(&["kafka", "tally_threads"]),
    one(&["postgres", "password_file"]),
    one(&["postgres", "root_cert"]),
    many(&["roles"]),
    one(&["listen"]),
    one(&["ops_listen"]),
    one(&["tls", "certificate"]),
    one(&["tls", "key"]),
    one(&["rate_limits", "ingest"]),
    one(&["rate_limits", "read"]),
    one(&["rate_limits", "operate"]),
    one(&["metrics", "slo_series"]),
    one(&["api_listen"]),
    one(&["external_url"]),
    one(&["alert_url"]),
    one(&["evidence"]),
    one(&["trace_url"]),
    many(&["slos"]),
    many(&["webhooks"]),
    one(&["gateway", "max_body"]),
    one(&["gateway", "max_events"]),
    one(&["gateway", "max_in_flight"]),
    one(&["gateway", "max_connections"]),
    one(&["gateway", "read_timeout"]),
    one(&["gateway", "idle_timeout"]),
    one(&["gateway", "write_timeout"]),
    one(&["gateway", "publish_timeout"]),
    one(&["retention", "events"]),
    one(&["retention", "history"]),
    one(&["logging", "level"]),
    one(&["logging", "format"]),
    one(&["drain"]),
    one(&["shutdown_timeout"]),
];

const PREFIX: &str = "SLIPSTREAM_";

/// Another name of `SLIPSTREAM_LOGGING_LEVEL`, as `--log-level` is one: it wins over the long one.
static LEVEL: (&str, Setting) = ("LOG_LEVEL", one(&["logging", "level"]));

/// Variables of ours that are not settings, without the prefix: the command line reads them.
const ELSEWHERE: [&str; 4] = ["CONFIG", "TOKEN", "TOKEN_FILE", "CA_FILE"];
/// Variables that the tests read begin so.
const TESTS: [&str; 4] = ["TEST_", "SIM_", "FUZZ_", "CEL_"];
/// Further ones of the tests and the compose files. In full: `TAGS` and `SECRETS_FILE` are nobody's.
const TOOLS: [&str; 3] = ["MODEL", "SECRETS", "TAG"];

/// Applies the environment to a tree; returns what to say of variables with our prefix that nothing reads. A setting
/// that is not UTF-8 is a problem; other variables may hold any bytes.
pub(super) fn environment(
    root: &mut Node,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    problems: &Problems,
) -> Vec<String> {
    let mut known: Vec<(String, &Setting)> = SETTINGS.iter().map(|s| (s.path.join("_").to_uppercase(), s)).collect();
    known.push((LEVEL.0.to_owned(), &LEVEL.1));
    let mut ignored = Vec::new();
    let named = env.into_iter().map(|(name, value)| (name.to_string_lossy().into_owned(), value));
    let mut given: Vec<(String, OsString)> = named.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    // `LOG_LEVEL` comes after `LOGGING_LEVEL`, and so wins.
    given.sort();
    for (name, value) in given {
        let place = Place::Variable(name.clone());
        let value = match value.into_string() {
            Ok(value) => value,
            Err(value) => {
                if known.iter().any(|(n, _)| *n == name[PREFIX.len()..]) {
                    complain(problems, &place, "its value is not UTF-8 text".to_owned());
                    continue;
                }
                value.to_string_lossy().into_owned()
            }
        };
        // The prefix, which all have, makes no two of them alike.
        let own = &name[PREFIX.len()..];
        match known.iter().find(|(n, _)| n == own) {
            Some((_, setting)) if setting.list => set(root, setting.path, list(&place, split(&value))),
            Some((_, setting)) => set(root, setting.path, scalar(&place, &value)),
            None if ELSEWHERE.contains(&own) || TOOLS.contains(&own) => {}
            None if is_of_kubernetes(own, &value) || TESTS.iter().any(|test| own.starts_with(test)) => {}
            None => {
                let readable = known.iter().map(|(n, _)| n.as_str());
                let near = nearest(own, readable.chain(ELSEWHERE));
                let hint = near.map(|near| format!("; did you mean {PREFIX}{near}?")).unwrap_or_default();
                ignored.push(format!("{name}: unknown variable, ignored{hint}"));
            }
        }
    }
    ignored
}

/// Whether Kubernetes makes such a variable, the part behind our prefix, for a Service whose name begins with
/// `slipstream`: `SERVICE_HOST`, `GATEWAY_SERVICE_PORT_HTTP`, `PORT`, `PORT_8480_TCP_ADDR`. Its `PORT` is an address
/// such as `tcp://10.0.0.1:8480`; a number was meant for us.
fn is_of_kubernetes(own: &str, value: &str) -> bool {
    let padded = format!("_{own}_");
    let numbered = |behind: &str| {
        let protocol = behind.trim_start_matches(|c: char| c.is_ascii_digit());
        protocol.len() < behind.len() && ["_TCP_", "_UDP_", "_SCTP_"].iter().any(|known| protocol.starts_with(known))
    };
    padded.ends_with("_SERVICE_HOST_")
        || padded.contains("_SERVICE_PORT_")
        || (padded.ends_with("_PORT_") && value.contains("://"))
        || padded.match_indices("_PORT_").any(|(at, port)| numbered(&padded[at + port.len()..]))
}

/// Lays the flags over a tree.
pub(super) fn flags(root: &mut Node, flags: &Overrides) {
    let singles: [(&str, &[&'static str], &Option<String>); 9] = [
        ("--data", &["data"], &flags.data),
        ("--log", &["log"], &flags.log),
        ("--store", &["store"], &flags.store),
        ("--listen", &["listen"], &flags.listen),
        ("--ops-listen", &["ops_listen"], &flags.ops_listen),
        ("--api-listen", &["api_listen"], &flags.api_listen),
        ("--drain", &["drain"], &flags.drain),
        ("--log-level", &["logging", "level"], &flags.log_level),
        ("--log-format", &["logging", "format"], &flags.log_format),
    ];
    for (flag, path, value) in singles {
        if let Some(value) = value {
            set(root, path, scalar(&Place::Flag(flag.to_owned()), value));
        }
    }
    if let Some(roles) = &flags.roles {
        set(root, &["roles"], list(&Place::Flag("--roles".to_owned()), split(roles)));
    }
    for (flag, path, values) in [("--slos", "slos", &flags.slos), ("--webhook", "webhooks", &flags.webhooks)] {
        if !values.is_empty() {
            set(root, &[path], list(&Place::Flag(flag.to_owned()), values.iter().map(String::as_str)));
        }
    }
}

fn split(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn scalar(place: &Place, value: &str) -> Node {
    Node { place: place.clone(), value: Value::Scalar(value.to_owned()) }
}

fn list<'v>(place: &Place, values: impl Iterator<Item = &'v str>) -> Node {
    Node { place: place.clone(), value: Value::List(values.map(|v| scalar(place, v)).collect()) }
}

/// Puts a value at a path. If a part of the path is not a map, the reader will report that mistake.
fn set(node: &mut Node, path: &[&str], value: Node) {
    let Some((first, rest)) = path.split_first() else {
        *node = value;
        return;
    };
    if node.value == Value::Null {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else { return };
    let at = entries.iter().position(|(k, _)| k.name == *first).unwrap_or_else(|| {
        let place = value.place.clone();
        let key = Key { place: place.clone(), name: (*first).to_owned() };
        entries.push((key, Node { place, value: Value::Null }));
        entries.len() - 1
    });
    set(&mut entries[at].1, rest, value);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::super::Config;
    use super::*;

    #[test]
    fn what_nothing_reads_is_named_with_what_was_probably_meant() {
        for (name, value, said) in [
            ("SLIPSTREAM_LISTN", "x", Some("; did you mean SLIPSTREAM_LISTEN?")),
            ("SLIPSTREAM_KAFKA_PREFX", "x", Some("; did you mean SLIPSTREAM_KAFKA_PREFIX?")),
            ("SLIPSTREAM_CONFG", "x", Some("; did you mean SLIPSTREAM_CONFIG?")),
            ("SLIPSTREAM_DATA_DIR", "x", Some("")),
            ("SLIPSTREAM_POSTGRES", "x", Some("")),
            ("SLIPSTREAM_DATABASE_URL", "x", Some("")),
            ("SLIPSTREAM_", "x", Some("")),
            ("SLIPSTREAM_PORT", "9000", Some("")),
            ("SLIPSTREAM_LISTEN_PORT", "9000", Some("")),
            ("SLIPSTREAM_TAGS", "x", Some("")),
            ("SLIPSTREAM_SECRETS_FILE", "x", Some("")),
            ("SLIPSTREAM_MODELS", "x", Some("")),
            ("SLIPSTREAM_SERVICE_HOST", "10.0.0.1", None),
            ("SLIPSTREAM_SERVICE_PORT", "8480", None),
            ("SLIPSTREAM_GATEWAY_SERVICE_PORT_HTTP", "8480", None),
            ("SLIPSTREAM_PORT", "tcp://10.0.0.1:8480", None),
            ("SLIPSTREAM_GATEWAY_PORT", "udp://10.0.0.1:8480", None),
            ("SLIPSTREAM_GATEWAY_PORT_8480_TCP", "tcp://10.0.0.1:8480", None),
            ("SLIPSTREAM_PORT_8480_TCP_ADDR", "10.0.0.1", None),
            ("SLIPSTREAM_TEST_POSTGRES", "x", None),
            ("SLIPSTREAM_TAG", "x", None),
            ("SLIPSTREAM_SECRETS", "x", None),
            ("SLIPSTREAM_MODEL", "x", None),
            ("SLIPSTREAM_CONFIG", "x", None),
            ("SLIPSTREAM_TOKEN", "x", None),
            ("SLIPSTREAM_TOKEN_FILE", "x", None),
            ("SLIPSTREAM_TOKENFILE", "x", Some("; did you mean SLIPSTREAM_TOKEN_FILE?")),
            ("SLIPSTREAM_CA_FILE", "x", None),
            ("SLIPSTREAM_LOG_LEVEL", "x", None),
            ("SLIPSTREAMING", "x", None),
        ] {
            let mut root = Node::map(Place::Flag("defaults".to_owned()));
            let problems = Problems::default();
            let ignored = environment(&mut root, [(name.into(), value.into())], &problems);
            let expected: Vec<String> =
                said.iter().map(|hint| format!("{name}: unknown variable, ignored{hint}")).collect();
            assert_eq!(ignored, expected, "{name}={value}");
        }
    }

    #[test]
    fn every_variable_is_a_setting_that_is_read() {
        for setting in SETTINGS {
            let name = format!("{PREFIX}{}", setting.path.join("_").to_uppercase());
            // Nothing that has a text takes one with a control character.
            let loaded = Config::load(None, [(name.clone().into(), "\u{1}".into())], Overrides::default());
            let problems = loaded.expect_err(&name);
            assert_eq!(problems.problems().len(), 1, "{name}: {problems}");
            assert_eq!(problems.problems()[0].place, Place::Variable(name));
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_our_own_variables_need_to_be_text() {
        use std::os::unix::ffi::OsStringExt;

        let bytes = |text: &[u8]| OsString::from_vec(text.to_vec());
        let load = |name: &[u8], value: &[u8]| Config::load(None, [(bytes(name), bytes(value))], Overrides::default());
        for (name, value) in [(&b"FOO"[..], &b"\xff"[..]), (b"\xff", b"x"), (b"SLIPSTREAM_TEST_X", b"\xff")] {
            let config = load(name, value).unwrap();
            assert!(config.ignored.is_empty(), "{:?}", config.ignored);
        }
        let ignored = load(b"SLIPSTREAM_DAT\xff", b"x").unwrap().ignored;
        assert!(
            ignored.len() == 1 && ignored[0].starts_with("SLIPSTREAM_DAT\u{fffd}: unknown variable"),
            "{ignored:?}"
        );
        let ignored = load(b"SLIPSTREAM_FOO", b"\xff").unwrap().ignored;
        assert!(ignored.len() == 1 && ignored[0].starts_with("SLIPSTREAM_FOO: unknown variable"), "{ignored:?}");
        for name in ["SLIPSTREAM_DATA", "SLIPSTREAM_ROLES"] {
            let said = load(name.as_bytes(), b"x\xff").unwrap_err().to_string();
            assert!(said.contains(&format!("{name}: its value is not UTF-8 text")), "{said}");
        }
    }
}
