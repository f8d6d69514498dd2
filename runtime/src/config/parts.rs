//! How to speak to Kafka and PostgreSQL: what does not stand in their addresses.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::found;
use super::problem::Place;
use super::secret::{Secret, long_secret, secret};
use super::section::{Problems, Section, complain, expected, path, plain, text};

/// How to speak to Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// What the names of topics and groups begin with: installations share a cluster.
    pub prefix: String,
    /// Name of this process among the others, kept over restarts; `None` for a new one each time.
    pub instance: Option<String>,
    /// Threads that tally, each a member of the group with its share of the partitions; none: as many as there are cores, 4 at
    /// most.
    pub tally_threads: Option<usize>,
    /// Properties of librdkafka, from the file and from files. Whether librdkafka knows them, and whether they may be
    /// set, is checked by their users.
    pub properties: BTreeMap<String, Property>,
}

impl Default for Kafka {
    fn default() -> Self {
        Kafka { prefix: "slipstream.".to_owned(), instance: None, tally_threads: None, properties: BTreeMap::new() }
    }
}

/// The value of a property, and where it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// May be a secret.
    pub value: Secret,
    /// For complaints.
    pub place: Place,
}

/// How to speak to PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Postgres {
    /// The password; wins over one in the URL.
    pub password: Option<Secret>,
    /// Certificates (PEM) that the server's must lead to.
    pub root_cert: Option<PathBuf>,
}

/// Properties that do not stand in the open.
const SECRET: [&str; 6] = [
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
];

const NAME: &str = "letters, digits, `-`, `_` and `.`, at most 64";

const THREADS: &str = "a whole number from 1 to 64";

pub(super) fn kafka(section: Section<'_>, problems: &Problems) -> Kafka {
    let default = Kafka::default();
    let name = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (!text.is_empty() && text.len() <= 64 && text.chars().all(fits)).then(|| text.to_owned())
    };
    let threads = |text: &str| text.parse::<usize>().ok().filter(|n| (1..=64).contains(n));
    let kafka = Kafka {
        prefix: section.value("prefix", NAME, name).unwrap_or(default.prefix),
        instance: section.value("instance", NAME, name),
        tally_threads: section.value("tally_threads", THREADS, threads),
        properties: properties(&section, problems),
    };
    section.finish();
    kafka
}

fn properties(section: &Section<'_>, problems: &Problems) -> BTreeMap<String, Property> {
    let mut properties = BTreeMap::new();
    if let Some(node) = section.get("properties") {
        for (key, node) in Section::of(node, "kafka.properties", problems).all() {
            let name = format!("kafka.properties.{}", found::key(&key.name));
            if SECRET.contains(&key.name.as_str()) {
                let message = format!("`{name}`: secrets do not belong here; use `kafka.properties_file`");
                complain(problems, &key.place, message);
                continue;
            }
            match text(node) {
                Some(value) => add(&mut properties, &key.name, Secret::new(value), &key.place),
                None => expected(problems, node, &name, "a text"),
            }
        }
    }
    if let Some(node) = section.get("properties_file") {
        for (key, node) in Section::of(node, "kafka.properties_file", problems).all() {
            let name = format!("kafka.properties_file.{}", found::key(&key.name));
            if properties.contains_key(&key.name) {
                complain(problems, &key.place, format!("`{name}`: `kafka.properties` has it as well; set it once"));
            } else if let Some(value) = long_secret(node, &name, problems) {
                add(&mut properties, &key.name, value, &key.place);
            }
        }
    }
    properties
}

fn add(properties: &mut BTreeMap<String, Property>, name: &str, value: Secret, place: &Place) {
    properties.insert(name.to_owned(), Property { value, place: place.clone() });
}

pub(super) fn postgres(section: Section<'_>, problems: &Problems) -> Postgres {
    let password = section.get("password_file").and_then(|node| secret(node, "postgres.password_file", problems));
    let place = section.get("root_cert").map(|node| node.place.clone());
    let root_cert = section.value("root_cert", "the path of a file with certificates (PEM)", plain);
    let root_cert = place.zip(root_cert).map(|(place, file)| path(&place, &file));
    section.finish();
    Postgres { password, root_cert }
}
