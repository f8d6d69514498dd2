//! Connections beyond the limit: each gets a 503 at once instead of a place in an invisible queue.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Tls;
use super::connection::Serving;
use super::events::Full;
use crate::event::{Event, Seldom};

/// What a connection beyond the limit is answered, in the shape that the clients of a server have to read anyway. The status is
/// 503, with Retry-After.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beyond {
    /// The media type of the body.
    pub media: &'static str,
    /// The body.
    pub body: &'static str,
}

impl Beyond {
    /// For people.
    pub const TEXT: Beyond = Beyond {
        media: "text/plain; charset=utf-8",
        body: "too-many-connections: too many connections are open; retry this request later\n",
    };

    fn response(self) -> Vec<u8> {
        let Beyond { media, body } = self;
        let head = "HTTP/1.1 503 Service Unavailable\r\nX-Content-Type-Options: nosniff\r\nRetry-After: 1\r\nConnection: close";
        format!("{head}\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }
}

/// A server whose clients open too many connections is said to do so once in a while.
const SELDOM: Duration = Duration::from_secs(10);

/// A connection that is closed with something unread in it is reset, and its client may never see the answer: what it has
/// sent is read for so long.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 << 10;
/// So many at a time are waited for; further ones are closed at once.
const LINGERING: usize = 64;

/// Those that were turned away and are not closed yet.
pub(super) struct TurnedAway {
    server: &'static str,
    limit: usize,
    tls: Option<Tls>,
    response: Arc<[u8]>,
    seldom: Seldom,
    lingering: JoinSet<()>,
}

impl TurnedAway {
    pub(super) fn new(serving: &Serving) -> Self {
        let (limit, tls) = (serving.limits.connections, serving.tls.clone());
        let response = serving.limits.beyond.response().into();
        TurnedAway {
            server: serving.name,
            limit,
            tls,
            response,
            seldom: Seldom::every(SELDOM),
            lingering: JoinSet::new(),
        }
    }

    pub(super) fn tell(&mut self, stream: TcpStream) {
        Full { server: self.server, limit: self.limit, seldom: &self.seldom }.emit();
        let is_room = self.lingering.len() < LINGERING;
        match &self.tls {
            // A handshake costs something: those for whom there is no time are closed without a word.
            Some(tls) if is_room => {
                self.lingering.spawn(tell_by_tls(tls.clone(), stream, self.response.clone()));
            }
            Some(_) => {}
            None => {
                // It fits into the socket's buffer, which is empty; whoever is gone already need not be told.
                let told = stream.try_write(&self.response).is_ok_and(|written| written == self.response.len());
                if told && is_room {
                    self.lingering.spawn(linger(stream));
                }
            }
        }
    }

    /// Resolves when one of them is closed; never while there are none.
    pub(super) async fn reap(&mut self) {
        if self.lingering.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

async fn tell_by_tls(tls: Tls, stream: TcpStream, response: Arc<[u8]>) {
    let told = async {
        let mut stream = tls.accept(stream).await.ok()?;
        stream.write_all(&response).await.ok()?;
        stream.shutdown().await.ok()?;
        Some(stream)
    };
    if let Ok(Some(stream)) = timeout(LINGER, told).await {
        linger(stream).await;
    }
}

async fn linger(mut stream: impl AsyncRead + Unpin) {
    let to_the_end = async {
        let (mut read, mut buffer) = (0, [0; 1024]);
        while let Ok(n @ 1..) = stream.read(&mut buffer).await {
            read += n;
            if read > LINGER_BYTES {
                return;
            }
        }
    };
    // Whether the client has closed or not: it has its response.
    let _ = timeout(LINGER, to_the_end).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_as_long_as_it_says() {
        let response = Beyond::TEXT.response();
        let text = std::str::from_utf8(&response).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{}", body.len());
        assert_eq!(body, Beyond::TEXT.body);
    }
}
