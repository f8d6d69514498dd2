//! Serving HTTP within bounds. A client may be slow, silent, or not read its answer; it may open connections without end.
//! None of that may cost more than a fixed amount of memory or hold up the end of the process:
//!
//! - so many connections and no more; a further one gets a 503 at once ([`turned_away`]),
//! - so long for a request's head, between requests, and for a client to take its answer ([`timed`]),
//! - so many bytes for a head ([`HEAD_BYTES`]),
//! - a shutdown that finishes the requests in progress and, after a while, closes what is left.
//!
//! (axum's own `serve` has none of these bounds.)

mod events;
mod timed;
mod turned_away;

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::Shutdown;
use crate::event::{Event, Seldom};
use events::{AcceptFailed, Closed, Connections, CutOff};
use timed::{Allowed, Phase, Timed};
use turned_away::TurnedAway;

/// Bytes of a request's head. hyper's own bound is 400 KiB, which a client that never ends its head would hold for as
/// long as it may take.
pub const HEAD_BYTES: usize = 16 << 10;

/// What a connection may cost, whatever its client does: buffers, and the state of its tasks. Bodies and answers come to
/// it and are whoever's that makes them.
pub const CONNECTION_BYTES: usize = 32 << 10;

/// Bounds of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum open connections; a further one gets 503 and is closed.
    pub connections: usize,
    /// Time a client has to send the head of a request: from connecting on, or from the head's first byte.
    pub head_timeout: Duration,
    /// Time between requests after which a connection is closed.
    pub idle_timeout: Duration,
    /// Time a client has to take an answer.
    pub write_timeout: Duration,
    /// How long requests in progress may take after a shutdown; then they are closed.
    pub finish: Duration,
}

/// What [`Limits::finish`] may be where a server's stage has so long to end: connections are closed before it is over.
pub fn finish_within(stage: Duration) -> Duration {
    stage.mul_f64(0.8)
}

/// Time for some connections to be closed after the listener failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// And how often that is said.
const ACCEPT_SELDOM: Duration = Duration::from_secs(10);

/// Serves until `shutdown`; then accepts no more connections, finishes the requests in progress for [`Limits::finish`],
/// closes what is left with a warning, and returns. `name` is the server's in log lines and metrics.
pub async fn serve(name: &'static str, listener: TcpListener, router: Router, limits: Limits, shutdown: Shutdown) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut turned_away = TurnedAway::new(name, limits.connections);
    let mut connections = JoinSet::new();
    let accepting = Accepting { name, listener, seldom: Seldom::every(ACCEPT_SELDOM) };
    while let Some(stream) = next(&accepting, &mut connections, &mut turned_away, &shutdown).await {
        match slots.clone().try_acquire_owned() {
            Ok(slot) => {
                connections.spawn(connection(name, stream, router.clone(), limits, shutdown.clone(), slot));
            }
            Err(_) => turned_away.tell(stream),
        }
        Connections { server: name, open: connections.len() }.emit();
    }
    drop(accepting);
    let to_the_end = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.finish, to_the_end).await.is_err() {
        Closed { server: name, connections: connections.len(), after: limits.finish }.emit();
    }
    // Dropping the set ends what is left: half a header, half a body, a response that is not read.
}

/// The next connection; `None` on shutdown. Connections that ended are reaped on the way.
async fn next(
    accepting: &Accepting,
    connections: &mut JoinSet<()>,
    turned_away: &mut TurnedAway,
    shutdown: &Shutdown,
) -> Option<TcpStream> {
    let accept = accepting.next();
    tokio::pin!(accept);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return None,
            Some(_) = connections.join_next() => Connections { server: accepting.name, open: connections.len() }.emit(),
            () = turned_away.reap() => {}
            accepted = &mut accept => return Some(accepted),
        }
    }
}

/// Where connections come from.
struct Accepting {
    name: &'static str,
    listener: TcpListener,
    seldom: Seldom,
}

impl Accepting {
    async fn next(&self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(e) if gone(&e) => {}
                Err(error) => {
                    AcceptFailed { server: self.name, error, seldom: &self.seldom }.emit();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// The client left before it was served.
fn gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(
    name: &'static str,
    stream: TcpStream,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
    _slot: OwnedSemaphorePermit,
) {
    // Responses are small: waiting to fill a packet would only add latency.
    let _ = stream.set_nodelay(true);
    let Limits { head_timeout: head, idle_timeout: idle, write_timeout: write, .. } = limits;
    let phase = Arc::new(Phase::default());
    let stream = Timed::new(stream, Allowed { head, idle, write }, phase.clone());
    let mut server = http1::Builder::new();
    // The timeouts are the stream's: hyper has one for a head and the wait before it together, and none for writing.
    server.header_read_timeout(None).max_buf_size(HEAD_BYTES);
    let service = Phased { service: TowerToHyperService::new(router), phase: phase.clone() };
    let connection = server.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            if phase.is_silent() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    let (error, timed_out) = (ended.err(), phase.has_timed_out());
    if error.is_some() || timed_out {
        CutOff { server: name, timed_out, error }.emit();
    }
}

/// The router, telling the stream when a request is being worked on: no time-out of reading applies then.
struct Phased {
    service: TowerToHyperService<Router>,
    phase: Arc<Phase>,
}

type Answered = Response<Written>;

impl Service<Request<Incoming>> for Phased {
    type Response = Answered;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answered, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.phase.working();
        let (answer, phase) = (self.service.call(request), self.phase.clone());
        Box::pin(async move {
            let answer = answer.await?;
            phase.answering();
            Ok(answer.map(|body| Written { body, phase }))
        })
    }
}

/// The body of an answer, which tells the stream when hyper has taken all of it: what is flushed then is the end.
struct Written {
    body: Body,
    phase: Arc<Phase>,
}

impl HttpBody for Written {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        self.phase.ending();
    }
}
