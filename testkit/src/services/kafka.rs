//! Apache Kafka: one broker that is also its controller, with settings under which tests need not wait.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use testcontainers_modules::kafka::apache;
use testcontainers_modules::testcontainers::{ContainerRequest, ImageExt};

use super::background::{PATIENCE, on_own_runtime, until_it_answers};
use super::container::Container;
use super::guardian::Folder;
use super::image::{Image, Wanted};
use super::instance::Instance;
use super::native::Native;
use super::ports;
use super::report::{self, Use};
use super::secured::Security;
use super::way::{self, Way};

const WANTED: Wanted =
    Wanted { variable: "SLIPSTREAM_TEST_KAFKA_IMAGE", official: "apache/kafka:4.4.0", built: Some("kafka") };
/// The version of the jars (images/pom.xml) and of the image.
const VERSION: &str = "4.4.0";
/// The variable with another version for native brokers.
pub const KAFKA_VERSION: &str = "SLIPSTREAM_TEST_KAFKA_VERSION";
/// What a controller logs when a broker's session has ended.
const FENCED: &str = "fenced=1";
const NODE: &str = "1";
const CLUSTER: &str = "5L6g3nShT-eMCtK--X86sw";
/// For the Java machine: quick to start, small.
pub(super) const JAVA: [&str; 4] = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// Settings that differ from the defaults: no automatic topics, internal topics with few partitions
/// and one replica, groups that form at once and may have short sessions, and dead transactions found within a second. A
/// broker that was killed is let in again when its own session has ended.
pub(super) const SETTINGS: [(&str, &str); 16] = [
    ("broker.session.timeout.ms", "4000"),
    ("broker.heartbeat.interval.ms", "500"),
    ("auto.create.topics.enable", "false"),
    ("offsets.topic.replication.factor", "1"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("transaction.state.log.num.partitions", "4"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "1000"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000"),
    ("log.segment.delete.delay.ms", "1000"),
    ("log.retention.check.interval.ms", "5000"),
    ("log.cleaner.backoff.ms", "1000"),
];

/// A Kafka to test with.
#[derive(Debug)]
pub struct Kafka {
    address: String,
    description: String,
    instance: Instance,
    /// The controller of a native broker by itself, where it has to run alone before the broker starts again.
    controller: Option<Vec<String>>,
}

impl Kafka {
    /// The address for clients: `127.0.0.1:PORT`.
    pub fn bootstrap(&self) -> String {
        self.address.clone()
    }

    /// What it is and where it comes from, in a few words.
    pub fn describe(&self) -> String {
        self.description.clone()
    }

    /// One for this test alone, that it may kill, start again and hold. It ends with the value. Always a native process: see
    /// [`Kafka::start`].
    ///
    /// # Panics
    /// When none can be started, saying what to do.
    pub async fn dedicated() -> Kafka {
        let started = on_own_runtime(Kafka::native(None)).await;
        let kafka = started.unwrap_or_else(|error| panic!("{}", way::advice("Kafka", &error)));
        report::note("kafka", Use::Own, &kafka.description);
        kafka
    }

    /// kill -9 of the broker.
    pub async fn kill(&self) -> Result<()> {
        self.instance.kill().await
    }

    /// Restarts it after a kill, with the same data at the same port, and waits until it responds.
    ///
    /// First its controller runs by itself until the broker's session has ended. Since Kafka 4.3 a broker that is back before
    /// that, and that nobody can stand in for, may take a transaction for complete whose end it has not written:
    /// docs/operations-kafka.md.
    pub async fn start(&self) -> Result<()> {
        if let (Instance::Native(native), Some(controller)) = (&self.instance, &self.controller) {
            native.run_until(controller, FENCED, PATIENCE).await.context("ending the broker's session")?;
        }
        self.instance.start().await?;
        self.answers().await
    }

    /// Pauses it (SIGSTOP): connections stay open, nothing responds.
    pub async fn stop(&self) -> Result<()> {
        self.instance.stop().await
    }

    /// Resumes it (SIGCONT).
    pub async fn cont(&self) -> Result<()> {
        self.instance.cont().await
    }

    /// The shared one: external, by its address, or our own.
    pub(super) async fn shared() -> Result<Arc<Kafka>> {
        let kafka = match way::given(way::KAFKA)? {
            Some(address) => {
                let description = format!("Apache Kafka at {address} (from {})", way::KAFKA);
                let kafka = Kafka { address, description, instance: Instance::Given, controller: None };
                kafka.answers().await?;
                kafka
            }
            None => Kafka::of_our_own().await?,
        };
        Ok(Arc::new(kafka))
    }

    async fn of_our_own() -> Result<Kafka> {
        match way::own(WANTED).await? {
            Way::Docker(image) => Kafka::in_container(image).await,
            Way::Native => Kafka::native(None).await,
        }
    }

    async fn in_container(image: Image) -> Result<Kafka> {
        let port = ports::free()?;
        let mut request = ContainerRequest::from(apache::Kafka::default().with_jvm_image());
        for (name, value) in SETTINGS {
            request = request.with_env_var(format!("KAFKA_{}", name.to_uppercase().replace('.', "_")), value);
        }
        let [heap, most, options @ ..] = JAVA;
        let request = request
            .with_env_var("KAFKA_HEAP_OPTS", format!("{heap} {most}"))
            .with_env_var("KAFKA_JVM_PERFORMANCE_OPTS", options.join(" "));
        let container = Container::start_new(request, &image, (apache::KAFKA_PORT.as_u16(), port)).await?;
        let description = format!("Apache Kafka {VERSION} (testcontainers, image {image})");
        let (address, instance) = (format!("127.0.0.1:{port}"), Instance::Docker(container));
        let kafka = Kafka { address, description, instance, controller: None };
        kafka.answers().await?;
        Ok(kafka)
    }

    /// A native process, with a second, secure listener if requested.
    pub(super) async fn native(security: Option<&Security>) -> Result<Kafka> {
        let version = way::given(KAFKA_VERSION)?.unwrap_or_else(|| VERSION.to_owned());
        let jars = way::script("kafka-jars", &[&version]).await?;
        let folder = Folder::new("KILL")?;
        let properties = folder.path().join("server.properties");
        let port = ports::free()?;
        let mut settings = native_settings(folder.path(), port)?;
        if let Some(security) = security {
            security.extend(&mut settings);
        }
        write_settings(&properties, &settings)?;
        let alone = folder.path().join("controller.properties");
        write_settings(&alone, &of_controller(&settings))?;
        let users = security.map(Security::users).unwrap_or_default();
        format_storage(java(&jars, "kafka.tools.StorageTool"), &properties, &users)?;
        let run = |properties: &Path| [java(&jars, "kafka.Kafka"), vec![properties.display().to_string()]].concat();
        let (command, controller) = (run(&properties), loses_ends(&version).then(|| run(&alone)));
        let native = Native::new(folder, command)?;
        native.start()?;
        let description = format!("Apache Kafka {version} (native process)");
        let instance = Instance::Native(Box::new(native));
        let kafka = Kafka { address: format!("127.0.0.1:{port}"), description, instance, controller };
        kafka.answers().await?;
        Ok(kafka)
    }

    /// Waits until the broker responds.
    async fn answers(&self) -> Result<()> {
        let answered = until_it_answers("Kafka", &self.instance, || {
            let address = self.address.clone();
            async move { tokio::task::spawn_blocking(move || ask(&address)).await? }
        });
        answered.await.with_context(|| format!("{}: {}", self.description, self.instance.last_words()))
    }
}

/// Whether a broker of the version that is back too soon may take a transaction for complete: see [`Kafka::start`].
fn loses_ends(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(4), Some(3))
}

/// Asks for the brokers.
fn ask(address: &str) -> Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("log_level", "0");
    let client: BaseConsumer = config.create().context("creating a Kafka client")?;
    let metadata = client.fetch_metadata(None, Duration::from_secs(2)).context("looking up the brokers")?;
    ensure!(!metadata.brokers().is_empty(), "no broker in the cluster yet");
    Ok(())
}

