//! Imports through the gateway: whoever owns the log takes files for those who do not.
//!
//! `POST /v1/imports/find` takes the head of a file (up to 4 KiB, unpacked) and answers with the positions of files that
//! begin like it. `POST /v1/imports` takes a step: which part of which file, and what its lines have become. Events and
//! position are published in one transaction (L2); who does not stand where the file stands is answered 409 with where it
//! does. So a step that is sent again is not there twice, and a killed import continues.
//!
//! A step is checked and made to records in the gateway's workshop, all of it within the gateway's budget; then one at a time
//! is compared with where its file stands, and published. Refused steps are answered as refused events are
//! ([`crate::answer::Answer`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use slipstream_log::{LogError, Outgoing};
use slipstream_runtime::Shutdown;
use slipstream_schemas::records::ImportPosition;
use tokio::sync::{Mutex, MutexGuard, Semaphore};
use tokio::time::timeout;

use super::budget::{Full, Reservation};
use super::form::FormError;
use super::held::Held;
use super::refusal::Refusal;
use super::reply::Reply;
use super::request::{expects, request_id};
use super::{Gateway, body, not_allowed};
use crate::import::wire::{Cost, Found, Range, Stands, cost, step};
use crate::import::{HEAD_BYTES, ImportError, Positions, position, standing};

/// What a position holds beside its text and its checks.
const POSITION_BYTES: usize = 512;
/// Time to take over from another process that has written positions, and to read them.
const PATIENCE: Duration = Duration::from_secs(30);
/// Files whose positions are remembered; of others the log is asked.
const REMEMBERED: usize = 64;

/// What requests about imports share.
struct Imports {
    gateway: Arc<Gateway>,
    shutdown: Shutdown,
    /// What is known while this process is the last that has written positions; and the right to commit a step.
    turn: Mutex<Option<Known>>,
    /// The right to read all positions there are.
    finding: Semaphore,
}

/// Where files stand; `None` for one that the log does not know.
type Known = HashMap<String, Option<ImportPosition>>;

/// A step as records, with the room that they hold.
struct Step {
    range: Range,
    records: Vec<Outgoing>,
    _room: Reservation,
}

/// Why a step is not taken.
enum Declined {
    /// The file stands elsewhere.
    Elsewhere(Option<Box<ImportPosition>>),
    /// As any request may be refused.
    Refused(Refusal),
}

/// The routes.
pub(super) fn router(gateway: Arc<Gateway>, shutdown: Shutdown) -> Router {
    let (turn, finding) = (Mutex::new(None), Semaphore::new(1));
    Router::new()
        .route("/v1/imports/find", post(find).fallback(not_allowed))
        .route("/v1/imports", post(take).fallback(not_allowed))
        .with_state(Arc::new(Imports { gateway, shutdown, turn, finding }))
}

async fn find(State(imports): State<Arc<Imports>>, request: Request) -> Response {
    let id = request_id(request.headers());
    let reply = match imports.find(request).await {
        Ok(found) => imports.reply(StatusCode::OK, "ok", &found),
        Err(refusal) => Err(refusal),
    };
    imports.response(reply, &id)
}

async fn take(State(imports): State<Arc<Imports>>, request: Request) -> Response {
    let id = request_id(request.headers());
    let reply = match imports.take(request).await {
        Ok(to) => imports.reply(StatusCode::OK, "ok", &Stands { position: Some(to), message: None }),
        Err(Declined::Elsewhere(position)) => {
            let message = Some("another import has moved this file's position".to_owned());
            let stands = Stands { position: position.map(|position| *position), message };
            imports.reply(StatusCode::CONFLICT, "import-elsewhere", &stands)
        }
        Err(Declined::Refused(refusal)) => Err(refusal),
    };
    imports.response(reply, &id)
}

impl Imports {
    fn reply(&self, status: StatusCode, code: &'static str, answer: &impl serde::Serialize) -> Result<Reply, Refusal> {
        Ok(Reply::other(status, code, answer, &self.gateway.budget)?)
    }

    fn response(&self, reply: Result<Reply, Refusal>, id: &str) -> Response {
        let reply = reply.unwrap_or_else(|refusal| self.gateway.refuse(&refusal));
        self.gateway.response(reply, id)
    }

    /// Reads, and takes nothing over: whoever else is importing goes on until a step is sent.
    async fn find(&self, request: Request) -> Result<Found, Refusal> {
        let head = self.receive(request, HEAD_BYTES).await?;
        let finding = timeout(self.gateway.limits.publish_timeout, self.finding.acquire()).await;
        let _finding = finding.map_err(|_| Refusal::Later("other imports are in progress"))?;
        let begins = standing::begins(head.as_ref());
        let mut room = self.gateway.budget.open();
        let mut is_full = false;
        let mut wanted = |position: &ImportPosition| {
            let begins = begins(position);
            is_full |= begins && room.grow(position_bytes(position)).is_err();
            begins && !is_full
        };
        let positions = self.positions(&mut wanted).await?;
        match is_full {
            true => Err(Full.into()),
            false => Ok(Found { positions: standing::alike(head.as_ref(), &positions) }),
        }
    }

    async fn take(&self, request: Request) -> Result<ImportPosition, Declined> {
        // Before its turn: a client that sends slowly, or much, must not keep others waiting.
        let body = self.receive(request, self.gateway.limits.max_body).await?;
        let Step { range: Range { from, to }, records, _room } = self.read(body).await?;
        let mut turn = self.turn().await?;
        loop {
            // Taken, and put back when all is well: a request that ends in the middle leaves nothing that may be wrong.
            let (mut known, is_new) = match turn.take() {
                Some(known) => (known, false),
                None => (self.take_over().await?, true),
            };
            let stands = self.stands(&mut known, &to.file).await?;
            if !follows(stands, &from, &to) {
                let stands = stands.cloned();
                if !is_new && self.has_moved(&known, &to.file).await? {
                    continue;
                }
                *turn = Some(known);
                return Err(Declined::Elsewhere(stands.map(Box::new)));
            }
            if self.commit(&records, &to, is_new).await? {
                known.insert(to.file.clone(), Some(to.clone()));
                *turn = Some(known);
                return Ok(to);
            }
        }
    }

