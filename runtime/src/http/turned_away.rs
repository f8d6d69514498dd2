//! Connections beyond the limit: each gets a 503 at once instead of a place in an invisible queue.

use std::sync::LazyLock;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Tls;
use super::connection::Serving;
use super::events::Full;
use crate::event::{Event, Seldom};

/// In the shape of the gateway's answers, which a client of it has to read anyway.
const BODY: &str = r#"{"inserted":0,"rejected":0,"errors":[],"error":"too-many-connections","message":"too many connections are open; retry this request later"}"#;

static ANSWER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let head =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close";
    format!("{head}\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len()).into_bytes()
});

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
    seldom: Seldom,
    lingering: JoinSet<()>,
}

impl TurnedAway {
    pub(super) fn new(serving: &Serving) -> Self {
        let (limit, tls) = (serving.limits.connections, serving.tls.clone());
        TurnedAway { server: serving.name, limit, tls, seldom: Seldom::every(SELDOM), lingering: JoinSet::new() }
    }

    pub(super) fn tell(&mut self, stream: TcpStream) {
        Full { server: self.server, limit: self.limit, seldom: &self.seldom }.emit();
        let is_room = self.lingering.len() < LINGERING;
        match &self.tls {
            // A handshake costs something: those for whom there is no time are closed without a word.
            Some(tls) if is_room => {
                self.lingering.spawn(tell_by_tls(tls.clone(), stream));
            }
            Some(_) => {}
            None => {
                // It fits into the socket's buffer, which is empty; whoever is gone already need not be told.
                let told = stream.try_write(&ANSWER).is_ok_and(|written| written == ANSWER.len());
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

async fn tell_by_tls(tls: Tls, stream: TcpStream) {
    let told = async {
        let mut stream = tls.accept(stream).await.ok()?;
        stream.write_all(&ANSWER).await.ok()?;
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
        let text = std::str::from_utf8(&ANSWER).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{}", body.len());
        assert!(body.starts_with(r#"{"inserted":0,"rejected":0,"errors":[],"error":"#), "{body}");
    }
}
