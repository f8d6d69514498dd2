//! A broker that lets users do only what they were allowed to: the right that is missing is named, and those that
//! docs/operations-kafka.md lists are enough.

use std::path::PathBuf;

use serde_json::{Value, json};
use slipstream_testkit::process::{PATIENCE, Slipstream};
use slipstream_testkit::services::Operation::{self, Create, Describe, DescribeConfigs, Read, Write};
use slipstream_testkit::services::{self, Acl, Resource, SecuredKafka};
use slipstream_testkit::webhook::Receiver;
use tokio::time::{Duration, Instant, sleep};

use crate::place::{self, BINARY, Place, started, text};

/// Configurations of one installation for users of the broker.
struct Secured<'a> {
    kafka: &'a SecuredKafka,
    place: Place,
}

impl<'a> Secured<'a> {
    fn on(kafka: &'a SecuredKafka, database: &str) -> Secured<'a> {
        Secured { kafka, place: Place::of(kafka.bootstrap(), database.to_owned()) }
    }

    /// A configuration for a user.
    fn config(&self, part: &str) -> PathBuf {
        let user = self.kafka.user_of(part);
        let password = self.place.file(&format!("{part}.password"), user.password);
        let text = format!(
            "log: kafka://{}\nstore: {}\nkafka:\n  prefix: {}\n  properties:\n    security.protocol: sasl_ssl\n    \
             sasl.mechanism: PLAIN\n    sasl.username: {}\n    ssl.ca.location: {}\n    broker.address.family: v4\n  \
             properties_file: {{sasl.password: {}}}\n",
            self.place.bootstrap,
            self.place.database,
            self.place.prefix,
            user.name,
            self.kafka.authority().display(),
            password.display()
        );
        self.place.file(&format!("{part}.yaml"), &text)
    }

    /// A command as a user: its exit code, and all that it said.
    async fn command(&self, part: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = tokio::process::Command::new(BINARY);
        command.args(arguments).arg("--config").arg(self.config(part)).kill_on_drop(true);
        let output = command.output().await.unwrap();
        (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    }

    /// Rights of a user on everything of the installation.
    fn on_all(&self, part: &str, operations: &[Operation]) -> Vec<Acl> {
        let resource = || Resource::Topics(self.place.prefix.clone());
        operations.iter().map(|operation| acl(part, resource(), *operation)).collect()
    }
}

fn acl(part: &str, resource: Resource, operation: Operation) -> Acl {
    Acl { user: part.to_owned(), resource, operation }
}

/// Gives rights, and waits until the broker goes by them: what is said of a topic that is not there is said to who may see it.
async fn give(kafka: &SecuredKafka, installation: &Secured<'_>, part: &str, mut acls: Vec<Acl>) {
    let sentinel = format!("sentinel-{:016x}", rand::random::<u64>());
    acls.push(acl(part, Resource::Topic(sentinel.clone()), Describe));
    kafka.allow(&acls).unwrap();
    let user = kafka.user_of(part);
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap()).set("broker.address.family", "v4").set("log_level", "0");
    config.set("security.protocol", "sasl_ssl").set("ssl.ca.location", kafka.authority().display().to_string());
    config.set("sasl.mechanism", "PLAIN").set("sasl.username", user.name).set("sasl.password", user.password);
    let client: rdkafka::consumer::BaseConsumer = config.create().unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        use rdkafka::consumer::Consumer as _;
        let told = client.fetch_metadata(Some(&sentinel), Duration::from_secs(10)).unwrap();
        let code = told.topics().first().and_then(|topic| topic.error()).map(rdkafka::error::RDKafkaErrorCode::from);
        if code != Some(rdkafka::error::RDKafkaErrorCode::TopicAuthorizationFailed) {
            return;
        }
        assert!(Instant::now() < deadline, "the rights of {part} on {} do not come", installation.place.prefix);
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn ensure_names_the_right_that_is_missing_and_needs_none_for_what_is_there() {
    let kafka = SecuredKafka::with_acls().await;
    let database = services::postgres().await.fresh_database().await;
    // Topics that are there, made by who may do everything.
    let all = Secured::on(&kafka, &database);
    let plain = format!("log: kafka://{}\nkafka: {{prefix: {}}}\n", kafka.plain().bootstrap(), all.place.prefix);
    std::fs::write(&all.place.config, plain).unwrap();
    all.place.json(&["topics", "ensure"], 0).await;
    // Topics that are not.
    let none = Secured::on(&kafka, &database);
    let unknown = "allow this user Describe on topics that start with";
    let (topics, groups) =
        ("allow Read and Describe on topics that start with", "allow Read on groups that start with");
    for (installation, operations, code, said) in [
        (&none, &[][..], 1, &[unknown][..]),
        (&none, &[Create], 1, &[unknown]),
        // Two are missing: the broker says one of them first.
        (&all, &[Describe], 1, &[topics, groups]),
        (&all, &[Read], 1, &[groups]),
    ] {
        give(&kafka, installation, "ensure", installation.on_all("ensure", operations)).await;
        let (ended, told) = installation.command("ensure", &["topics", "ensure"]).await;
        let named = said.iter().any(|said| told.contains(said));
        assert!(ended == Some(code) && named, "{operations:?}: {ended:?} {told}");
        assert!(
            !told.contains("PurgeQueue") && !told.contains("run `slipstream topics ensure`"),
            "{operations:?}: {told}"
        );
    }
    // Settings are there: without the right to read them there is a warning, and without any to make topics nothing is wrong.
    let groups = acl("ensure", Resource::Groups(all.place.prefix.clone()), Read);
    give(&kafka, &all, "ensure", vec![groups]).await;
    let (ended, told) = all.command("ensure", &["topics", "ensure"]).await;
    assert!(ended == Some(0) && told.contains("may not read their settings"), "{ended:?} {told}");
    assert!(!told.contains("cleanup.policy"), "{told}");
    // The same where the settings of the installation have still to be written.
    let bare = Secured::on(&kafka, &database);
    let groups = acl("ensure", Resource::Groups(bare.place.prefix.clone()), Read);
    let rights = bare.on_all("ensure", &[Create, Describe, DescribeConfigs, Read]);
    give(&kafka, &bare, "ensure", rights.into_iter().chain([groups]).collect()).await;
    let (ended, told) = bare.command("ensure", &["topics", "ensure"]).await;
    assert!(ended == Some(1) && told.contains("allow Write and Describe on topics"), "{ended:?} {told}");
    assert!(!told.contains("PurgeQueue"), "{told}");
    give(&kafka, &bare, "ensure", bare.on_all("ensure", &[Write])).await;
    let (ended, told) = bare.command("ensure", &["topics", "ensure"]).await;
    assert_eq!(ended, Some(0), "{told}");
    assert!(!told.contains("WARN") && !told.contains("warn "), "a first start that is well says nothing else: {told}");
}

/// A row of the table in docs/operations-kafka.md: what a part reads and writes, its groups and transactional ids.
struct Row {
    part: String,
    cells: [Vec<String>; 4],
}

fn documented() -> Vec<Row> {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations-kafka.md")).unwrap();
    let (_, section) = docs.split_once("\n## Rights\n").expect("a section on rights");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let part = cells.next().unwrap().trim_matches('`').rsplit(' ').next().unwrap().to_owned();
        let mut next = || names(cells.next().unwrap());
        Row { part, cells: [next(), next(), next(), next()] }
    });
    rows.collect()
}

