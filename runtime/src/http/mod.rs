//! Serving HTTP within bounds. A client may be slow, silent, or not read its answer; it may open connections without end.
//! None of that may cost more than a fixed amount of memory or hold up the end of the process:
//!
//! - so many connections and no more; a further one gets a 503 at once ([`turned_away`]),
//! - so long for a request's head, the handshake of TLS included, between requests, and for a client to take its answer
//!   ([`timed`]),
//! - so many bytes for a head ([`HEAD_BYTES`]),
//! - a shutdown that finishes the requests in progress and, after a while, closes what is left.
//!
//! (axum's own `serve` has none of these bounds.)

pub mod accept;
mod connection;
mod events;
mod listening;
mod timed;
mod tls;
mod turned_away;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Shutdown;
use crate::event::Event;
use connection::Serving;
use events::{Closed, Connections};
use listening::Accepting;
use turned_away::TurnedAway;

pub use listening::Listening;
pub use tls::{Dates, Standing, Tls, TlsError};
pub use turned_away::Beyond;

/// Bytes of a request's head. hyper's own bound is 400 KiB, which a client that never ends its head would hold for as
/// long as it may take.
pub const HEAD_BYTES: usize = 16 << 10;

/// What a connection may cost, whatever its client does: buffers, and the state of its tasks. Bodies and answers come to
/// it and are whoever's that makes them.
pub const CONNECTION_BYTES: usize = 32 << 10;

/// What it may cost beyond that with TLS: the record that is being received, and those that are not sent yet.
pub const TLS_BYTES: usize = 64 << 10;

/// Bounds of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum open connections; a further one gets 503 and is closed.
    pub connections: usize,
    /// Time a client has to send the head of a request: from connecting on, or from the head's first byte. The handshake of
    /// TLS has so long, too.
    pub head_timeout: Duration,
    /// Time between requests after which a connection is closed.
    pub idle_timeout: Duration,
    /// Time a client has to take an answer.
    pub write_timeout: Duration,
    /// How long requests in progress may take after a shutdown; then they are closed.
    pub finish: Duration,
    /// What a connection beyond the limit is answered.
    pub beyond: Beyond,
}

/// Who sent a request: in the extensions of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What [`Limits::finish`] may be where a server's stage has so long to end: connections are closed before it is over.
pub fn finish_within(stage: Duration) -> Duration {
    stage.mul_f64(0.8)
}

/// Serves until `shutdown`; then accepts no more connections, finishes the requests in progress for [`Limits::finish`],
/// closes what is left with a warning, and returns. Browsers take every answer for what its Content-Type says. `name` is the server's in log lines and metrics.
pub async fn serve(
    name: &'static str,
    listening: impl Into<Listening>,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) {
    let listening = listening.into();
    let serving = Serving { name, router, tls: listening.tls(), limits, shutdown };
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut turned_away = TurnedAway::new(&serving);
    let mut connections = JoinSet::new();
    let accepting = Accepting::new(name, listening);
    while let Some((stream, peer)) = next(&accepting, &mut connections, &mut turned_away, &serving).await {
        match slots.clone().try_acquire_owned() {
            Ok(slot) => {
                let connection = serving.clone().connection(stream, peer);
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
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
    serving: &Serving,
) -> Option<(TcpStream, SocketAddr)> {
    let accept = accepting.next();
    tokio::pin!(accept);
    loop {
        tokio::select! {
            biased;
            () = serving.shutdown.cancelled() => return None,
            Some(_) = connections.join_next() => Connections { server: serving.name, open: connections.len() }.emit(),
            () = turned_away.reap() => {}
            accepted = &mut accept => return Some(accepted),
        }
    }
}