    async fn receive(&self, request: Request, max: usize) -> Result<Held, Refusal> {
        let (head, body) = request.into_parts();
        let expects = expects(&head);
        drop(head);
        let limits = &self.gateway.limits;
        body::receive(body, None, expects, max, limits.read_timeout, &self.gateway.budget).await
    }

    /// A body's records. The thread that makes them has their room, also when nobody waits for it any more.
    async fn read(&self, body: Held) -> Result<Step, Refusal> {
        let (mut room, max) = (self.gateway.budget.open(), self.gateway.limits.max_events);
        let made = self.gateway.workshop.run(body.len(), move || {
            let Cost { lines, bytes } = cost(body.as_ref());
            if lines > max {
                return Err(FormError::TooMany(max).into());
            }
            room.grow(bytes)?;
            let (range, records) = step(body.as_ref()).map_err(Refusal::Step)?;
            Ok(Step { range, records, _room: room })
        });
        made.await?
    }

    /// Whether it is committed; false: another process has written since this one did, which `is_new` says cannot be.
    async fn commit(&self, records: &[Outgoing], to: &ImportPosition, is_new: bool) -> Result<bool, Refusal> {
        let commit = position::commit(self.gateway.log.as_ref(), records, to, &self.shutdown);
        match timeout(self.gateway.limits.publish_timeout, commit).await {
            Ok(Ok(true)) => Ok(true),
            Ok(Ok(false)) => Err(shutting_down()),
            Ok(Err(ImportError::TakenOver)) if !is_new => Ok(false),
            Ok(Err(error)) => Err(self.failed(error).await),
            Err(_) => Err(slow_log()),
        }
    }

    /// The right to commit a step.
    async fn turn(&self) -> Result<MutexGuard<'_, Option<Known>>, Refusal> {
        let turn = timeout(self.gateway.limits.publish_timeout, self.turn.lock()).await;
        turn.map_err(|_| Refusal::Later("other imports are in progress"))
    }

    /// From here on other processes commit no position that this one does not learn of (L5).
    async fn take_over(&self) -> Result<Known, Refusal> {
        let taken = timeout(PATIENCE, position::take_writer(self.gateway.log.as_ref(), &self.shutdown)).await;
        match taken.map_err(|_| slow_log())? {
            Ok(true) => Ok(Known::new()),
            Ok(false) => Err(shutting_down()),
            Err(error) => Err(self.failed(error).await),
        }
    }

    /// Where a file stands; `None` if it is to be read from its beginning.
    async fn stands<'k>(&self, known: &'k mut Known, file: &str) -> Result<Option<&'k ImportPosition>, Refusal> {
        if !known.contains_key(file) {
            let position = self.positions(&mut |position| position.file == file).await?.remove(file);
            if known.len() == REMEMBERED {
                known.clear();
            }
            known.insert(file.to_owned(), position);
        }
        let position = known.get(file).and_then(Option::as_ref);
        Ok(position.filter(|position| !standing::was_misread(position)))
    }

    /// Whether another process has moved a file since its position was remembered.
    async fn has_moved(&self, known: &Known, file: &str) -> Result<bool, Refusal> {
        let position = self.positions(&mut |position| position.file == file).await?.remove(file);
        Ok(known.get(file) != Some(&position))
    }

    async fn positions(&self, wanted: position::Wanted<'_>) -> Result<Positions, Refusal> {
        let read = timeout(PATIENCE, position::read(self.gateway.log.as_ref(), &self.shutdown, wanted)).await;
        match read.map_err(|_| slow_log())? {
            Ok(Some(positions)) => Ok(positions),
            Ok(None) => Err(shutting_down()),
            Err(error) => Err(self.failed(error).await),
        }
    }

    /// An error of the log is the gateway's. That no position can be written may be a matter of imports alone, such as a
    /// right that is missing: then events are taken as before.
    async fn failed(&self, error: ImportError) -> Refusal {
        match error {
            ImportError::Log(error) => self.gateway.failed(error),
            ImportError::TakenOver => Refusal::Later("another process imports into the same log"),
            error => match self.gateway.log.publish(Vec::new()).await {
                Err(broken @ LogError::Fatal { .. }) => self.gateway.failed(broken),
                _ => Refusal::NotImportable(error.to_string()),
            },
        }
    }
}

/// Whether a step follows what is known of its file, and moves it.
fn follows(stands: Option<&ImportPosition>, from: &ImportPosition, to: &ImportPosition) -> bool {
    let place = |p: &ImportPosition| (p.lines, p.bytes, p.events, p.rejected, p.unfinished);
    let is_there = stands.map_or((0, 0, 0, 0, 0), place) == place(from);
    let ends = to.finished && !stands.is_some_and(|stands| stands.finished);
    is_there && (to.bytes > from.bytes || ends)
}

fn position_bytes(position: &ImportPosition) -> usize {
    POSITION_BYTES + position.path.len() + size_of_val(&position.checks[..])
}

fn slow_log() -> Refusal {
    Refusal::Later("the log did not respond in time")
}

fn shutting_down() -> Refusal {
    Refusal::Later("the gateway is shutting down")
}

impl From<Refusal> for Declined {
    fn from(refusal: Refusal) -> Self {
        Declined::Refused(refusal)
    }
}
