//! Imports through the gateway: whoever owns the log takes files for those who do not.
//!
//! `POST /v1/imports/find` takes the head of a file (up to 4 KiB, unpacked) and answers with the positions of files that
//! begin like it. `POST /v1/imports` takes a step: which part of which file, and what its lines have become. Events and
//! position are published in one transaction (L2); who does not stand where the file stands is answered 409 with where it
//! does. So a step that is sent again is not there twice, and a killed import continues.
//!
//! One step is worked on at a time: what imports hold is at most one body and its records.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use slipstream_log::SharedLog;
use slipstream_runtime::Shutdown;
use slipstream_schemas::records::ImportPosition;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Limits;
use crate::import::wire::{Found, Range, Stands, step};
use crate::import::{HEAD_BYTES, ImportError, Positions, position, standing};

/// What requests about imports share.
struct Imports {
    log: SharedLog,
    limits: Limits,
    shutdown: Shutdown,
    /// Every file's position, while this process is the last that has written one; and the right to work on a step.
    positions: Mutex<Option<Positions>>,
}

/// Why a step is not taken.
enum Refusal {
    /// The file stands elsewhere.
    Elsewhere(Option<Box<ImportPosition>>),
    /// The body is no step, or too large.
    Wrong(StatusCode, String),
    /// Try again.
    Later(String),
}

/// The routes.
pub(super) fn router(log: SharedLog, limits: Limits, shutdown: Shutdown) -> Router {
    let imports = Arc::new(Imports { log, limits, shutdown, positions: Mutex::new(None) });
    Router::new().route("/v1/imports/find", post(find)).route("/v1/imports", post(take)).with_state(imports)
}

async fn find(State(imports): State<Arc<Imports>>, body: Body) -> Response {
    match imports.find(body).await {
        Ok(found) => Json(found).into_response(),
        Err(refusal) => refusal.response(),
    }
}

async fn take(State(imports): State<Arc<Imports>>, body: Body) -> Response {
    match imports.take(body).await {
        Ok(to) => Json(Stands { position: Some(to), message: None }).into_response(),
        Err(refusal) => refusal.response(),
    }
}

impl Imports {
    async fn find(&self, body: Body) -> Result<Found, Refusal> {
        let mut positions = self.turn().await?;
        let head = self.read(body, HEAD_BYTES).await?;
        // Another process may have written some since.
        *positions = Some(self.known().await?);
        let positions = positions.as_ref().map(|positions| standing::alike(&head, positions)).unwrap_or_default();
        Ok(Found { positions })
    }

    async fn take(&self, body: Body) -> Result<ImportPosition, Refusal> {
        let mut positions = self.turn().await?;
        let body = self.read(body, self.limits.max_body).await?;
        let read = tokio::task::spawn_blocking(move || step(&body)).await;
        let (Range { from, to }, records) = read
            .map_err(|e| Refusal::Later(e.to_string()))?
            .map_err(|why| Refusal::Wrong(StatusCode::BAD_REQUEST, why))?;
        // Taken, and put back when all is well: who gives up in the middle leaves nothing that may be wrong.
        let mut known = match positions.take() {
            Some(known) => known,
            None => self.known().await?,
        };
        let stands = known.get(&to.file).filter(|position| !standing::was_misread(position));
        if !same_place(stands, &from) {
            let elsewhere = Refusal::Elsewhere(stands.cloned().map(Box::new));
            *positions = Some(known);
            return Err(elsewhere);
        }
        let commit = position::commit(self.log.as_ref(), records, &to, &self.shutdown);
        match timeout(self.limits.publish_timeout, commit).await {
            Ok(Ok(true)) => {
                known.insert(to.file.clone(), to.clone());
                *positions = Some(known);
                Ok(to)
            }
            Ok(Ok(false)) => Err(Refusal::Later("the gateway is shutting down".to_owned())),
            Ok(Err(error)) => Err(Refusal::Later(error.to_string())),
            Err(_) => Err(Refusal::Later("the log did not answer in time".to_owned())),
        }
    }

    /// The right to work on a step.
    async fn turn(&self) -> Result<tokio::sync::MutexGuard<'_, Option<Positions>>, Refusal> {
        let turn = timeout(self.limits.publish_timeout, self.positions.lock()).await;
        turn.map_err(|_| Refusal::Later("other imports are being worked on".to_owned()))
    }

    async fn read(&self, body: Body, most: usize) -> Result<Bytes, Refusal> {
        match timeout(self.limits.read_timeout, axum::body::to_bytes(body, most)).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => {
                let why = format!("the body could not be read, or is over the limit of {most} bytes: {error}");
                Err(Refusal::Wrong(StatusCode::PAYLOAD_TOO_LARGE, why))
            }
            Err(_) => Err(Refusal::Wrong(StatusCode::REQUEST_TIMEOUT, "the body did not come in time".to_owned())),
        }
    }

    /// Every file's position. From here on other processes commit none that we do not know of (L5).
    async fn known(&self) -> Result<Positions, Refusal> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let later = |error: ImportError| Refusal::Later(error.to_string());
        let known = timeout(PATIENCE, position::take_over(self.log.as_ref(), &self.shutdown)).await;
        let known = known.map_err(|_| Refusal::Later("the log did not answer in time".to_owned()))?;
        known.map_err(later)?.ok_or_else(|| Refusal::Later("the gateway is shutting down".to_owned()))
    }
}

/// Whether a step that begins at `from` follows what is known of its file.
fn same_place(stands: Option<&ImportPosition>, from: &ImportPosition) -> bool {
    let place = |p: &ImportPosition| (p.lines, p.bytes, p.events, p.rejected, p.unfinished);
    stands.map_or((0, 0, 0, 0, 0), place) == place(from)
}

impl Refusal {
    fn response(self) -> Response {
        let (status, position, message) = match self {
            Refusal::Elsewhere(position) => {
                let message = "the file stands elsewhere: another import of it has gone on".to_owned();
                (StatusCode::CONFLICT, position.map(|position| *position), message)
            }
            Refusal::Wrong(status, message) => (status, None, message),
            Refusal::Later(message) => (StatusCode::SERVICE_UNAVAILABLE, None, message),
        };
        (status, Json(Stands { position, message: Some(message) })).into_response()
    }
}
