//! The gateway: events over HTTP into the log.
//!
//! `POST /v1/events` takes one event, a list, `{"events": [...]}` or one event per line, plain or gzip. It responds when
//! the log has the events (L1), with what was inserted and what is wrong with the others; with `?strict=true` one wrong
//! event keeps all out. The shape and the statuses are those of [`crate::answer::Answer`]. An event without event_id
//! gets a UUIDv7, listed in `ids`; a sender that repeats a request should set its own, or the repetition is not
//! recognised. Every response has `x-request-id`, the sender's own if it sent one.
//!
//! `POST /v1/markers` takes deploys, changes of configuration, incidents and notes ([`markers`]).
//!
//! `POST /v1/imports/find` and `POST /v1/imports` take files from `slipstream import --to` ([`imports`]).
//!
//! `GET` and `POST /v1/tokens` and `DELETE /v1/tokens/{id}` list, make and revoke tokens ([`tokens`]).
//!
//! `POST /v1/silences` and `DELETE /v1/silences/{id}`, `POST /v1/acknowledgements` and `DELETE /v1/acknowledgements/{alert}`: what people
//! say about alerts ([`silences`]).
//!
//! Who may do what is decided before anything of a body is read ([`slipstream_runtime::access`]); only `GET /` asks nobody.
//!
//! No client can make it large or slow. What requests hold is reserved within a budget before it is allocated
//! ([`budget`]), answers included; what costs time is bounded by a request's bytes ([`gzip`]), and a large request does not
//! stand in the way of smaller ones ([`work`]); connections have time-outs and a bound of their own
//! ([`slipstream_runtime::http`]). Memory and connections are never waited for: whoever comes beyond their bounds is told at
//! once to come again. What is not small waits for a thread, within the budget and for `publish_timeout` at most.
//! All requests of a moment share the log's group commit.

mod body;
mod budget;
mod events;
mod form;
mod gzip;
mod held;
mod imports;
mod intake;
mod markers;
mod odd_times;
mod recording;
mod refusal;
mod reply;
mod request;
mod silences;
mod tokens;
mod work;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use slipstream_log::{LogError, SharedLog};
use slipstream_runtime::access::{Access, Denied, Scope};
use slipstream_runtime::event::Event;
use slipstream_runtime::http::{Beyond, Limits as ConnectionLimits, Listening};
use slipstream_runtime::{Health, Shutdown, config, health, http};
use tokio::time::timeout;

use budget::Budget;
use events::{Answered, Busy, LogFailed, OddlyTimed, Serving};
use intake::Intake;
use refusal::Refusal;
use reply::Reply;
use request::{REQUEST_ID, Wanted, expects, request_id};
use work::{Job, Worked, Workshop};

/// The gateway's name on the board of health, and its server's in metrics.
const ROLE: &str = "gateway";

/// What a connection is told beyond those that may be open, in the shape of every [`Answer`](crate::answer::Answer).
const TOO_MANY_CONNECTIONS: &str = r#"{"inserted":0,"rejected":0,"errors":[],"error":"too-many-connections","message":"too many connections are open; retry this request later"}"#;

/// What a gateway takes; see [`config::Gateway`] for what each means.
pub type Limits = config::Gateway;

/// Why a gateway ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The log is broken.
    #[error("publishing events received over HTTP: {0}")]
    Log(LogError),
}

/// What all requests share.
struct Gateway {
    log: SharedLog,
    access: Access,
    limits: Limits,
    budget: Budget,
    workshop: Workshop,
    health: Health,
    /// The log's fatal error, and the bell that ends the server because of it.
    broken: Mutex<Option<LogError>>,
    stop: Shutdown,
}

/// Serves whoever `access` lets in on `listening` until `shutdown`; then finishes requests in progress, within
/// [`Limits::finish`].
///
/// # Errors
/// When the log fails permanently.
pub async fn serve(
    listening: impl Into<Listening>,
    log: SharedLog,
    access: Access,
    limits: Limits,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), GatewayError> {
    let stop = shutdown.child_token();
    let budget = Budget::new(limits.max_in_flight, limits.max_connections);
    let workshop = Workshop::new(budget.clone(), limits);
    let (broken, bell, board) = (Mutex::default(), stop.clone(), health.clone());
    let gateway = Arc::new(Gateway { log, access, limits, budget, workshop, health: board, broken, stop: bell });
    let listening = listening.into();
    if let Ok(address) = listening.local_addr() {
        tracing::info!(%address, "taking events");
    }
    Serving { limit: limits.max_in_flight }.emit();
    health.set(ROLE, health::State::Ready);
    let routes = router(&gateway, &stop);
    http::serve(ROLE, listening, routes, connection_limits(&limits), stop).await;
    match gateway.broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) => Err(GatewayError::Log(error)),
        None => Ok(()),
    }
}