/// What a cell lists.
fn names(cell: &str) -> Vec<String> {
    cell.split(", ").filter(|name| *name != "–").map(|name| name.trim_matches('`').to_owned()).collect()
}

/// What a row allows, beside Describe and DescribeConfigs on all topics.
fn rights(row: &Row, prefix: &str) -> Vec<Acl> {
    let topic = |name: &str| match name {
        "all" => Resource::Topics(prefix.to_owned()),
        name => Resource::Topic(format!("{prefix}{name}")),
    };
    let [read, write, groups, ids] = &row.cells;
    let on_all = |operation| acl(&row.part, Resource::Topics(prefix.to_owned()), operation);
    let mut acls = vec![on_all(Describe), on_all(DescribeConfigs)];
    acls.extend(read.iter().map(|name| acl(&row.part, topic(name), Read)));
    acls.extend(write.iter().map(|name| acl(&row.part, topic(name), Write)));
    acls.extend(groups.iter().map(|name| acl(&row.part, Resource::Groups(format!("{prefix}{name}")), Read)));
    for operation in [Write, Describe] {
        let ids = ids.iter().map(|name| Resource::TransactionalIds(format!("{prefix}{name}")));
        acls.extend(ids.map(|id| acl(&row.part, id, operation)));
    }
    if row.part == "ensure" {
        acls.push(acl("ensure", Resource::Topics(prefix.to_owned()), Create));
    }
    acls
}