/// The command that runs a Java class of Kafka.
fn java(jars: &str, class: &str) -> Vec<String> {
    let log = "-Dorg.slf4j.simpleLogger.logFile=System.out";
    let words = ["java"].into_iter().chain(JAVA).chain([log, "-cp"]).map(str::to_owned);
    words.chain([format!("{jars}/*"), class.to_owned()]).collect()
}

fn native_settings(folder: &Path, port: u16) -> Result<BTreeMap<String, String>> {
    let controller = ports::free()?;
    let own = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", NODE.to_owned()),
        ("controller.quorum.voters", format!("{NODE}@127.0.0.1:{controller}")),
        ("listeners", format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}")),
        ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{port}")),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
        ("log.dirs", folder.join("data").display().to_string()),
    ];
    let all = own.into_iter().chain(SETTINGS.map(|(name, value)| (name, value.to_owned())));
    Ok(all.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The settings of its controller by itself.
fn of_controller(settings: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut settings = settings.clone();
    settings.insert("process.roles".to_owned(), "controller".to_owned());
    settings.remove("advertised.listeners");
    if let Some(listeners) = settings.get_mut("listeners") {
        *listeners = listeners.split(',').filter(|listener| listener.starts_with("CONTROLLER:")).collect();
    }
    settings
}

fn write_settings(path: &Path, settings: &BTreeMap<String, String>) -> Result<()> {
    let lines = settings.iter().map(|(name, value)| format!("{name}={value}\n"));
    fs::write(path, lines.collect::<String>()).context("writing the settings")
}

fn format_storage(java: Vec<String>, properties: &Path, users: &[String]) -> Result<()> {
    let mut command = Command::new(&java[0]);
    command.args(&java[1..]).args(["format", "-t", CLUSTER, "-c"]).arg(properties);
    command.args(users.iter().flat_map(|user| ["--add-scram", user]));
    let formatted = command.output().context("running java, which Kafka needs: scripts/setup test installs it")?;
    let said = [formatted.stdout, formatted.stderr].concat();
    ensure!(formatted.status.success(), "formatting Kafka's storage: {}", String::from_utf8_lossy(&said));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_which_version_a_broker_must_not_be_back_too_soon() {
        let versions = ["3.0.2", "3.9.2", "4.1.0", "4.2.0", "4.3.0", "4.4.0", "5.0.0"];
        assert_eq!(versions.map(loses_ends), [false, false, false, false, true, true, true]);
    }
}
