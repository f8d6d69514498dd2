//! Tokens on their way to the log: as records, and through a gateway.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;
use slipstream_log::Outgoing;
use slipstream_schemas::records::{Scope, Token};
use slipstream_schemas::token::TokenJson;
use slipstream_schemas::{Topic, codec};

use crate::remote::GatewayClient;
pub use crate::remote::RemoteError;
use crate::server::Credentials;

/// Time for a request.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The record of a token, keyed by its id: who sends one again replaces it.
pub fn outgoing(token: &Token) -> Outgoing {
    Outgoing {
        topic: Topic::Tokens,
        partition: None,
        key: Some(Bytes::copy_from_slice(token.id.as_bytes())),
        value: Some(Bytes::from(codec::encode(token))),
        headers: Vec::new(),
    }
}

/// Tokens in machine output, and in the response to `GET /v1/tokens`.
#[derive(Debug, Serialize)]
pub struct Listed<'a> {
    /// Oldest first.
    pub tokens: Vec<TokenJson<'a>>,
}

/// A token that was made in machine output, and in the response to `POST /v1/tokens`: the only place that has its text.
#[derive(Serialize)]
pub struct Made<'a> {
    /// Its record.
    #[serde(flatten)]
    pub record: TokenJson<'a>,
    /// Its text: `slp_<id>_<secret>`.
    pub token: &'a str,
}

/// What a token is to be.
#[derive(Debug, Clone, Serialize)]
pub struct NewOne<'a> {
    /// What people call it.
    pub name: &'a str,
    /// What it allows.
    pub scopes: &'a [Scope],
    /// From when on it is refused, RFC 3339.
    pub expires_at: Option<String>,
}

/// The tokens of an installation, through its gateway.
#[derive(Debug, Clone)]
pub struct Tokens {
    gateway: GatewayClient,
}

impl Tokens {
    /// Those behind the gateway at an address such as `http://127.0.0.1:8480`.
    ///
    /// # Errors
    /// When there is no way to it.
    pub fn at(address: &str, credentials: &Credentials) -> Result<Self, RemoteError> {
        Ok(Tokens { gateway: GatewayClient::at(address, credentials, TIMEOUT, "it knows no tokens")? })
    }

    /// All tokens, as JSON: `{"tokens": [...]}`.
    ///
    /// # Errors
    /// When the gateway refuses, or cannot be reached.
    pub async fn list(&self) -> Result<Value, RemoteError> {
        self.gateway.ask(Method::GET, "/v1/tokens").await
    }

    /// Makes one, and returns it with its text as `token`. It is not tried again: that might make another one.
    ///
    /// # Errors
    /// When the gateway refuses, or cannot be reached.
    pub async fn make(&self, wanted: &NewOne<'_>) -> Result<Value, RemoteError> {
        self.gateway.post("/v1/tokens", wanted).await
    }

    /// Revokes the one of an id, and returns it.
    ///
    /// # Errors
    /// When there is none, the gateway refuses, or cannot be reached.
    pub async fn revoke(&self, id: &str) -> Result<Value, RemoteError> {
        self.gateway.ask(Method::DELETE, &format!("/v1/tokens/{id}")).await
    }
}
