//! Silences and acknowledgements through a gateway.

use std::time::Duration;

use reqwest::Method;

use super::{AcknowledgementJson, ListingJson, SilenceJson};
use crate::remote::GatewayClient;
pub use crate::remote::RemoteError;
use crate::server::Credentials;

/// Time for a request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What people say about the alerts of an installation, through its gateway.
#[derive(Debug, Clone)]
pub struct Sayings {
    gateway: GatewayClient,
}

impl Sayings {
    /// Those behind the gateway at an address such as `http://127.0.0.1:8480`.
    ///
    /// # Errors
    /// When there is no way to it.
    pub fn at(address: &str, credentials: &Credentials) -> Result<Self, RemoteError> {
        Ok(Sayings { gateway: GatewayClient::at(address, credentials, TIMEOUT, "it takes no silences")? })
    }

    /// Adds a silence, or replaces the one of its id, and returns it.
    ///
    /// # Errors
    /// When the gateway refuses, or cannot be reached.
    pub async fn silence(&self, silence: &SilenceJson) -> Result<SilenceJson, RemoteError> {
        self.gateway.post("/v1/silences", silence).await
    }

    /// All silences, and where each stands.
    ///
    /// # Errors
    /// When the gateway refuses, or cannot be reached.
    pub async fn list(&self) -> Result<ListingJson, RemoteError> {
        self.gateway.ask(Method::GET, "/v1/silences").await
    }

    /// Ends a silence now, and returns it.
    ///
    /// # Errors
    /// When there is none, the gateway refuses, or cannot be reached.
    pub async fn expire(&self, id: &str) -> Result<SilenceJson, RemoteError> {
        self.gateway.ask(Method::DELETE, &format!("/v1/silences/{id}")).await
    }

    /// Says who looks after an alert.
    ///
    /// # Errors
    /// When the gateway refuses, or cannot be reached.
    pub async fn acknowledge(&self, of: &AcknowledgementJson) -> Result<AcknowledgementJson, RemoteError> {
        self.gateway.post("/v1/acknowledgements", of).await
    }

    /// Nobody looks after an episode of an alert any more, without one the newest that somebody looks after; returns who did.
    ///
    /// # Errors
    /// When nobody does, the gateway refuses, or cannot be reached.
    pub async fn withdraw(&self, alert_id: &str, episode: Option<i64>) -> Result<AcknowledgementJson, RemoteError> {
        let episode = episode.map_or_else(String::new, |episode| format!("/{episode}"));
        self.gateway.ask(Method::DELETE, &format!("/v1/acknowledgements/{alert_id}{episode}")).await
    }
}
