//! The doors of a process: who is let in to its servers for clients, and by which certificate it is known.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, bail};
use slipstream_log::SharedLog;
use slipstream_role::tokens::Tokens;
use slipstream_runtime::access::Access;
use slipstream_runtime::config::{Config, Problem, Role};
use slipstream_runtime::event::Event;
use slipstream_runtime::http::{Listening, Tls};
use slipstream_runtime::loopback::is_loopback;
use slipstream_runtime::stage::Stage;
use slipstream_runtime::supervise::Supervisor;
use tokio::net::TcpListener;

use super::OpenLog;
use crate::args::Place;

/// Tokens and certificate, before they are followed.
pub struct Doors {
    log: SharedLog,
    tokens: Tokens,
    tls: Option<Tls>,
}

impl Doors {
    /// Reads the tokens and the certificate.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub async fn open(config: &Config, log: &OpenLog) -> Result<Doors> {
        let tokens = Tokens::read(log.patient().as_ref(), config.rate_limits).await.context("reading the tokens")?;
        Ok(Doors { log: log.shared(), tokens, tls: load(config)? })
    }

    /// Whom they let in.
    pub fn access(&self) -> Access {
        self.tokens.access()
    }

    /// Whether clients speak TLS.
    pub fn with_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// A listener behind them.
    pub fn listening(&self, listener: TcpListener) -> Listening {
        Listening::with(listener, self.tls.clone())
    }

    /// Refuses an address that other machines reach, while anybody who reaches it may do everything.
    ///
    /// # Errors
    /// When the installation has no tokens and the address is not a loopback one: with what to do.
    pub fn check(&self, address: SocketAddr, flag: &str, place: &Place) -> Result<()> {
        if may_serve(address.ip(), self.access().needs_token()) {
            if self.tls.is_none() && !is_loopback(address.ip()) {
                WithoutTls { flag, address }.emit();
            }
            return Ok(());
        }
        bail!(
            "{flag} {address}: other machines may reach this address, and the installation has no tokens yet; without, only \
             loopback is served. Make one, and start again:\n  slipstream token create --name admin --scopes \
             ingest,read,operate{}",
            place.flags()
        );
    }

    /// Keeps up with both, for as long as there are servers.
    pub fn follow(self, supervisor: &mut Supervisor) {
        let shutdown = || supervisor.token(Stage::Serve);
        let (tokens, certificate) = (shutdown(), shutdown());
        let health = supervisor.health();
        supervisor.task(Stage::Serve, "tokens", self.tokens.follow(self.log, health, tokens));
        if let Some(tls) = self.tls {
            supervisor.task(Stage::Serve, "certificate", tls.follow(certificate));
        }
    }
}

/// Whether an address may be served: by whom it is reached is known, or each request shows who sends it.
fn may_serve(address: IpAddr, needs_token: bool) -> bool {
    needs_token || is_loopback(address)
}

/// Other machines may send tokens to a server that does not speak TLS.
struct WithoutTls<'a> {
    flag: &'a str,
    address: SocketAddr,
}

impl Event for WithoutTls<'_> {
    fn emit(self) {
        let WithoutTls { flag, address } = self;
        tracing::warn!(
            "{flag} {address}: without `tls`, tokens can be read on their way; set tls.certificate and tls.key, unless a proxy in \
             front speaks TLS"
        );
    }
}

fn load(config: &Config) -> Result<Option<Tls>> {
    let files = config.tls.as_ref();
    Ok(files.map(|tls| Tls::load(&tls.certificate, &tls.key)).transpose()?)
}

/// What is wrong with the certificate's files. Only who serves must be able to read them.
pub fn mistake(config: &Config) -> Option<Problem> {
    if ![Role::Gateway, Role::Api].iter().any(|role| config.roles.contains(role)) {
        return None;
    }
    let place = config.tls.as_ref()?.place.clone();
    let error = load(config).err()?;
    Some(Problem { place, message: format!("`tls`: {error}") })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use slipstream_runtime::config::Overrides;

    use super::*;

    #[test]
    fn without_tokens_only_loopback_may_be_served() {
        for (address, without) in [
            ("127.0.0.1", true),
            ("127.1.2.3", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", false),
            ("::", false),
            ("::ffff:0.0.0.0", false),
            ("::ffff:192.0.2.1", false),
            ("192.0.2.1", false),
            ("10.0.0.1", false),
            ("2001:db8::1", false),
            ("fe80::1", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!((may_serve(address, false), may_serve(address, true)), (without, true), "{address}");
        }
    }

    #[test]
    fn only_who_serves_has_to_read_the_key() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("slipstream.yaml");
        std::fs::write(&file, "tls: {certificate: nothing.crt, key: nothing.key}\n").unwrap();
        for (roles, expected) in
            [("sink", false), ("tally,burn,alerter,notifier", false), ("gateway", true), ("sink,api", true)]
        {
            let overrides = Overrides { roles: Some(roles.to_owned()), ..Overrides::default() };
            let config = Config::load(Some(&file), [], overrides).unwrap();
            assert_eq!(mistake(&config).is_some(), expected, "{roles}");
        }
    }
}
