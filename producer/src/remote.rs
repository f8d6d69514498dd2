//! What is asked of a gateway, and answered as JSON.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use slipstream_runtime::config::without_secrets;

use crate::answer::Answer;
use crate::server::{Credentials, Server, ServerError, cause_of, refusal};

/// Why a gateway did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
#[error("the gateway at {address}: {cause}")]
pub struct RemoteError {
    /// As given, but for what may be secret.
    pub address: String,
    /// Why.
    pub cause: String,
}

/// A gateway that is asked about one thing.
#[derive(Debug, Clone)]
pub(crate) struct GatewayClient {
    server: Server,
    /// What is said of a gateway that does not know the thing: `it knows no tokens`.
    unknown: &'static str,
}

impl GatewayClient {
    /// The gateway at an address such as `http://127.0.0.1:8480`; each request may take so long.
    ///
    /// # Errors
    /// When there is no way to it.
    pub fn at(
        address: &str,
        credentials: &Credentials,
        timeout: Duration,
        unknown: &'static str,
    ) -> Result<Self, RemoteError> {
        let failed = |e: ServerError| RemoteError { address: without_secrets(address), cause: e.to_string() };
        let server = Server::new(address, credentials, timeout).map_err(failed)?;
        Ok(GatewayClient { server, unknown })
    }

    /// Asks without a body.
    pub async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, RemoteError> {
        self.answer(self.server.request(method, path)).await
    }

    /// Asks with a body.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, RemoteError> {
        let body = serde_json::to_vec(body).map_err(|e| self.failed(e.to_string()))?;
        self.answer(self.server.post(path).header(CONTENT_TYPE, "application/json").body(body)).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, RemoteError> {
        let response = request.send().await.map_err(|e| self.failed(cause_of(e)))?;
        let status = response.status();
        let text = response.text().await.map_err(|e| self.failed(cause_of(e)))?;
        if status.is_success() {
            return serde_json::from_str(&text)
                .map_err(|e| self.failed(format!("it answers in a way that this version does not know: {e}")));
        }
        let answer = serde_json::from_str::<Answer>(&text).ok().and_then(|answer| answer.message);
        let cause = match (status, answer) {
            (_, Some(message)) => refusal(status, &message),
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, None) => {
                format!("{}; is it an older version, or no gateway at all?", self.unknown)
            }
            (_, None) => refusal(status, &text.chars().take(200).collect::<String>()),
        };
        Err(self.failed(cause))
    }

    fn failed(&self, cause: String) -> RemoteError {
        RemoteError { address: self.server.shown().to_owned(), cause }
    }
}
