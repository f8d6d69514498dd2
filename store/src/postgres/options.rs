//! The address of the database and the login: the user's settings, and the checked result.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use slipstream_schemas::cause::chain;
use slipstream_schemas::{Cause, Retention};
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{self, Tls};
use crate::port::StoreError;

/// Default schema of the database for everything.
pub const SCHEMA: &str = "slipstream";

const CONNECT: Duration = Duration::from_secs(10);
/// An unresponsive connection ends after this; the server uses the same limit.
const UNANSWERED: Duration = Duration::from_secs(30);

/// Where the store is and how to use it.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?sslmode=…&sslrootcert=…]`, as libpq takes it, and its other
    /// parameters as tokio-postgres knows them. `sslmode` is one of disable, prefer (the default), require, verify-ca,
    /// verify-full.
    pub url: String,
    /// The password, if it is not in the URL; it takes precedence.
    pub password: Option<String>,
    /// Certificates (PEM) that the server's must lead to; wins over `sslrootcert` of the URL. Without one, verify-ca and
    /// verify-full trust what the system trusts.
    pub root_cert: Option<PathBuf>,
    /// Schema of the database; created if it is missing. Letters, digits, underscores.
    pub schema: String,
    /// How long rows stay.
    pub retention: Retention,
}

impl PostgresOptions {
    /// The defaults for a URL.
    pub fn new(url: impl Into<String>) -> Self {
        let (schema, retention) = (SCHEMA.to_owned(), Retention::default());
        PostgresOptions { url: url.into(), password: None, root_cert: None, schema, retention }
    }

    /// Whether the URL can be read. Certificates are looked at when somebody connects.
    ///
    /// # Errors
    /// When it cannot, with what to write instead.
    pub fn check(&self) -> Result<(), StoreError> {
        self.read().map(|_| ())
    }

    /// What the URL says.
    fn read(&self) -> Result<(Config, Tls), StoreError> {
        if !self.url.starts_with("postgres://") && !self.url.starts_with("postgresql://") {
            return Err(wrong("it must start with postgres:// or postgresql://"));
        }
        // The driver takes all before the first `@` for the login, and we what follows the first `?` for parameters.
        if self.url.find('?').zip(self.url.find('@')).is_some_and(|(parameters, login)| parameters < login) {
            return Err(wrong("a `?` in a password is written `%3F`, an `@` in a parameter `%40`"));
        }
        let (rest, tls) = take_tls(self)?;
        let config = Config::from_str(&rest).map_err(|error| wrong(Cause::worded(chain(&error), error)))?;
        Ok((config, tls))
    }
}

/// Without passwords.
impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = Target::new(self).map_or_else(|_| "?".to_owned(), |target| target.place);
        let PostgresOptions { root_cert, schema, retention, .. } = self;
        f.debug_struct("PostgresOptions")
            .field("place", &place)
            .field("root_cert", root_cert)
            .field("schema", schema)
            .field("retention", retention)
            .finish_non_exhaustive()
    }
}

/// Where to connect to, checked.
#[derive(Clone)]
pub struct Target {
    /// For tokio-postgres.
    pub config: Config,
    /// Whether and how the connection is encrypted.
    pub tls: MakeRustlsConnect,
    /// A checked identifier.
    pub schema: String,
    /// For people, without user and password: `postgres://HOST:PORT/DATABASE`.
    pub place: String,
}

