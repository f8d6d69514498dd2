//! From the merged tree to the typed configuration: every setting, its default and its check, in one place.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use slipstream_schemas::Cause;
use slipstream_schemas::retention::DAY;

use super::merge::{self, Overrides};
use super::nearest::nearest;
use super::problem::{ConfigErrors, Place, Problem};
use super::section::{Problems, Section, complain, expected, path, plain, text};
use super::tree::{self, Node};
use super::units::{self, COUNT, DURATION, POSITIVE, SIZE, count, positive, size};
use super::{
    Config, Gateway, LogAddress, LogFormat, Logging, Retention, Role, Routing, StoreAddress, address, evidence, parts,
    receiver, routing, serving,
};
use crate::http;

const DATA: &str = "slipstream-data";
const ADDRESS: &str = "an address like `127.0.0.1:8480`";
const PATH: &str = "a path";

impl Config {
    /// The configuration of a process. `env` are all variables there are; those that do not begin with `SLIPSTREAM_`
    /// are passed over, whatever bytes they hold. Paths in the file are relative to its directory, others to the working directory.
    ///
    /// # Errors
    /// With every mistake there is, a file that cannot be read among them, and the variables that nothing reads.
    pub fn load(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
        overrides: Overrides,
    ) -> Result<Config, ConfigErrors> {
        Config::load_checked(file, env, overrides, |_| Vec::new())
    }

    /// [`Config::load`] with the mistakes among the others that only whoever uses a setting can find. `check` is asked
    /// of a configuration that has other mistakes, too; their settings have the default.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn load_checked(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
        overrides: Overrides,
        check: impl FnOnce(&Config) -> Vec<Problem>,
    ) -> Result<Config, ConfigErrors> {
        let absent = || (Node::map(Place::Flag("defaults".into())), Vec::new());
        let (unreadable, (mut root, form)) = match file.map(read) {
            Some(Ok(read)) => (None, read),
            Some(Err(unreadable)) => (Some(unreadable), absent()),
            None => (None, absent()),
        };
        let problems = Problems::new(form);
        let ignored = merge::environment(&mut root, env, &problems);
        merge::flags(&mut root, &overrides);
        let config = build(&root, ignored, &problems);
        let mut found = problems.into_inner();
        found.extend(check(&config));
        match unreadable {
            Some(unreadable) if found.is_empty() && config.ignored.is_empty() => return Err(unreadable.into()),
            unreadable => found.extend(unreadable.map(Problem::from)),
        }
        if found.is_empty() {
            return Ok(config);
        }
        found.sort_by(|a, b| a.place.cmp(&b.place));
        Err(ConfigErrors::Invalid { problems: found, ignored: config.ignored })
    }
}

/// A file that cannot be read. What else was given is checked nevertheless.
struct Unreadable {
    file: String,
    cause: Cause,
}

impl From<Unreadable> for ConfigErrors {
    fn from(Unreadable { file, cause }: Unreadable) -> Self {
        ConfigErrors::Unreadable { file, cause }
    }
}

impl From<Unreadable> for Problem {
    fn from(Unreadable { file, cause }: Unreadable) -> Self {
        Problem { place: Place::Setting(file), message: format!("reading the configuration: {cause}") }
    }
}

/// The file's tree, and what is wrong with its form.
fn read(file: &Path) -> Result<(Node, Vec<Problem>), Unreadable> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|e| Unreadable { file: name.clone(), cause: Cause::of(e) })?;
    let start = Place::File { file: name.clone(), line: 1, column: 1 };
    let (root, problems) = tree::parse(&name, &text);
    Ok((root.unwrap_or_else(|| Node::map(start)), problems))
}

fn build(root: &Node, ignored: Vec<String>, problems: &Problems) -> Config {
    let mut warnings = Vec::new();
    let absent = Node::map(root.place.clone());
    let top = Section::of(root, "", problems);
    let data = directory(&top, "data").unwrap_or_else(|| PathBuf::from(DATA));
    let log = address::log(&top, problems).unwrap_or_else(|| LogAddress::Sqlite(data.clone()));
    let store = address::store(&top, problems).unwrap_or_else(|| StoreAddress::Sqlite(data.clone()));
    // Keys are reported in the order in which they are read here.
    let mut config = Config {
        log,
        store,
        store_place: top.get("store").map(|node| node.place.clone()),
        kafka: parts::kafka(top.section("kafka", &absent), problems),
        postgres: parts::postgres(top.section("postgres", &absent), problems),
        data,
        roles: roles(&top, problems),
        listen: top.value("listen", ADDRESS, socket).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8480))),
        ops_listen: top.value("ops_listen", ADDRESS, socket).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8490))),
        tls: serving::tls(top.section("tls", &absent), problems),
        rate_limits: serving::rate_limits(top.section("rate_limits", &absent)),
        slo_series: slo_series(top.section("metrics", &absent)),
        api_listen: top.value("api_listen", ADDRESS, socket).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8470))),
        external_url: top.value("external_url", receiver::URL, receiver::url),
        alert_url: top.value("alert_url", receiver::ALERT_URL, receiver::alert_url),
        evidence: evidence::evidence(&top),
        trace_url: evidence::trace_url(&top),
        slos: slos(&top, problems),
        gateway: gateway(top.section("gateway", &absent), problems),
        receivers: receiver::receivers(&top, problems),
        routing: Routing::default(),
        retention: retention(top.section("retention", &absent), &mut warnings),
        logging: logging(top.section("logging", &absent)),
        drain: top.value("drain", DURATION, units::duration).unwrap_or(Duration::from_secs(5)),
        shutdown_timeout: top.value("shutdown_timeout", POSITIVE, positive).unwrap_or(Duration::from_secs(10)),
        ignored,
        warnings,
    };
    config.routing = routing::routing(&top, &config.receivers, problems, &mut config.warnings);
    config.gateway.finish = http::finish_within(config.shutdown_timeout);
    own_ports(&config, &top, root, problems);
    top.finish();
    config
}

