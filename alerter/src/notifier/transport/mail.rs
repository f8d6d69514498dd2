//! One attempt by SMTP: a connection, a mail.

use std::fmt;
use std::net::SocketAddr;

use async_trait::async_trait;
use jiff::Timestamp;
use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Identity, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use reqwest::Url;
use slipstream_runtime::config::{Auth, Email, Encryption};
use slipstream_runtime::loopback::is_loopback_url;

use super::answer::in_one_line;
use super::guard::{Access, addresses};
use super::{Transport, key, refuse};
use crate::error::AlerterError;
use crate::notifier::dispatch::{Answer, Delivery};
use crate::notifier::format::mail::Parties;
use crate::notifier::receiver::ReceiverConfig;

/// Ports of submission: with STARTTLS, and with TLS from the first byte (RFC 8314). Without encryption it is that of a relay.
const SUBMISSION: u16 = 587;
const SUBMISSIONS: u16 = 465;
const RELAY: u16 = 25;

/// The way by mail.
pub struct Mailer {
    config: ReceiverConfig,
    server: Server,
    parties: Parties,
    tls: Tls,
}

struct Server {
    host: String,
    port: u16,
    access: Access,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("host", &self.server.host).finish_non_exhaustive()
    }
}

impl Mailer {
    /// Prepares the way; nothing is sent. The process has installed a TLS provider before.
    ///
    /// # Errors
    /// What is wrong with the settings; secrets are not repeated.
    pub fn new(config: &ReceiverConfig, email: &Email) -> Result<Mailer, AlerterError> {
        let refuse = |problem| refuse(config, problem);
        let server = server(config, email).map_err(refuse)?;
        let parties = Parties::new(email).map_err(refuse)?;
        let tls = tls(config, email, &server.host).map_err(refuse)?;
        Ok(Mailer { config: config.clone(), server, parties, tls })
    }

    async fn send(&self, delivery: &Delivery) -> (Answer, String) {
        match self.parties.mail(delivery, &key(delivery), Timestamp::now()) {
            Ok((envelope, mail)) => self.deliver(&envelope, &mail).await,
            Err(why) => failed(None, why, false),
        }
    }

    /// To the first of the server's addresses that can be reached.
    async fn deliver(&self, envelope: &Envelope, mail: &[u8]) -> (Answer, String) {
        let Server { host, port, access } = &self.server;
        let found = match addresses(host, *port, *access).await {
            Ok(found) => found,
            Err(error) => return failed(None, error.to_string(), false),
        };
        let mut last = failed(None, format!("{host} has no address"), false);
        for address in found {
            match self.transport(address).send_raw(envelope, mail).await {
                Ok(response) => {
                    let said = in_one_line(&response.message().collect::<Vec<_>>().join(" "));
                    return (Answer::Delivered { status: response.code().into() }, said);
                }
                Err(error) if is_connection(&error) => last = failed(None, told(&error), false),
                Err(error) => return judged(&error),
            }
        }
        last
    }

    fn transport(&self, address: SocketAddr) -> AsyncSmtpTransport<Tokio1Executor> {
        // By address: between looking and connecting nobody can change where the name leads.
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
            .port(address.port())
            .tls(self.tls.clone())
            .timeout(Some(self.config.timeout));
        if let Some(Auth::Basic { username, password }) = &self.config.way.auth {
            builder = builder.credentials(Credentials::new(username.clone(), password.reveal().to_owned()));
        }
        builder.build()
    }
}

#[async_trait]
impl Transport for Mailer {
    fn host(&self) -> &str {
        &self.server.host
    }

    async fn attempt(&self, delivery: &Delivery) -> Answer {
        self.ask(delivery).await.0
    }

    async fn ask(&self, delivery: &Delivery) -> (Answer, String) {
        let late = || failed(None, format!("no answer within {:?}", self.config.timeout), true);
        tokio::time::timeout(self.config.timeout, self.send(delivery)).await.unwrap_or_else(|_| late())
    }
}

