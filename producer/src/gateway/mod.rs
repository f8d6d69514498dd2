//! The gateway: events over HTTP into the log.
//!
//! `POST /v1/events` takes one event, a list, `{"events": [...]}` or one event per line, plain or gzip. It answers when
//! the log has the events (L1), with what was inserted and an error for each event that is wrong; with `?strict=true` one
//! wrong event keeps all out. The shape and the statuses are those of [`crate::answer::Answer`]. An event without
//! event_id gets a UUIDv7, told in `ids`; a sender that repeats a request should give its own, or the repetition is not
//! recognised. Every answer carries `x-request-id`, the sender's own if it sent one.
//!
//! Nothing here queues: bodies that are being worked on are bounded in bytes, and whoever comes beyond that is told at
//! once to come again. All requests of a moment share the log's group commit.

mod body;
mod budget;
mod events;
mod form;
mod imports;
mod intake;
mod refusal;
mod request;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use slipstream_log::{LogError, SharedLog};
use slipstream_runtime::event::Event;
use slipstream_runtime::http::Limits as ConnectionLimits;
use slipstream_runtime::{Health, Shutdown, config, health, http};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::answer::Answer;
use body::Received;
use budget::Budget;
use events::{Answered, LogFailed, Unpacked};
use intake::Intake;
use refusal::Refusal;
use request::{REQUEST_ID, Wanted, expects, request_id};

/// The gateway's name on the board of health.
const ROLE: &str = "gateway";

/// A body that is larger than this, or packed, is worked on by a thread that may block.
const INLINE_BYTES: usize = 128 << 10;

/// Room for what unpacking reads ahead of its limit.
const READ_AHEAD: usize = 128 << 10;

/// What a gateway takes; see [`config::Gateway`] for what each means.
pub type Limits = config::Gateway;

/// Why a gateway ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The log is broken.
    #[error("publishing events that came over HTTP: {0}")]
    Log(LogError),
}

/// What all requests share.
struct Gateway {
    log: SharedLog,
    limits: Limits,
    budget: Budget,
    /// The log's fatal error, and the bell that ends the server because of it.
    broken: Mutex<Option<LogError>>,
    stop: Shutdown,
}

/// Serves on `listener` until `shutdown`; every request that was begun is answered.
///
/// # Errors
/// When the log is broken for good.
pub async fn serve(
    listener: TcpListener,
    log: SharedLog,
    limits: Limits,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), GatewayError> {
    // One body of the largest size always fits, packed and unpacked, or its sender would come again for ever.
    let room = limits.max_in_flight.max(2 * limits.max_body + READ_AHEAD);
    let stop = shutdown.child_token();
    let budget = Budget::new(room);
    let gateway = Arc::new(Gateway { log, limits, budget, broken: Mutex::default(), stop: stop.clone() });
    let connections = ConnectionLimits { connections: limits.max_connections, header_timeout: limits.read_timeout };
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "taking events");
    }
    health.set(ROLE, health::State::Ready);
    let imports = imports::router(gateway.log.clone(), limits, stop.clone());
    http::serve(listener, router(gateway.clone()).merge(imports), connections, stop).await;
    match gateway.broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) => Err(GatewayError::Log(error)),
        None => Ok(()),
    }
}

fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/", get(async || GREETING))
        .route("/v1/events", post(take))
        .fallback(async || (StatusCode::NOT_FOUND, GREETING))
        .with_state(gateway)
}

const GREETING: &str = "This is Slipstream's gateway. POST events to /v1/events: one JSON object, a list, \
{\"events\": [...]} or one object per line (application/x-ndjson), plain or gzip; ?strict=true for all or nothing.\n";

/// `POST /v1/events`
async fn take(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let (status, answer, retry_after, code) = match gateway.take(request, &id).await {
        Ok(answer) => {
            let status = if answer.error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
            let code = if answer.error.is_some() { "rejected" } else { "ok" };
            (status, answer, None, code)
        }
        Err(refusal) => (refusal.status(), refusal.answer(), refusal.retry_after(), refusal.code()),
    };
    let (inserted, rejected) = (answer.inserted, answer.rejected);
    let (took, in_flight) = (begun.elapsed(), gateway.budget.in_use());
    Answered { answer: code, request_id: &id, inserted, rejected, took, in_flight }.emit();
    respond(status, &answer, retry_after, &id)
}

fn respond(status: StatusCode, answer: &Answer, retry_after: Option<u32>, id: &str) -> Response {
    let mut response = (status, axum::Json(answer)).into_response();
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, identity"));
    }
    response
}

impl Gateway {
    async fn take(&self, request: Request, id: &str) -> Result<Answer, Refusal> {
        let (head, body) = request.into_parts();
        let wanted = match Wanted::of(&head) {
            Ok(wanted) => wanted,
            Err(refusal) => {
                body::linger(body, expects(&head)).await;
                return Err(refusal);
            }
        };
        let Limits { max_body, read_timeout, .. } = self.limits;
        let received = body::receive(body, &wanted, max_body, read_timeout, &self.budget).await?;
        let inline = received.bytes.len() <= INLINE_BYTES && wanted.coding == request::Coding::Plain;
        let (limits, budget) = (self.limits, self.budget.clone());
        let work = move || work(received, wanted, limits, &budget);
        let worked = if inline {
            work()
        } else {
            tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(Refusal::Mistake(e.to_string())))
        };
        let Worked { intake, room } = worked?;
        let answer = self.publish(intake, wanted.strict, id).await;
        drop(room);
        answer
    }

    /// L1: the answer comes after the log has the events.
    async fn publish(&self, intake: Intake, strict: bool, id: &str) -> Result<Answer, Refusal> {
        let Intake { records, errors, ids } = intake;
        let rejected = errors.len() as u64;
        if !errors.is_empty() && (strict || records.is_empty()) {
            let message = match strict {
                true => "nothing was written: strict was asked for, and some events are wrong",
                false => "nothing was written: every event is wrong",
            };
            let (error, message) = (Some("rejected".to_owned()), Some(message.to_owned()));
            return Ok(Answer { rejected, errors, error, message, ..Answer::default() });
        }
        let inserted = records.len() as u64;
        if inserted > 0 {
            let published = timeout(self.limits.publish_timeout, self.log.publish(records)).await;
            let result = published.map_or_else(
                |_| Err(Refusal::LogSlow(self.limits.publish_timeout)),
                |result| result.map_err(|e| self.failed(e)),
            );
            if let Err(refusal) = result {
                LogFailed { request_id: id, events: inserted as usize, why: &refusal.to_string() }.emit();
                return Err(refusal);
            }
        }
        Ok(Answer { inserted, rejected, errors, ids, error: None, message: None })
    }

    /// After a fatal error no further request can succeed: the gateway ends, and the process with it.
    fn failed(&self, error: LogError) -> Refusal {
        let refusal = Refusal::from(error.clone());
        if matches!(refusal, Refusal::LogBroken(_)) {
            self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            self.stop.cancel();
        }
        refusal
    }
}

/// A request's events, and the room its body still holds: until they are published.
struct Worked {
    intake: Intake,
    room: budget::Reservation,
}

/// The part of a request that computes.
fn work(received: Received, wanted: Wanted, limits: Limits, budget: &Budget) -> Result<Worked, Refusal> {
    let Received { bytes, room } = received.unpack(wanted.coding, limits.max_body)?;
    Unpacked { bytes: bytes.len(), in_flight: budget.in_use() }.emit();
    let items = form::items(&bytes, wanted.form, limits.max_events)?;
    let intake = intake::take(&items, || uuid::Uuid::now_v7().to_string());
    Ok(Worked { intake, room })
}
