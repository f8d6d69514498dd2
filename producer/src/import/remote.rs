//! The way to a gateway: a file's head is asked for, then step after step is sent, each until its fate is known.

use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use slipstream_log::Outgoing;
use slipstream_runtime::Shutdown;
use slipstream_runtime::backoff::{Backoff, Retry};
use slipstream_runtime::config::without_secrets;
use slipstream_schemas::records::ImportPosition;

use super::error::ImportError;
use super::wire::{Found, Stands, body};
use crate::server::{Credentials, Server, TRUST, cause_of, distrusts, refusal};

/// Time for one attempt.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Attempts that fail one behind the other before an import gives up: several minutes.
const ATTEMPTS: u32 = 20;

/// A gateway that takes imports.
#[derive(Debug, Clone)]
pub struct Remote {
    server: Server,
}

const FIND: &str = "/v1/imports/find";
const COMMIT: &str = "/v1/imports";

/// What came of an attempt.
enum Attempt<T> {
    Answer(T),
    /// There is no connection; it may work later.
    Unreachable(String),
    /// It may work later.
    Later(String),
    Refused(String),
}

impl Remote {
    /// A gateway at an address such as `http://127.0.0.1:8480`.
    ///
    /// # Errors
    /// When there is no way to it.
    pub fn new(address: &str, credentials: &Credentials) -> Result<Self, ImportError> {
        let wrong = |cause: String| ImportError::Gateway { address: without_secrets(address), cause };
        let server = Server::new(address, credentials, TIMEOUT).map_err(|e| wrong(e.to_string()))?;
        Ok(Remote { server })
    }

    /// The positions of files that begin with `head`. `None` if it was shut down before an answer came.
    pub(super) async fn find(
        &self,
        head: &[u8],
        shutdown: &Shutdown,
    ) -> Result<Option<Vec<ImportPosition>>, ImportError> {
        let head = Bytes::copy_from_slice(head);
        let attempt = || self.post::<Found>(FIND, head.clone());
        let found = self.until_answered(attempt, shutdown).await?;
        Ok(found.map(|(_, found)| found.positions))
    }

    /// Sends a step. The same step may be sent again: the gateway knows by the position whether it has it.
    pub(super) async fn commit(
        &self,
        records: &[Outgoing],
        from: &ImportPosition,
        to: &ImportPosition,
        shutdown: &Shutdown,
    ) -> Result<bool, ImportError> {
        let body = Bytes::from(body(records, from, to)?);
        let attempt = || self.post::<Stands>(COMMIT, body.clone());
        match self.until_answered(attempt, shutdown).await? {
            None => Ok(false),
            Some((StatusCode::OK, _)) => Ok(true),
            // An attempt whose answer was lost had succeeded.
            Some((_, stands)) if stands.position.as_ref() == Some(to) => Ok(true),
            Some(_) => Err(ImportError::TakenOver),
        }
    }

    async fn until_answered<T, F>(
        &self,
        attempt: impl Fn() -> F,
        shutdown: &Shutdown,
    ) -> Result<Option<(StatusCode, T)>, ImportError>
    where
        F: Future<Output = Attempt<(StatusCode, T)>>,
    {
        let mut retry = Retry::new(Backoff::PEER, rand::random());
        let failed = |cause| ImportError::Gateway { address: self.server.shown().to_owned(), cause };
        loop {
            let (what, why) = tokio::select! {
                () = shutdown.cancelled() => return Ok(None),
                attempt = attempt() => match attempt {
                    Attempt::Answer(answer) => return Ok(Some(answer)),
                    Attempt::Refused(why) => return Err(failed(why)),
                    Attempt::Unreachable(why) => ("the gateway cannot be reached", why),
                    Attempt::Later(why) => ("the gateway did not accept this request", why),
                },
            };
            let pause = retry.failed();
            if retry.failures() >= ATTEMPTS {
                return Err(failed(format!("{what}: {why}; tried {ATTEMPTS} times")));
            }
            tracing::warn!(gateway = self.server.shown(), %why, ?pause, "{what}; retrying");
            tokio::select! {
                () = shutdown.cancelled() => return Ok(None),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: Bytes) -> Attempt<(StatusCode, T)> {
        let response = match self.server.post(path).body(body).send().await {
            Ok(response) => response,
            Err(error) if distrusts(&error) => return Attempt::Refused(cause_of(error) + TRUST),
            Err(error) if error.is_connect() => return Attempt::Unreachable(cause_of(error)),
            Err(error) => return Attempt::Later(cause_of(error)),
        };
        let status = response.status();
        let text = match response.text().await {
            Ok(text) => text,
            Err(error) => return Attempt::Later(cause_of(error)),
        };
        match status {
            StatusCode::OK | StatusCode::CONFLICT => match serde_json::from_str(&text) {
                Ok(answer) => Attempt::Answer((status, answer)),
                Err(error) => Attempt::Refused(format!("it answers in a way that this version does not know: {error}")),
            },
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                Attempt::Refused("it takes no imports; is it an older version, or no gateway at all?".to_owned())
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Attempt::Later(said(status, &text)),
            status if status.is_server_error() => Attempt::Later(said(status, &text)),
            status => Attempt::Refused(said(status, &text)),
        }
    }
}

fn said(status: StatusCode, text: &str) -> String {
    let message = serde_json::from_str::<Stands>(text).ok().and_then(|stands| stands.message);
    let message = message.unwrap_or_else(|| text.chars().take(200).collect());
    format!("it answers {}", refusal(status, &message))
}
