//! PostgreSQL: a separate server with one superuser, and databases with random names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rand::RngExt;
use testcontainers_modules::postgres as containers;
use testcontainers_modules::testcontainers::{ContainerRequest, ImageExt};
use tokio_postgres::NoTls;

use super::background::{on_own_runtime, until_it_answers};
use super::container::Container;
use super::guardian::Folder;
use super::image::{Image, Wanted};
use super::instance::Instance;
use super::native::Native;
use super::ports;
use super::programs::{self, as_postgres, make_owned};
use super::report::{self, Use};
use super::way::{self, Way};

/// User, password and first database of the servers we start, the same as the official image's.
const USER: &str = "postgres";
const WANTED: Wanted =
    Wanted { variable: "SLIPSTREAM_TEST_POSTGRES_IMAGE", official: "postgres:17.6", built: Some("postgres") };
/// Of a container, for parallel queries; bytes.
const SHARED_MEMORY: u64 = 256 << 20;
/// What a test server has that an ordinary one has not; durability is as in production, because tests kill it.
const SETTINGS: [&str; 3] = ["max_connections=200", "shared_buffers=64MB", "timezone=UTC"];

/// What a native server is made of.
pub(super) struct Setup<'a> {
    /// A folder with bin, lib and share; without one those that are installed are run.
    pub(super) home: Option<PathBuf>,
    /// More files in its folder of extensions: names and contents.
    pub(super) extension_files: &'a [(&'a str, &'a str)],
    /// More settings, each `NAME=VALUE`.
    pub(super) settings: &'a [&'a str],
    /// Where it comes from, in a few words.
    pub(super) origin: &'a str,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Setup { home: None, extension_files: &[], settings: &[], origin: "native process" }
    }
}

/// A PostgreSQL to test with.
#[derive(Debug)]
pub struct Postgres {
    url: String,
    description: String,
    instance: Instance,
}

impl Postgres {
    /// Of its first database, for a superuser: `postgres://USER:PASSWORD@127.0.0.1:PORT/DATABASE`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What it is and where it comes from, in a few words.
    pub fn describe(&self) -> String {
        self.description.clone()
    }

    /// Creates a database with a random name and returns its URL.
    ///
    /// # Panics
    /// When the server doesn't create it.
    pub async fn fresh_database(&self) -> String {
        let name = format!("test_{:016x}", rand::rng().random::<u64>());
        let created = self.run(&format!("CREATE DATABASE {name}")).await;
        created.unwrap_or_else(|error| panic!("{error:#}"));
        let (server, parameters) = split_database(&self.url);
        format!("{server}/{name}{parameters}")
    }

    /// One for this test alone, that it may kill, start again and hold. It ends with the value.
    ///
    /// # Panics
    /// When none can be started, saying what to do.
    pub async fn dedicated() -> Postgres {
        let started = on_own_runtime(Postgres::of_our_own()).await;
        let postgres = started.unwrap_or_else(|error| panic!("{}", way::advice("PostgreSQL", &error)));
        report::note("postgres", Use::Own, &postgres.description);
        postgres
    }

    /// kill -9 of the postmaster and all its backends.
    pub async fn kill(&self) -> Result<()> {
        self.instance.kill().await
    }

    /// Restarts it after a kill, with the same data at the same port, and waits until it responds.
    pub async fn start(&self) -> Result<()> {
        self.instance.start().await?;
        self.answers().await.map(drop)
    }

    /// Pauses it with all its backends (SIGSTOP): connections stay open, nothing responds.
    pub async fn stop(&self) -> Result<()> {
        self.instance.stop().await
    }

    /// Resumes it (SIGCONT).
    pub async fn cont(&self) -> Result<()> {
        self.instance.cont().await
    }

    /// The shared one: external, by its address, or our own.
    pub(super) async fn shared() -> Result<Arc<Postgres>> {
        let postgres = match way::given(way::POSTGRES)? {
            Some(url) => Postgres::at(url, Instance::Given, "given").await,
            None => Postgres::of_our_own().await,
        };
        postgres.map(Arc::new)
    }

    async fn of_our_own() -> Result<Postgres> {
        match way::own(WANTED).await? {
            Way::Docker(image) => Postgres::in_container(image).await,
            Way::Native => Postgres::native(&Setup::default()).await,
        }
    }

    /// One for this test alone, always a native process, whose server also has these files in its folder of extensions: names and
    /// contents. Nothing of it is seen by other servers.
    ///
    /// # Panics
    /// When none can be started, saying what to do.
    pub async fn with_extension_files(files: &'static [(&'static str, &'static str)]) -> Postgres {
        let started =
            on_own_runtime(
                async move { Postgres::native(&Setup { extension_files: files, ..Setup::default() }).await },
            )
            .await;
        let postgres = started.unwrap_or_else(|error| panic!("{}", way::advice("PostgreSQL", &error)));
        report::note("postgres", Use::Own, &postgres.description);
        postgres
    }

