//! A Kafka with TLS and user passwords (SASL PLAIN and SCRAM), with its own certificate authority that
//! signed its certificate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use super::acls::{self, Acl};
use super::background::on_own_runtime;
use super::kafka::Kafka;
use super::ports;
use super::report::{self, Use};
use super::way;

/// A user that may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: &'static str,
    /// Password, for every mechanism.
    pub password: &'static str,
}

const USER: User = User { name: "alice", password: "alice-secret" };
/// Further users for PLAIN: one for each part of an installation.
const USERS: [User; 8] = [
    User { name: "gateway", password: "part-secret" },
    User { name: "tally", password: "part-secret" },
    User { name: "burn", password: "part-secret" },
    User { name: "sink", password: "part-secret" },
    User { name: "alerter", password: "part-secret" },
    User { name: "notifier", password: "part-secret" },
    User { name: "ensure", password: "part-secret" },
    User { name: "doctor", password: "part-secret" },
];
const SCRAM: [&str; 2] = ["SCRAM-SHA-256", "SCRAM-SHA-512"];

/// A Kafka for one test with a listener for TLS with SASL, at `localhost`, the only name in its certificate. Always a
/// native process.
#[derive(Debug)]
pub struct SecuredKafka {
    kafka: Kafka,
    security: Security,
}

impl SecuredKafka {
    /// Starts one whose users may do everything; it ends with the value.
    ///
    /// # Panics
    /// When none can be started, saying what to do.
    pub async fn dedicated() -> SecuredKafka {
        SecuredKafka::start(false).await
    }

    /// Starts one whose users may do what they were allowed to ([`SecuredKafka::allow`]), and nothing else.
    ///
    /// # Panics
    /// When none can be started, saying what to do.
    pub async fn with_acls() -> SecuredKafka {
        SecuredKafka::start(true).await
    }

    async fn start(acls: bool) -> SecuredKafka {
        let started = on_own_runtime(async move {
            let security = Security::new(acls)?;
            let kafka = Kafka::native(Some(&security)).await?;
            Ok(SecuredKafka { kafka, security })
        });
        let secured = started.await.unwrap_or_else(|error| panic!("{}", way::advice("Kafka", &error)));
        report::note("kafka", Use::Own, &format!("{} with TLS and SASL", secured.kafka.describe()));
        secured
    }

    /// The address for clients with TLS and SASL: `localhost:PORT`.
    pub fn bootstrap(&self) -> String {
        format!("localhost:{}", self.security.port)
    }

    /// The certificate of the authority that clients have to trust, as a PEM file.
    pub fn authority(&self) -> PathBuf {
        self.security.file("authority.pem")
    }

    /// A user that may log in by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512.
    pub fn user(&self) -> User {
        USER
    }

    /// A user for each part of an installation, by its name; they log in by PLAIN.
    ///
    /// # Panics
    /// When there is no such part.
    pub fn user_of(&self, part: &str) -> User {
        *USERS.iter().find(|user| user.name == part).unwrap_or_else(|| panic!("no user for {part}"))
    }

    /// Creates the listed ACLs, and waits until the broker has them.
    pub fn allow(&self, acls: &[Acl]) -> Result<()> {
        acls::create(&self.kafka.bootstrap(), acls)
    }

    /// The same broker without TLS and SASL, for inspecting it and making it fail.
    pub fn plain(&self) -> &Kafka {
        &self.kafka
    }
}

/// What makes a broker secure: a port, and files with a key and certificates.
#[derive(Debug)]
pub(super) struct Security {
    port: u16,
    folder: TempDir,
    /// Whether users may do only what they were allowed to.
    acls: bool,
}

impl Security {
    fn new(acls: bool) -> Result<Security> {
        let folder = tempfile::tempdir().context("creating a folder for certificates")?;
        let security = Security { port: ports::free()?, folder, acls };
        security.certify().context("making certificates")?;
        Ok(security)
    }

    /// Writes the authority's certificate, and the broker's key with its certificate.
    fn certify(&self) -> Result<()> {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "an authority for tests");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let broker = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &authority)?;
        fs::write(self.file("authority.pem"), authority.pem())?;
        fs::write(self.file("broker.pem"), [key.serialize_pem(), broker.pem()].concat())?;
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        let folder: &Path = self.folder.path();
        folder.join(name)
    }

    /// Adds a secure listener to a broker's settings.
    pub(super) fn extend(&self, settings: &mut BTreeMap<String, String>) {
        let mut append = |name: &str, more: String| {
            let value = settings.entry(name.to_owned()).or_default();
            *value = if value.is_empty() { more } else { format!("{value},{more}") };
        };
        append("listeners", format!("SECURE://127.0.0.1:{}", self.port));
        append("advertised.listeners", format!("SECURE://localhost:{}", self.port));
        append("listener.security.protocol.map", "SECURE:SASL_SSL".to_owned());
        append("sasl.enabled.mechanisms", format!("PLAIN,{}", SCRAM.join(",")));
        append("listener.name.secure.ssl.keystore.type", "PEM".to_owned());
        append("listener.name.secure.ssl.keystore.location", self.file("broker.pem").display().to_string());
        let modules = "org.apache.kafka.common.security";
        let login = |user: &User| format!(" user_{}=\"{}\"", user.name, user.password);
        let logins: String = USERS.iter().chain([&USER]).map(login).collect();
        let plain = format!("{modules}.plain.PlainLoginModule required{logins};");
        append("listener.name.secure.plain.sasl.jaas.config", plain);
        for mechanism in SCRAM {
            let name = format!("listener.name.secure.{}.sasl.jaas.config", mechanism.to_lowercase());
            append(&name, format!("{modules}.scram.ScramLoginModule required;"));
        }
        if self.acls {
            append("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned());
            // Clients without TLS and SASL: the test itself, and the controller.
            append("super.users", "User:ANONYMOUS".to_owned());
        }
    }

    /// The users with which the broker's storage is formatted.
    pub(super) fn users(&self) -> Vec<String> {
        SCRAM.map(|mechanism| format!("{mechanism}=[name={},password={}]", USER.name, USER.password)).into()
    }
}
