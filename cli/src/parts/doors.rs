//! The doors of a process: who is let in to its servers for clients, and by which certificate it is known.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use slipstream_log::SharedLog;
use slipstream_role::tokens::Tokens;
use slipstream_runtime::access::Access;
use slipstream_runtime::config::{Config, Problem};
use slipstream_runtime::http::{Listening, Tls};
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
        if address.ip().to_canonical().is_loopback() || self.access().needs_token() {
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
        supervisor.task(Stage::Serve, "tokens", self.tokens.follow(self.log, tokens));
        if let Some(tls) = self.tls {
            supervisor.task(Stage::Serve, "certificate", tls.follow(certificate));
        }
    }
}

fn load(config: &Config) -> Result<Option<Tls>> {
    let files = config.tls.as_ref();
    Ok(files.map(|tls| Tls::load(&tls.certificate, &tls.key)).transpose()?)
}

/// What is wrong with the certificate's files. Only who serves must be able to read them.
pub fn mistake(config: &Config) -> Option<Problem> {
    let place = config.tls.as_ref()?.place.clone();
    let error = load(config).err()?;
    Some(Problem { place, message: format!("`tls`: {error}") })
}
