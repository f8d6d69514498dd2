//! Markers through the gateway: `POST /v1/markers` takes one marker or a list of them, and answers with
//! [`MarkersAccepted`] when the log has them (L1). They are few, so one that is wrong keeps all out; refusals have the shape
//! of [`Answer`]. The limits are those of events, but for a smaller body.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use jiff::Timestamp;
use slipstream_schemas::EventTime;
use slipstream_schemas::decode::EventError;
use slipstream_schemas::marker::from_json;
use slipstream_schemas::records::Marker;

use super::budget::{Budget, Reservation};
use super::form::{self, Declared, FormError};
use super::gzip::{self, Bounds, MEMBERS};
use super::held::Held;
use super::recording::Failed;
use super::refusal::Refusal;
use super::reply::Reply;
use super::request::{Coding, request_id};
use super::work::Job;
use super::{Gateway, not_allowed};
use crate::answer::{Answer, ERRORS, ItemError, MarkersAccepted};
use crate::marking::{new_id, outgoing};

const MARKERS_FAILED: Failed = Failed { what: "marking", code: "markers-failed" };

/// Bytes of a body, as sent and decompressed.
const BODY: usize = 1 << 20;
/// Markers of a request.
const MARKERS: usize = 1_000;
/// Memory of a marker and its record, beside their texts.
const MARKER_BYTES: usize = 1_024;

/// The route.
pub(super) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().route("/v1/markers", post(take).fallback(not_allowed)).with_state(gateway)
}

async fn take(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let id = request_id(request.headers());
    let reply = gateway.take_markers(request, &id).await.unwrap_or_else(|refusal| gateway.refuse(&refusal));
    gateway.response(reply, &id)
}

/// A request's markers, or what is wrong with them; and the room that they hold.
struct Taken {
    markers: Result<Vec<Marker>, Vec<(usize, EventError)>>,
    _room: Reservation,
}

impl Gateway {
    async fn take_markers(&self, request: Request, id: &str) -> Result<Reply, Refusal> {
        let most = self.limits.max_body.min(BODY);
        let job = self.receive(request, most).await?;
        let budget = self.budget.clone();
        // A packed body may unpack to as much as there may be.
        let Taken { markers, _room } = self.workshop.run(most, move || taken(job, most, &budget)).await??;
        match markers {
            Ok(markers) => {
                let ids = markers.iter().map(|marker| marker.id.clone()).collect();
                // Written before anything is published: from then on nothing may keep the sender from being told.
                let accepted = MarkersAccepted { accepted: markers.len() as u64, ids };
                let reply = Reply::other(StatusCode::OK, "ok", &accepted, &self.budget)?;
                self.record(markers.iter().map(outgoing).collect(), &MARKERS_FAILED, id).await?;
                Ok(reply)
            }
            Err(errors) => {
                let answer = rejected(errors);
                Ok(Reply::other(StatusCode::UNPROCESSABLE_ENTITY, "rejected", &answer, &self.budget)?)
            }
        }
    }
}

/// Reads the markers of a body that may have `most` bytes when it is unpacked.
fn taken(job: Job, most: usize, budget: &Budget) -> Result<Taken, Refusal> {
    let Job { mut body, wanted } = job;
    if wanted.coding == Coding::Gzip {
        let mut plain = Held::new(budget, most);
        gzip::unpack(body.as_ref(), &mut plain, Bounds { bytes: most, members: MEMBERS })?;
        body = plain;
    }
    let mut room = budget.open();
    // What the parser remembers while it passes over a value, then the texts of the markers and of their records.
    room.grow(2 * body.len())?;
    let items = items(body.as_ref(), wanted.form)?;
    room.grow(items.len() * MARKER_BYTES)?;
    Ok(Taken { markers: read(&items), _room: room })
}

/// Cuts a body into the bytes of its markers.
fn items(body: &[u8], declared: Declared) -> Result<Vec<&[u8]>, Refusal> {
    let too_many = |error| match error {
        FormError::TooMany(most) => Refusal::TooManyMarkers(most),
        error => Refusal::Form(error),
    };
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii();
    match (declared, body.first()) {
        (_, None) => Err(Refusal::Markers("the body is empty".to_owned())),
        (Declared::Lines, _) => form::lines(body, MARKERS).map_err(too_many),
        (Declared::Look, Some(b'[')) => form::text(body).and_then(|text| form::list(text, MARKERS)).map_err(too_many),
        (Declared::Look, Some(b'{')) => Ok(vec![body]),
        (Declared::Look, Some(_)) => Err(Refusal::Markers("the body is neither an object nor a list".to_owned())),
    }
}

fn read(items: &[&[u8]]) -> Result<Vec<Marker>, Vec<(usize, EventError)>> {
    let now = EventTime(Timestamp::now().as_microsecond());
    let (mut markers, mut errors) = (Vec::with_capacity(items.len()), Vec::new());
    for (index, item) in items.iter().enumerate() {
        match from_json(item, now, new_id) {
            Ok(marker) => markers.push(marker),
            Err(error) => errors.push((index, error)),
        }
    }
    if errors.is_empty() { Ok(markers) } else { Err(errors) }
}

fn rejected(errors: Vec<(usize, EventError)>) -> Answer {
    let rejected = errors.len() as u64;
    let shown = errors.into_iter().take(ERRORS).map(|(index, error)| ItemError {
        index,
        event_id: None,
        error: error.class.name().to_owned(),
        message: error.to_string(),
        field: error.field,
    });
    Answer {
        rejected,
        errors: shown.collect(),
        errors_total: (rejected > ERRORS as u64).then_some(rejected),
        error: Some("rejected".to_owned()),
        message: Some("nothing was written: some markers are invalid".to_owned()),
        ..Answer::default()
    }
}