    /// A container of an image that takes what the official one takes.
    pub(super) async fn in_container(image: Image) -> Result<Postgres> {
        let port = ports::free()?;
        let mut command = vec!["postgres".to_owned()];
        for setting in SETTINGS {
            command.extend(["-c".to_owned(), setting.to_owned()]);
        }
        let server = containers::Postgres::default().with_fsync_enabled();
        let request = ContainerRequest::from(server).with_cmd(command).with_shm_size(SHARED_MEMORY);
        let container = Container::start_new(request, &image, (5432, port)).await?;
        let url = format!("postgres://{USER}:{USER}@127.0.0.1:{port}/{USER}");
        let instance = Instance::Docker(container);
        Postgres::at(url, instance, &format!("testcontainers, image {image}")).await
    }

    /// A process of this machine.
    pub(super) async fn native(setup: &Setup<'_>) -> Result<Postgres> {
        let folder = Folder::new("QUIT")?;
        let programs = programs::for_native(folder.path(), setup.home.as_deref(), setup.extension_files)?;
        let (data, sockets) = (folder.path().join("data"), folder.path().join("sockets"));
        for owned in [&data, &sockets] {
            make_owned(owned)?;
        }
        let password = folder.path().join("password");
        fs::write(&password, USER).context("writing the password")?;
        initialise(&programs, &data, &password)?;
        let port = ports::free()?;
        let mut command = as_postgres();
        command.extend([programs.join("postgres").display().to_string(), "-D".to_owned(), data.display().to_string()]);
        let own = ["listen_addresses=127.0.0.1".to_owned(), format!("port={port}")];
        let own = own.into_iter().chain([format!("unix_socket_directories={}", sockets.display())]);
        let settings = SETTINGS.iter().chain(setup.settings).map(|setting| (*setting).to_owned());
        for setting in own.chain(settings) {
            command.extend(["-c".to_owned(), setting]);
        }
        let native = Native::new(folder, command)?;
        native.start()?;
        let url = format!("postgres://{USER}:{USER}@127.0.0.1:{port}/{USER}");
        Postgres::at(url, Instance::Native(Box::new(native)), setup.origin).await
    }

    /// The one at this URL, once it responds, described by its version and where it comes from.
    pub(super) async fn at(url: String, instance: Instance, origin: &str) -> Result<Postgres> {
        let mut postgres = Postgres { url, description: String::new(), instance };
        let version = postgres.answers().await?;
        postgres.description = format!("PostgreSQL {version} ({origin})");
        Ok(postgres)
    }

    /// Puts something before what it is described as.
    pub(super) fn described(mut self, before: &str) -> Postgres {
        self.description.insert_str(0, before);
        self
    }

    /// Waits until the server responds, and returns its version.
    async fn answers(&self) -> Result<String> {
        let answered = until_it_answers("PostgreSQL", &self.instance, || {
            ask(&self.url, "SELECT split_part(current_setting('server_version'), ' ', 1)")
        });
        answered.await.with_context(|| format!("PostgreSQL: {}", self.instance.last_words()))
    }

    /// Runs one statement on its own connection.
    async fn run(&self, statement: &str) -> Result<()> {
        let (url, statement) = (self.url.clone(), statement.to_owned());
        on_own_runtime(async move {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.context("connecting")?;
            let (done, served) = tokio::join!(
                async move { client.batch_execute(&statement).await.with_context(|| statement.clone()) },
                connection
            );
            done?;
            served.context("the connection broke")
        })
        .await
    }
}

/// Asks for a text on a connection of its own.
pub(super) async fn ask(url: &str, query: &str) -> Result<String> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connecting")?;
    let asked = async move { client.query_one(query, &[]).await };
    let (answer, _ended) = tokio::join!(asked, connection);
    answer.with_context(|| query.to_owned())?.try_get(0).with_context(|| query.to_owned())
}

/// A URL without its database, and its parameters with their question mark.
fn split_database(url: &str) -> (&str, &str) {
    let (address, parameters) = url.find('?').map_or((url, ""), |at| url.split_at(at));
    let host = address.find("://").map_or(0, |at| at + 3);
    let server = address[host..].find('/').map_or(address, |at| &address[..host + at]);
    (server, parameters)
}

fn initialise(programs: &Path, data: &Path, password: &Path) -> Result<()> {
    let mut words = as_postgres();
    words.push(programs.join("initdb").display().to_string());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(["--auth=scram-sha-256", "--username", USER, "--encoding=UTF8", "--no-sync"]);
    command.args(["--locale=C.UTF-8", "-D"]).arg(data).arg("--pwfile").arg(password);
    let made = command.current_dir("/").output().context("running initdb")?;
    ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}