/// Whether mail can be sent with these settings.
///
/// # Errors
/// The first thing that is wrong; secrets are not repeated.
pub(super) fn check(config: &ReceiverConfig, email: &Email) -> Result<(), AlerterError> {
    let refuse = |problem| refuse(config, problem);
    let server = server(config, email).map_err(refuse)?;
    Parties::new(email).map_err(refuse)?;
    tls(config, email, &server.host).map(|_| ()).map_err(refuse)
}

fn server(config: &ReceiverConfig, email: &Email) -> Result<Server, String> {
    let url = Url::parse(config.url.reveal()).map_err(|e| format!("url: {e}; write smtp://HOST:PORT"))?;
    let host = url.host_str().filter(|_| url.scheme() == "smtp").ok_or("url: expected smtp://HOST:PORT")?;
    // Of a scheme that is not of the web, the parser does not know addresses.
    let web = Url::parse(&format!("http://{host}/")).map_err(|e| format!("url: {e}"))?;
    if email.encryption == Encryption::None && !email.allow_plaintext && !is_loopback_url(&web) {
        let why = "encryption: without it a mail, and the password, can be read on its way; for a server that is not this \
                   machine set allow_plaintext: true as well";
        return Err(why.to_owned());
    }
    let usual = match email.encryption {
        Encryption::StartTls => SUBMISSION,
        Encryption::Tls => SUBMISSIONS,
        Encryption::None => RELAY,
    };
    let bare = host.trim_matches(['[', ']']).to_owned();
    let access = Access::of(&bare, config.way.allow_private);
    Ok(Server { host: bare, port: url.port().unwrap_or(usual), access })
}

fn tls(config: &ReceiverConfig, email: &Email, host: &str) -> Result<Tls, String> {
    let settings = &config.way.tls;
    let name = settings.server_name.as_deref().unwrap_or(host);
    let mut parameters = TlsParameters::builder(name.to_owned());
    if email.encryption == Encryption::None {
        return Ok(Tls::None);
    }
    if let Some(ca) = &settings.ca {
        let wrong = |_| "tls.ca_file: it holds no certificate in PEM".to_owned();
        let certificate = Certificate::from_pem(ca.reveal().as_bytes()).map_err(wrong)?;
        parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    if let Some((certificate, key)) = &settings.identity {
        let wrong = |_| "tls.cert_file and tls.key_file: they do not hold a certificate and its key in PEM".to_owned();
        let identity = Identity::from_pem(certificate.reveal().as_bytes(), key.reveal().as_bytes()).map_err(wrong)?;
        parameters = parameters.identify_with(identity);
    }
    let parameters = parameters.build().map_err(|e| format!("tls: {e}"))?;
    Ok(if email.encryption == Encryption::Tls { Tls::Wrapper(parameters) } else { Tls::Required(parameters) })
}

/// Whether there was no connection at all. The library tells it in words only.
fn is_connection(error: &Error) -> bool {
    error.to_string().starts_with("Connection error")
}

/// 5yz says that the same mail will not succeed, 4yz that it may (RFC 5321, section 4.2.1).
fn judged(error: &Error) -> (Answer, String) {
    let detail = told(error);
    let status = error.status().map(u16::from);
    match status {
        Some(status) if error.is_permanent() => (Answer::Refused { status, detail: detail.clone() }, detail),
        // Answered, or refused by ourselves: the server has taken nothing.
        status => failed(status, detail, status.is_none() && !error.is_client() && !error.is_tls()),
    }
}

fn told(error: &Error) -> String {
    in_one_line(&error.to_string())
}

fn failed(status: Option<u16>, detail: String, doubt: bool) -> (Answer, String) {
    let said = detail.clone();
    (Answer::Failed { status, detail, retry_after: None, doubt }, said)
}
