//! A client of the gateway for Rust: sends events in batches, and again while the gateway or the way to it is unwell.
//! Events keep their event_id over repetitions, so a redelivery is recognised downstream.
//!
//! A gateway that asks for a token gets it by [`Client::with_credentials`]. TLS needs a crypto provider for the process; `main` installs one, once:
//! `rustls::crypto::ring::default_provider().install_default()`.
//!
//! ```
//! use slipstream_producer::client::Client;
//! use slipstream_schemas::{EventTime, RequestEvent};
//! # use slipstream_log::memory::{MemoryLog, MemoryOptions};
//! # use slipstream_producer::gateway;
//! # use slipstream_runtime::{Health, Shutdown, config};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let access = slipstream_runtime::access::Access::new(config::RateLimits::default());
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = format!("http://{}", listener.local_addr()?);
//! # let log = MemoryLog::new(MemoryOptions::default());
//! # let limits = config::Gateway::default();
//! # let gateway = gateway::serve(listener, log, access, limits, Health::default(), Shutdown::new());
//! rustls::crypto::ring::default_provider().install_default().expect("the first one");
//! let event = RequestEvent {
//!     event_id: "01a1fb21-f56c-72d5-8e9d-e49fa1347594".to_owned(), // yours, and kept when you send again
//!     time: EventTime(1_769_851_800_000_000),                     // microseconds
//!     service: "payment".to_owned(),
//!     environment: "production".to_owned(),
//!     endpoint: "/orders/{id}".to_owned(),
//!     method: "POST".to_owned(),
//!     status_code: 201,
//!     latency_ms: Some(12.5),
//!     weight: 1,
//!     trace_id: None,
//!     user_ref: None,
//!     attributes: Default::default(),
//! };
//! let wrong = RequestEvent { status_code: 700, ..event.clone() };
//!
//! let client = Client::new(&address)?; // such as http://127.0.0.1:8480
//! # let sent = async {
//! let answer = client.send(&[event, wrong]).await?;
//! assert_eq!((answer.inserted, answer.rejected), (1, 1));
//! assert_eq!(answer.errors[0].message, "status_code `700`: must be 100 to 599");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # };
//! # tokio::select! { sent = sent => sent?, ended = gateway => ended? }
//! # Ok(())
//! # }
//! ```

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Serialize;
use slipstream_runtime::backoff::{Backoff, Retry};
use slipstream_runtime::config::without_secrets;
use slipstream_schemas::{RequestEvent, cause::chain};

use crate::answer::Answer;
use crate::server::{Credentials, Server, ServerError, refusal};

/// How a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientOptions {
    /// Events of one request at most.
    pub batch: usize,
    /// Time for one attempt.
    pub timeout: Duration,
    /// Attempts for one request, the first included.
    pub attempts: u32,
    /// Waits between them, if the gateway does not send Retry-After.
    pub backoff: Backoff,
    /// The longest wait, whatever Retry-After says.
    pub max_wait: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            batch: 5_000,
            timeout: Duration::from_secs(30),
            attempts: 8,
            backoff: Backoff::PEER,
            max_wait: Duration::from_secs(30),
        }
    }
}

/// Why events could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no way to the gateway.
    #[error("the gateway's address {address:?}: {cause}")]
    Server {
        /// As given, but for what may be secret.
        address: String,
        /// What is wrong.
        #[source]
        cause: ServerError,
    },
    /// The gateway refused a request, and would refuse it again.
    #[error("the gateway refused {events} events with {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Events of the request.
        events: usize,
        /// Its message.
        message: String,
    },
    /// No attempt succeeded. Some of the events may be in the log: send them again with the same event_ids.
    #[error(
        "sending {events} events failed {attempts} times, the last time with: {last}; send them again with the same ids"
    )]
    GivenUp {
        /// Events of the request.
        events: usize,
        /// Attempts made.
        attempts: u32,
        /// Why the last one failed.
        last: String,
    },
}

/// A client of one gateway. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    server: Server,
    options: ClientOptions,
}

#[derive(Serialize)]
struct Body<'a> {
    events: &'a [RequestEvent],
}