impl Target {
    /// Checks the options.
    ///
    /// # Errors
    /// When they are invalid, or certificates cannot be read: always `Fatal`, with what to do.
    pub fn new(options: &PostgresOptions) -> Result<Self, StoreError> {
        let (mut config, tls) = options.read()?;
        config.ssl_mode(tls.mode.negotiated());
        if let Some(password) = &options.password {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            config.application_name("slipstream");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        config.keepalives_idle(UNANSWERED).tcp_user_timeout(UNANSWERED);
        let place = place(&config);
        Ok(Target { config, tls: tls::connector(&tls)?, schema: checked_schema(&options.schema)?, place })
    }
}

fn wrong(cause: impl Into<Cause>) -> StoreError {
    StoreError::Fatal {
        doing: "reading the store's URL".to_owned(),
        cause: cause.into().and("; it reads postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full"),
    }
}

/// The URL without the parameters that tokio-postgres does not have, and those.
fn take_tls(options: &PostgresOptions) -> Result<(String, Tls), StoreError> {
    let (address, parameters) = options.url.split_once('?').unwrap_or((&options.url, ""));
    let (mut mode, mut root) = (tls::Mode::Prefer, None);
    let mut rest = Vec::new();
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => mode = value.parse().map_err(wrong)?,
            Some(("sslrootcert", "system")) => root = None,
            Some(("sslrootcert", value)) => root = Some(PathBuf::from(unescaped(value)?)),
            _ => rest.push(parameter),
        }
    }
    let root = options.root_cert.clone().or(root);
    let rest = if rest.is_empty() { address.to_owned() } else { format!("{address}?{}", rest.join("&")) };
    Ok((rest, Tls { mode, root }))
}

/// `%2F` and the like in a path.
fn unescaped(value: &str) -> Result<String, StoreError> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).map_err(|_| wrong(format!("`{value}` is not a path in UTF-8")))
}

fn checked_schema(schema: &str) -> Result<String, StoreError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = schema.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if begins && schema.chars().all(fits) && schema.len() <= 40 && !schema.starts_with("pg_") {
        return Ok(schema.to_owned());
    }
    Err(StoreError::Fatal {
        doing: "reading the name of the store's schema".to_owned(),
        cause: format!(
            "`{schema}`: expected 1 to 40 lower-case letters, digits and underscores, without a leading digit or pg_"
        )
        .into(),
    })
}

fn place(config: &Config) -> String {
    let ports = config.get_ports();
    let port = |i: usize| ports.get(i).or(ports.first()).copied().unwrap_or(5432);
    let host = |(i, host): (usize, &Host)| match host {
        Host::Tcp(name) => format!("{name}:{}", port(i)),
        #[cfg(unix)]
        Host::Unix(path) => format!("{}:{}", path.display(), port(i)),
    };
    let hosts: Vec<String> = config.get_hosts().iter().enumerate().map(host).collect();
    format!("postgres://{}/{}", hosts.join(","), config.get_dbname().or(config.get_user()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, String> {
        Target::new(&PostgresOptions::new(url)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_place_has_no_secrets() {
        let url = "postgres://me:secret@db.example:6432/shop?sslmode=disable&application_name=x";
        let target = target(url).unwrap();
        assert_eq!(target.place, "postgres://db.example:6432/shop");
        assert_eq!(target.config.get_application_name(), Some("x"));
        let options = PostgresOptions { password: Some("secret".into()), ..PostgresOptions::new(url) };
        assert!(!format!("{options:?}").contains("secret"), "{options:?}");
        let password = Target::new(&options).unwrap().config.get_password().map(<[u8]>::to_vec);
        assert_eq!(password.as_deref(), Some(&b"secret"[..]));
    }

    #[test]
    fn what_makes_no_sense_says_what_does() {
        let rows = [
            ("host=localhost", "postgres://"),
            ("postgres://h/d?sslmode=sometimes", "verify-full"),
            ("postgres://h/d?sslmode=verify-full&sslrootcert=%2Fno%2Fsuch.pem", "/no/such.pem"),
            ("postgres://h/d?nonsense=1", "nonsense"),
            ("postgres://me:se?cret@h/d?sslmode=require", "a `?` in a password is written `%3F`"),
            ("postgres://h/d?user=me@x&sslmode=require", "an `@` in a parameter `%40`"),
            ("postgres://h:port/d", "port"),
        ];
        for (url, expected) in rows {
            let error = target(url).err().unwrap_or_else(|| panic!("{url} was taken"));
            assert!(error.contains(expected), "{url}: {error}");
        }
        for schema in ["", "Upper", "1st", "a-b", "pg_x", "x\"; DROP"] {
            let options = PostgresOptions { schema: schema.into(), ..PostgresOptions::new("postgres://h/d") };
            assert!(matches!(Target::new(&options), Err(StoreError::Fatal { .. })), "{schema}");
        }
    }
}
