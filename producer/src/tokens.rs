//! Tokens on their way to the log: as records, and through a gateway.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Serialize;
use serde_json::Value;
use slipstream_log::Outgoing;
use slipstream_schemas::records::{Scope, Token};
use slipstream_schemas::token::TokenJson;
use slipstream_schemas::{Topic, codec};

use crate::answer::Answer;
use crate::server::{Credentials, Server, cause_of, refusal};

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

/// Why a gateway did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
#[error("the gateway at {address}: {cause}")]
pub struct RemoteError {
    /// As given, but for what may be secret.
    pub address: String,
    /// Why.
    pub cause: String,
}

/// The tokens of an installation, through its gateway.
#[derive(Debug, Clone)]
pub struct Tokens {
    server: Server,
}

impl Tokens {
    /// Those behind the gateway at an address such as `http://127.0.0.1:8480`.
    ///
    /// # Errors
    /// When there is no way to it.
    pub fn at(address: &str, credentials: &Credentials) -> Result<Self, RemoteError> {
        let server = Server::new(address, credentials, TIMEOUT);
        let shown = slipstream_runtime::config::without_secrets(address);
        let server = server.map_err(|e| RemoteError { address: shown, cause: e.to_string() })?;
        Ok(Tokens { server })
    }

    /// All tokens, as JSON: `{"tokens": [...]}`.
    ///
    /// # Errors
    /// When the gateway refuses, or cannot be reached.
    pub async fn list(&self) -> Result<Value, RemoteError> {
        self.ask(self.server.request(Method::GET, "/v1/tokens")).await
    }

    /// Makes one, and returns it with its text as `token`. It is not tried again: that might make another one.
    ///
    /// # Errors
    /// When the gateway refuses, or cannot be reached.
    pub async fn make(&self, wanted: &NewOne<'_>) -> Result<Value, RemoteError> {
        let body = serde_json::to_vec(wanted).map_err(|e| self.failed(e.to_string()))?;
        self.ask(self.server.post("/v1/tokens").header(CONTENT_TYPE, "application/json").body(body)).await
    }

    /// Revokes the one of an id, and returns it.
    ///
    /// # Errors
    /// When there is none, the gateway refuses, or cannot be reached.
    pub async fn revoke(&self, id: &str) -> Result<Value, RemoteError> {
        self.ask(self.server.request(Method::DELETE, &format!("/v1/tokens/{id}"))).await
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Value, RemoteError> {
        let response = request.send().await.map_err(|e| self.failed(cause_of(e)))?;
        let status = response.status();
        let text = response.text().await.map_err(|e| self.failed(cause_of(e)))?;
        if status.is_success() {
            return serde_json::from_str(&text)
                .map_err(|e| self.failed(format!("it answers in a way that this version does not know: {e}")));
        }
        let answer = serde_json::from_str::<Answer>(&text).ok().and_then(|answer| answer.message);
        match (status, answer) {
            (_, Some(message)) => Err(self.failed(refusal(status, &message))),
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, None) => {
                Err(self.failed("it knows no tokens; is it an older version, or no gateway at all?".to_owned()))
            }
            (_, None) => Err(self.failed(refusal(status, &text.chars().take(200).collect::<String>()))),
        }
    }

    fn failed(&self, cause: String) -> RemoteError {
        RemoteError { address: self.server.shown().to_owned(), cause }
    }
}
