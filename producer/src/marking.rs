//! Markers on their way to the log: as records, and through a gateway.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode};
use slipstream_log::Outgoing;
use slipstream_runtime::backoff::{Backoff, Retry};
use slipstream_runtime::config::without_secrets;
use slipstream_schemas::marker::MarkerJson;
use slipstream_schemas::records::Marker;
use slipstream_schemas::{Topic, codec};

use crate::answer::Answer;
use crate::server::{Credentials, Server, TRUST, cause_of, distrusts, refusal};

/// Time for one attempt.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts before it is given up, a few seconds after the first: somebody, or a deployment, is waiting.
const ATTEMPTS: u32 = 6;

/// An id for a marker that has none: a UUIDv7.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The record of a marker, keyed by its id: who sends one again replaces it.
pub fn outgoing(marker: &Marker) -> Outgoing {
    Outgoing {
        topic: Topic::Markers,
        partition: None,
        key: Some(Bytes::copy_from_slice(marker.id.as_bytes())),
        value: Some(Bytes::from(codec::encode(marker))),
        headers: Vec::new(),
    }
}

/// Why a gateway did not take a marker.
#[derive(Debug, thiserror::Error)]
pub enum MarkingError {
    /// The client could not be set up.
    #[error("setting up the way to the gateway at {address}: {cause}")]
    Setup {
        /// As given, but for what may be secret.
        address: String,
        /// What is wrong.
        cause: String,
    },
    /// It would refuse the marker again.
    #[error("the gateway at {address} refused the marker: {cause}")]
    Refused {
        /// As given, but for what may be secret.
        address: String,
        /// Its message.
        cause: String,
    },
    /// No attempt succeeded. The marker may be in the log: with the same id it can be sent again.
    #[error("the gateway at {address}: {cause}; tried {ATTEMPTS} times; run it again with --id {id}")]
    GivenUp {
        /// As given, but for what may be secret.
        address: String,
        /// The marker's id.
        id: String,
        /// Why the last attempt failed.
        cause: String,
    },
}

/// What came of an attempt that was no success.
enum Failed {
    Later(String),
    ForGood(String),
    /// There is no way to it.
    Way(String),
}

/// Sends a marker to the gateway at an address such as `http://127.0.0.1:8480`; again while it cannot be reached or is busy.
///
/// # Errors
/// When there is no way to it, or the gateway refuses the marker or takes nothing for some seconds.
pub async fn send(address: &str, credentials: &Credentials, marker: &Marker) -> Result<(), MarkingError> {
    let shown = without_secrets(address);
    let set_up = |cause| MarkingError::Setup { address: shown.clone(), cause };
    let server = Server::new(address, credentials, TIMEOUT).map_err(|e| set_up(e.to_string()))?;
    let body = serde_json::to_vec(&MarkerJson::from(marker)).map_err(|e| set_up(e.to_string()))?;
    let mut retry = Retry::new(Backoff::PEER, rand::random());
    loop {
        let request = server.post("/v1/markers").header(CONTENT_TYPE, "application/json").body(body.clone());
        let cause = match attempt(request).await {
            Ok(()) => return Ok(()),
            Err(Failed::ForGood(cause)) => return Err(MarkingError::Refused { address: shown, cause }),
            Err(Failed::Way(cause)) => return Err(set_up(cause)),
            Err(Failed::Later(cause)) => cause,
        };
        let pause = retry.failed();
        if retry.failures() >= ATTEMPTS {
            return Err(MarkingError::GivenUp { address: shown, id: marker.id.clone(), cause });
        }
        tracing::debug!(gateway = shown, %cause, ?pause, "sending a marker again");
        tokio::time::sleep(pause).await;
    }
}

async fn attempt(request: reqwest::RequestBuilder) -> Result<(), Failed> {
    let failed = |e| match distrusts(&e) {
        true => Failed::Way(cause_of(e) + TRUST),
        false => Failed::Later(cause_of(e)),
    };
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            let cause = "it takes no markers; is it an older version, or no gateway at all?";
            Err(Failed::ForGood(cause.to_owned()))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE => {
            Err(Failed::Later(said(response).await))
        }
        _ => Err(Failed::ForGood(said(response).await)),
    }
}

/// What an unsuccessful response says, for people: of the marker, else of the request.
async fn said(response: Response) -> String {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    let answer = serde_json::from_str::<Answer>(&text).unwrap_or_default();
    let of_marker = answer.errors.into_iter().next().map(|error| error.message);
    let message = of_marker.or(answer.message).unwrap_or_else(|| text.chars().take(200).collect());
    refusal(status, &message)
}
