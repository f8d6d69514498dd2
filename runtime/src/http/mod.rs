//! Serving HTTP within bounds. A client may be slow, silent, or not read its answer; it may open connections without end.
//! None of that may cost more than a fixed amount of memory or hold up the end of the process:
//!
//! - so many connections and no more; a further one gets a 503 at once ([`turned_away`]),
//! - so long for a request's head, between requests, and for a client to take its answer ([`timed`]),
//! - so many bytes for a head ([`HEAD_BYTES`]),
//! - a shutdown that answers the requests in progress and, after a while, closes what is left.
//!
//! (axum's own `serve` has none of these bounds.)

mod events;
mod timed;
mod turned_away;

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::Shutdown;
use crate::event::Event;
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
    /// Connections at a time; a further one is told 503 and closed.
    pub connections: usize,
    /// Time a client has to send the head of a request: from connecting on, or from the head's first byte.
    pub head_timeout: Duration,
    /// Time between requests after which a connection is closed.
    pub idle_timeout: Duration,
    /// Time a client has to take an answer.
    pub write_timeout: Duration,
    /// Time that requests in progress have to end in once the server is told to; what is left is closed.
    pub finish: Duration,
}

/// Time for some connections to be closed after the listener failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `shutdown`; then takes no more connections, answers the requests in progress for [`Limits::finish`], closes
/// what is left with a warning, and returns. `name` is the server's in log lines and metrics.
pub async fn serve(name: &'static str, listener: TcpListener, router: Router, limits: Limits, shutdown: Shutdown) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut turned_away = TurnedAway::new(name, limits.connections);
    let mut connections = JoinSet::new();
    while let Some(stream) = next(name, &listener, &mut connections, &mut turned_away, &shutdown).await {
        match slots.clone().try_acquire_owned() {
            Ok(slot) => {
                connections.spawn(connection(name, stream, router.clone(), limits, shutdown.clone(), slot));
            }
            Err(_) => turned_away.tell(stream),
        }
        Connections { server: name, open: connections.len() }.emit();
    }
    drop(listener);
    let to_the_end = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.finish, to_the_end).await.is_err() {
        Closed { server: name, connections: connections.len(), after: limits.finish }.emit();
    }
    // Dropping the set ends what is left: half a head, half a body, an answer that nobody reads.
}

/// The next connection; `None` on shutdown. Connections that ended are reaped on the way.
async fn next(
    name: &'static str,
    listener: &TcpListener,
    connections: &mut JoinSet<()>,
    turned_away: &mut TurnedAway,
    shutdown: &Shutdown,
) -> Option<TcpStream> {
    let accept = accept(name, listener);
    tokio::pin!(accept);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return None,
            Some(_) = connections.join_next() => Connections { server: name, open: connections.len() }.emit(),
            () = turned_away.reap() => {}
            accepted = &mut accept => return Some(accepted),
        }
    }
}

async fn accept(name: &'static str, listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(e) if gone(&e) => {}
            Err(error) => {
                AcceptFailed { server: name, error }.emit();
                tokio::time::sleep(ACCEPT_PAUSE).await;
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
    if let Err(error) = ended {
        CutOff { server: name, error }.emit();
    }
}

/// The router, telling the stream when a request is being worked on: no time-out of reading applies then.
struct Phased {
    service: TowerToHyperService<Router>,
    phase: Arc<Phase>,
}

type Answered = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;

impl Service<Request<Incoming>> for Phased {
    type Response = Answered;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answered, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.phase.working();
        let (answer, phase) = (self.service.call(request), self.phase.clone());
        Box::pin(async move {
            let answer = answer.await;
            phase.waiting();
            answer
        })
    }
}