/// Why an attempt failed.
enum Attempt {
    /// For good.
    Refused(ClientError),
    /// It may work later, after this long if the gateway sent Retry-After.
    Later { why: String, after: Option<Duration> },
}

impl Client {
    /// A client of the gateway at `address`, such as `http://127.0.0.1:8480`.
    ///
    /// # Errors
    /// When there is no way to it.
    pub fn new(address: &str) -> Result<Self, ClientError> {
        Client::with_options(address, ClientOptions::default())
    }

    /// As [`Client::new`], with options.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_options(address: &str, options: ClientOptions) -> Result<Self, ClientError> {
        Client::with_credentials(address, options, &Credentials::default())
    }

    /// As [`Client::with_options`], for a gateway that asks for a token, or whose certificate the system does not trust.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_credentials(
        address: &str,
        options: ClientOptions,
        credentials: &Credentials,
    ) -> Result<Self, ClientError> {
        let wrong = |cause| ClientError::Server { address: without_secrets(address), cause };
        Ok(Client { server: Server::new(address, credentials, options.timeout).map_err(wrong)?, options })
    }

    /// Sends events. The response covers all of them, with indices into `events`. An invalid event does not affect the
    /// others.
    ///
    /// # Errors
    /// When a batch is refused as a whole or could not be sent; earlier batches are in the log by then.
    pub async fn send(&self, events: &[RequestEvent]) -> Result<Answer, ClientError> {
        let mut whole = Answer::default();
        for (number, batch) in events.chunks(self.options.batch.max(1)).enumerate() {
            let answer = self.send_batch(batch).await?;
            let first = number * self.options.batch.max(1);
            whole.inserted += answer.inserted;
            whole.rejected += answer.rejected;
            whole.errors.extend(answer.errors.into_iter().map(|mut e| {
                e.index += first;
                e
            }));
            whole.warnings.extend(answer.warnings.into_iter().map(|mut w| {
                w.first += first;
                w
            }));
        }
        whole.errors_total = (whole.rejected > whole.errors.len() as u64).then_some(whole.rejected);
        Ok(whole)
    }

    async fn send_batch(&self, batch: &[RequestEvent]) -> Result<Answer, ClientError> {
        let mut retry = Retry::new(self.options.backoff, rand::random());
        loop {
            let (why, after) = match self.attempt(batch).await {
                Ok(answer) => return Ok(answer),
                Err(Attempt::Refused(error)) => return Err(error),
                Err(Attempt::Later { why, after }) => (why, after),
            };
            let wait = retry.failed();
            if retry.failures() >= self.options.attempts {
                return Err(ClientError::GivenUp { events: batch.len(), attempts: retry.failures(), last: why });
            }
            // Retry-After is the minimum; the backoff on top spreads clients that were refused at the same time.
            let wait = after.map_or(wait, |after| after + wait.min(after)).min(self.options.max_wait);
            tracing::debug!(%why, ?wait, events = batch.len(), "sending again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, batch: &[RequestEvent]) -> Result<Answer, Attempt> {
        let later = |e: reqwest::Error| Attempt::Later { why: chain(&e), after: None };
        let request = self.server.post("/v1/events").header(CONTENT_TYPE, "application/json");
        let response = request.json(&Body { events: batch }).send().await.map_err(later)?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT || status.is_server_error()
        {
            let after = retry_after(&response);
            return Err(Attempt::Later { why: format!("status {status}: {}", said(response).await), after });
        }
        if status.is_success() || status == StatusCode::UNPROCESSABLE_ENTITY {
            return response.json().await.map_err(later);
        }
        let message = refusal(status, &said(response).await);
        Err(Attempt::Refused(ClientError::Refused { status: status.as_u16(), events: batch.len(), message }))
    }
}

/// Seconds after which to retry; the gateway never sends the form with a date.
fn retry_after(response: &Response) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The message of an unsuccessful response, for people.
async fn said(response: Response) -> String {
    let text = response.text().await.unwrap_or_else(|e| format!("(no body: {e})"));
    let message = serde_json::from_str::<Answer>(&text).ok().and_then(|answer| answer.message);
    message.unwrap_or_else(|| text.chars().take(200).collect())
}