fn connection_limits(limits: &Limits) -> ConnectionLimits {
    ConnectionLimits {
        connections: limits.max_connections,
        head_timeout: limits.read_timeout,
        idle_timeout: limits.idle_timeout,
        write_timeout: limits.write_timeout,
        finish: limits.finish,
        beyond: Beyond { media: "application/json", body: TOO_MANY_CONNECTIONS },
    }
}

/// All routes, each behind the scope that it needs.
fn router(gateway: &Arc<Gateway>, stop: &Shutdown) -> Router {
    let guard = |scope| gateway.access.layer(scope, refused);
    let open = Router::new().route("/", get(async || GREETING).fallback(only_read));
    let events = Router::new()
        .route("/v1/events", post(take).fallback(not_allowed))
        .fallback(not_found)
        .with_state(gateway.clone())
        .merge(imports::router(gateway.clone(), stop.clone()));
    open.merge(events.layer(guard(Scope::Ingest)))
        .merge(markers::router(gateway.clone()).layer(guard(Scope::Ingest).changing()))
        .merge(tokens::router(gateway.clone()).layer(guard(Scope::Operate)))
        .merge(silences::router(gateway.clone()).layer(guard(Scope::Operate)))
}

/// The response to who may not do what was asked for.
fn refused(denied: &Denied, headers: &HeaderMap) -> Response {
    let response = Reply::refuse(&Refusal::Denied(*denied)).response();
    with_id(response, &request_id(headers))
}

const GREETING: &str = "This is Slipstream's gateway. POST events to /v1/events: one JSON object, a list, \
{\"events\": [...]} or one object per line (application/x-ndjson), plain or gzip; ?strict=true for all or nothing. POST markers to /v1/markers.\n";

async fn not_found(request: Request) -> Response {
    body::linger_over(request).await;
    (StatusCode::NOT_FOUND, GREETING).into_response()
}

async fn not_allowed(request: Request) -> Response {
    let method = request.method().clone();
    body::linger_over(request).await;
    only("POST", method)
}

/// Anybody may ask this, so nothing of a body is read.
async fn only_read(method: Method) -> Response {
    let mut response = only("GET, HEAD", method);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The response to another method than those that are allowed.
fn only(allowed: &'static str, method: Method) -> Response {
    let mut response = Reply::refuse(&Refusal::Method(method)).response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

fn with_id(mut response: Response, id: &str) -> Response {
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// `POST /v1/events`
async fn take(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let reply = gateway.take(request, &id).await.unwrap_or_else(|refusal| gateway.refuse(&refusal));
    let (answer, inserted, rejected) = (reply.code, reply.inserted, reply.rejected);
    Answered { answer, request_id: &id, inserted, rejected, took: begun.elapsed() }.emit();
    gateway.response(reply, &id)
}

impl Gateway {
    /// A body of at most `max` bytes, and how it wants to be read.
    async fn receive(&self, request: Request, max: usize) -> Result<Job, Refusal> {
        let (head, body) = request.into_parts();
        let (wanted, expects) = (Wanted::of(&head), expects(&head));
        // It may be 16 KiB, which nobody has reserved, and the body may take its time.
        drop(head);
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(refusal) => {
                body::linger(body, expects).await;
                return Err(refusal);
            }
        };
        let within = self.limits.read_timeout;
        let body = body::receive(body, wanted.length, wanted.expects, max, within, &self.budget).await?;
        Ok(Job { body, wanted })
    }

    async fn take(&self, request: Request, id: &str) -> Result<Reply, Refusal> {
        let job = self.receive(request, self.limits.max_body).await?;
        let Worked { mut intake, reply } = self.workshop.work(job).await?;
        let (too_late, ahead) = (intake.odd_times.too_late.events, intake.odd_times.ahead.events);
        if reply.inserted > 0 {
            self.publish(&mut intake, id).await?;
            OddlyTimed { request_id: id, too_late, ahead }.emit();
        }
        Ok(reply)
    }

    /// L1: returns when the log has the events.
    async fn publish(&self, intake: &mut Intake, id: &str) -> Result<(), Refusal> {
        // The embedded log copies what it is given: until it has written the copy, the room of the original pays for it.
        let (records, _room) = intake.take_records();
        let events = records.len();
        let published = timeout(self.limits.publish_timeout, self.log.publish(records)).await;
        let result = published.map_or_else(
            |_| Err(Refusal::LogSlow(self.limits.publish_timeout)),
            |result| result.map_err(|e| self.failed(e)),
        );
        if let Err(refusal) = &result {
            LogFailed { request_id: id, events, why: &refusal.to_string() }.emit();
        }
        result.map(drop)
    }

    fn refuse(&self, refusal: &Refusal) -> Reply {
        if matches!(refusal, Refusal::Busy) {
            Busy { limit: self.limits.max_in_flight }.emit();
        }
        Reply::refuse(refusal)
    }

    fn response(&self, reply: Reply, id: &str) -> Response {
        let mut response = with_id(reply.response(), id);
        if self.health.is_stopping() {
            // The client takes its next request elsewhere before this connection is closed.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
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