#[tokio::test]
async fn the_documented_rights_of_each_role_are_enough() {
    let kafka = SecuredKafka::with_acls().await;
    let database = services::postgres().await.fresh_database().await;
    let installation = Secured::on(&kafka, &database);
    let rows = documented();
    for part in ["ensure", "gateway", "tally", "burn", "sink", "alerter", "notifier", "doctor"] {
        let row = rows.iter().find(|row| row.part == part).unwrap_or_else(|| panic!("no row for {part}"));
        give(&kafka, &installation, part, rights(row, &installation.place.prefix)).await;
    }
    let (ended, told) = installation.command("ensure", &["topics", "ensure"]).await;
    assert_eq!(ended, Some(0), "{told}");

    let receiver = Receiver::start().await.unwrap();
    let slos = installation.place.file("slos.yaml", &place::slo("checkout", 0.99));
    let mut processes: Vec<Slipstream> = Vec::new();
    for role in ["gateway", "tally", "burn", "sink", "alerter", "notifier"] {
        let process = installation.place.process_of(&installation.config(role), role);
        let process = match role {
            "gateway" => process.with(["--slos".into(), slos.clone().into_os_string()]),
            "notifier" => process.with(["--webhook", receiver.url()]),
            _ => process,
        };
        processes.push(started(process).await);
    }
    let events: Vec<Value> = (0..200).map(event).collect();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let posted =
        reqwest::Client::new().post(format!("{}/v1/events", processes[0].gateway())).json(&events).send().await;
    let answer: Value = posted.unwrap().json().await.unwrap();
    assert_eq!(answer["inserted"], 200, "{answer}");
    import(&installation, &processes[0]).await;
    mark(&processes[0]).await;
    let fired = |d: &[slipstream_testkit::webhook::Delivery]| d.iter().any(|d| d.body["status"] == "firing");
    let came = receiver.until(PATIENCE, fired).await;
    let said = || processes.iter().map(Slipstream::stderr).collect::<Vec<_>>().join("\n");
    assert!(came.is_ok(), "no alert: {}", said());
    let doctor = installation.config("doctor");
    let report = until_stored(&installation, &doctor, 210).await;
    let errors = report["findings"].as_array().unwrap().iter().filter(|f| f["severity"] == "error");
    assert_eq!(errors.count(), 0, "{report:#}");
    for process in &mut processes {
        let ended = process.stop().await.unwrap();
        assert!(ended.success(), "{}", process.stderr());
        assert!(!process.stderr().contains("uthorization"), "{}", process.stderr());
        assert!(!process.stderr().contains("may not be read"), "{}", process.stderr());
    }
}

/// Ten more events through the gateway, which commits them and the position in one transaction of its own.
async fn import(installation: &Secured<'_>, gateway: &Slipstream) {
    let lines: Vec<String> = (200..210).map(|i| event(i).to_string()).collect();
    let file = installation.place.file("more.ndjson", &lines.join("\n"));
    let mut command = tokio::process::Command::new(BINARY);
    command.args(["import", "--format", "json", "--to", &gateway.gateway()]).arg(file).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let said = || format!("{}{}{}", text(&output.stdout), text(&output.stderr), gateway.stderr());
    assert!(output.status.success(), "{}", said());
}

/// A marker through the gateway.
async fn mark(gateway: &Slipstream) {
    let mut command = tokio::process::Command::new(BINARY);
    command.args(["mark", "deploy", "--version", "1", "--to", &gateway.gateway()]).kill_on_drop(true);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stderr), gateway.stderr());
}

fn event(i: usize) -> Value {
    json!({"event_id": format!("e-{i}"), "time": jiff::Timestamp::now().to_string(), "service": "checkout",
           "endpoint": "/pay", "method": "POST", "status_code": 503})
}

/// Waits until the store has so many; returns what doctor says then.
async fn until_stored(installation: &Secured<'_>, doctor: &std::path::Path, count: u64) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let kpis = json_of(doctor, &["query", "kpis"]).await;
        if kpis["hits"] == count {
            return json_of(doctor, &["doctor"]).await;
        }
        assert!(Instant::now() < deadline, "{} is not stored: {kpis}", installation.place.prefix);
        sleep(Duration::from_millis(200)).await;
    }
}

async fn json_of(config: &std::path::Path, arguments: &[&str]) -> Value {
    let mut command = tokio::process::Command::new(BINARY);
    command.args(arguments).arg("--json").arg("--config").arg(config).kill_on_drop(true);
    serde_json::from_slice(&command.output().await.unwrap().stdout).unwrap_or_default()
}
