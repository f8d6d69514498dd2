//! PgBouncer in front of a PostgreSQL: clients share its sessions, by transaction or by statement.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::guardian::Folder;
use super::native::Native;
use super::ports;
use super::programs::as_postgres;
use super::report::{self, Use};

/// How long it keeps a session that nobody uses: a suite uses one database after the other, and the server has an end.
const IDLE_SECONDS: u32 = 5;
/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A pooler for one test. It ends with the value.
#[derive(Debug)]
pub struct Pooler {
    url: String,
    _native: Native,
}

impl Pooler {
    /// One in front of the server of a URL, connecting as that URL's user for every client. `mode` is its `pool_mode`,
    /// `sessions` how many it has with the server. `None` if PgBouncer is not installed: the run's summary counts it.
    ///
    /// # Panics
    /// When it does not start.
    pub fn before(url: &str, mode: &str, sessions: usize) -> Option<Pooler> {
        let Some(program) = program() else {
            report::note("pgbouncer", Use::Missing, "pgbouncer is not installed: scripts/setup test");
            return None;
        };
        let pooler = Pooler::start(program, url, mode, sessions).unwrap_or_else(|error| panic!("PgBouncer: {error:#}"));
        report::note("pgbouncer", Use::Own, &format!("PgBouncer, pool_mode={mode}"));
        Some(pooler)
    }

    /// The server's database by way of the pooler.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Another database of the same server by way of the pooler, given its URL.
    pub fn url_of(&self, database: &str) -> String {
        let (pooler, _) = self.url.rsplit_once('/').unwrap_or((&self.url, ""));
        let (_, name) = database.rsplit_once('/').unwrap_or_default();
        format!("{pooler}/{name}")
    }

    fn start(program: PathBuf, url: &str, mode: &str, sessions: usize) -> Result<Pooler> {
        let (scheme, rest) = url.split_once("://").context("a URL has a scheme")?;
        let (credentials, rest) = rest.rsplit_once('@').context("the URL has no user")?;
        let (user, password) = credentials.split_once(':').context("the URL has no password")?;
        let (address, database) = rest.split_once('/').context("the URL has no database")?;
        let (host, server) = address.split_once(':').context("the URL has no port")?;
        let (folder, port) = (Folder::new("KILL")?, ports::free()?);
        let settings = format!(
            "[databases]\n* = host={host} port={server} user={user} password={password}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = {sessions}\nunix_socket_dir =\n\
             server_idle_timeout = {IDLE_SECONDS}\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).context("writing its settings")?;
        let mut command = as_postgres();
        command.extend([program.display().to_string(), file.display().to_string()]);
        let native = Native::new(folder, command)?;
        native.start()?;
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            native.still_runs()?;
            ensure!(Instant::now() < deadline, "it does not listen: {}", native.last_words());
            std::thread::sleep(Duration::from_millis(20));
        }
        let url = format!("{scheme}://{credentials}@127.0.0.1:{port}/{database}");
        Ok(Pooler { url, _native: native })
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
}
