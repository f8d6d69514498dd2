//! Silences and acknowledgements through a gateway.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{AcknowledgementJson, SilenceJson};
use crate::answer::Answer;
use crate::server::{Credentials, Server, cause_of, refusal};
pub use crate::tokens::RemoteError;

/// Time for a request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What people say about the alerts of an installation, through its gateway.
#[derive(Debug, Clone)]
pub struct Sayings {
    server: Server,
}

impl Sayings {
    /// Those behind the gateway at an address such as `http://127.0.0.1:8480`.
    ///
    /// # Errors
    /// When there is no way to it.
    pub fn at(address: &str, credentials: &Credentials) -> Result<Self, RemoteError> {
        let server = Server::new(address, credentials, TIMEOUT);
        let shown = slipstream_runtime::config::without_secrets(address);
        let server = server.map_err(|e| RemoteError { address: shown, cause: e.to_string() })?;
        Ok(Sayings { server })
    }

    /// Adds a silence, or replaces the one of its id, and returns it.
    ///
    /// # Errors
    /// When the gateway refuses, or cannot be reached.
    pub async fn silence(&self, silence: &SilenceJson) -> Result<SilenceJson, RemoteError> {
        self.post("/v1/silences", silence).await
    }

    /// Ends a silence now, and returns it.
    ///
    /// # Errors
    /// When there is none, the gateway refuses, or cannot be reached.
    pub async fn expire(&self, id: &str) -> Result<SilenceJson, RemoteError> {
        self.ask(self.server.request(Method::DELETE, &format!("/v1/silences/{id}"))).await
    }

    /// Says who looks after an alert.
    ///
    /// # Errors
    /// When the gateway refuses, or cannot be reached.
    pub async fn acknowledge(&self, of: &AcknowledgementJson) -> Result<AcknowledgementJson, RemoteError> {
        self.post("/v1/acknowledgements", of).await
    }

    /// Nobody looks after an alert any more; returns who did.
    ///
    /// # Errors
    /// When nobody does, the gateway refuses, or cannot be reached.
    pub async fn withdraw(&self, alert_id: &str) -> Result<AcknowledgementJson, RemoteError> {
        self.ask(self.server.request(Method::DELETE, &format!("/v1/acknowledgements/{alert_id}"))).await
    }

    async fn post<T: Serialize + DeserializeOwned>(&self, path: &str, body: &T) -> Result<T, RemoteError> {
        let body = serde_json::to_vec(body).map_err(|e| self.failed(e.to_string()))?;
        self.ask(self.server.post(path).header(CONTENT_TYPE, "application/json").body(body)).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, RemoteError> {
        let response = request.send().await.map_err(|e| self.failed(cause_of(e)))?;
        let status = response.status();
        let text = response.text().await.map_err(|e| self.failed(cause_of(e)))?;
        if status.is_success() {
            let read = serde_json::from_str(&text);
            return read.map_err(|e| self.failed(format!("it answers in a way that this version does not know: {e}")));
        }
        let answer = serde_json::from_str::<Answer>(&text).ok().and_then(|answer| answer.message);
        let cause = match (status, answer) {
            (_, Some(message)) => refusal(status, &message),
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, None) => {
                "it takes no silences; is it an older version, or no gateway at all?".to_owned()
            }
            (_, None) => refusal(status, &text.chars().take(200).collect::<String>()),
        };
        Err(self.failed(cause))
    }

    fn failed(&self, cause: String) -> RemoteError {
        RemoteError { address: self.server.shown().to_owned(), cause }
    }
}