/// Each server has an address of its own.
fn own_ports(config: &Config, top: &Section<'_>, root: &Node, problems: &Problems) {
    let addresses = [("listen", config.listen), ("ops_listen", config.ops_listen), ("api_listen", config.api_listen)];
    for (i, (key, address)) in addresses.iter().enumerate() {
        let same = addresses[..i].iter().find(|(_, other)| other == address && address.port() != 0);
        let Some((other, _)) = same else { continue };
        let node = top.get(key).or_else(|| top.get(other)).unwrap_or(root);
        let message = format!("`{other}` and `{key}` are the same address; give each its own port");
        complain(problems, &node.place, message);
    }
}

fn directory(section: &Section<'_>, key: &'static str) -> Option<PathBuf> {
    let place = section.get(key).map(|n| n.place.clone());
    let text = section.value(key, PATH, plain)?;
    place.map(|place| path(&place, &text))
}

fn roles(top: &Section<'_>, problems: &Problems) -> BTreeSet<Role> {
    let Some(items) = top.list("roles") else { return Role::ALL.into() };
    let mut roles = BTreeSet::new();
    for node in &items {
        let name = text(node).unwrap_or_default();
        let names = Role::ALL.map(Role::name);
        match Role::ALL.into_iter().find(|r| r.name() == name) {
            Some(role) => {
                roles.insert(role);
            }
            None => match nearest(name, names) {
                Some(near) => {
                    complain(problems, &node.place, format!("`roles`: unknown role `{name}`; did you mean `{near}`?"))
                }
                None => expected(problems, node, "roles", &format!("one of {}", names.join(", "))),
            },
        }
    }
    if let (true, Some(node)) = (items.is_empty(), top.get("roles")) {
        complain(problems, &node.place, "`roles`: the list is empty; leave it out to run all roles".into());
    }
    roles
}

fn slos(top: &Section<'_>, problems: &Problems) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for node in top.list("slos").unwrap_or_default() {
        match text(node).and_then(plain) {
            Some(text) => paths.push(path(&node.place, &text)),
            None => expected(problems, node, "slos", PATH),
        }
    }
    paths
}

fn gateway(section: Section<'_>, problems: &Problems) -> Gateway {
    let time = |key, default| section.value(key, POSITIVE, positive).unwrap_or(default);
    let default = Gateway::default();
    let max_body = section.value("max_body", SIZE, size).unwrap_or(default.max_body);
    let max_events = section.value("max_events", COUNT, count).unwrap_or(default.max_events);
    let max_connections = section.value("max_connections", COUNT, count).unwrap_or(default.max_connections);
    let least = Gateway::least_in_flight(max_body, max_events, max_connections);
    let gateway = Gateway {
        max_body,
        max_events,
        max_in_flight: in_flight(&section, least, problems),
        max_connections,
        read_timeout: time("read_timeout", default.read_timeout),
        idle_timeout: time("idle_timeout", default.idle_timeout),
        write_timeout: time("write_timeout", default.write_timeout),
        publish_timeout: time("publish_timeout", default.publish_timeout),
        finish: default.finish,
    };
    section.finish();
    gateway
}

/// How many series of SLOs /metrics tells of.
fn slo_series(section: Section<'_>) -> usize {
    const SOME: usize = 2_000;
    let series = section.value("slo_series", COUNT, count).unwrap_or(SOME);
    section.finish();
    series
}

/// The bound for all requests. One that the largest request does not fit into would send its sender away for ever.
fn in_flight(section: &Section<'_>, least: usize, problems: &Problems) -> usize {
    let given = section.value("max_in_flight", SIZE, size);
    if let (Some(given), Some(node)) = (given, section.get("max_in_flight"))
        && given < least
    {
        let least = least.div_ceil(1 << 20);
        let what = format!(
            "at least {least}MiB: what one request of `max_body` and `max_events` may take, and 8KiB for each of \
             `max_connections`"
        );
        expected(problems, node, "gateway.max_in_flight", &what);
    }
    given.unwrap_or(Gateway::default().max_in_flight.max(least))
}

fn retention(section: Section<'_>, warnings: &mut Vec<String>) -> Retention {
    let default = Retention::default();
    let retention = Retention {
        events: section.value("events", POSITIVE, positive).unwrap_or(default.events),
        history: section.value("history", POSITIVE, positive).unwrap_or(default.history),
    };
    if retention.events < default.events {
        let days = retention.events.div_duration_f64(DAY);
        warnings.push(format!(
            "retention.events: {days:.1} d; windows reach back 30 d and more, so keep 35 d to be able to recount them"
        ));
    }
    section.finish();
    retention
}

fn logging(section: Section<'_>) -> Logging {
    const FORMAT: &str = "`auto`, `human` or `json`";
    let format = section.value("format", FORMAT, |text| match text {
        "auto" => Some(LogFormat::Auto),
        "human" => Some(LogFormat::Human),
        "json" => Some(LogFormat::Json),
        _ => None,
    });
    let level = section.value("level", "a level (`info`) or a filter (`info,slipstream_sink=debug`)", |text| {
        crate::filter::read(text).ok().map(|_| text.to_owned())
    });
    section.finish();
    Logging { level, format: format.unwrap_or_default() }
}

fn socket(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port))),
        None => text.parse().ok(),
    }
}
