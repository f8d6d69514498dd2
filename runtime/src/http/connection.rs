//! One connection, from the first byte that comes to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::{HeaderValue, Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use slipstream_schemas::cause::chain;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;

use super::events::{CutOff, Mistaken, Reason};
use super::timed::{Allowed, Phase, Timed};
use super::{HEAD_BYTES, Limits, Peer, Tls};
use crate::Shutdown;
use crate::event::Event;

/// The first byte of a client that speaks TLS: that of a record of its handshake. No request begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

/// What a client is told that speaks HTTP where TLS is expected.
const USE_TLS: &str = "this port speaks TLS: use https\n";

/// What all connections of a server share.
#[derive(Clone)]
pub(super) struct Serving {
    pub name: &'static str,
    pub router: Router,
    pub tls: Option<Tls>,
    pub limits: Limits,
    pub shutdown: Shutdown,
}

/// A client that speaks what is expected.
enum Greeted {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Serving {
    /// Serves a client until it leaves, is cut off, or the server shuts down.
    pub(super) async fn connection(self, stream: TcpStream, peer: SocketAddr) {
        // Responses are small: waiting to fill a packet would only add latency.
        let _ = stream.set_nodelay(true);
        let greeted = tokio::select! {
            biased;
            // Nothing has come of a request yet.
            () = self.shutdown.cancelled() => return,
            greeted = self.greeted(stream) => greeted,
        };
        match greeted {
            Some(Greeted::Plain(stream)) => self.serve(stream, peer).await,
            Some(Greeted::Tls(stream)) => self.serve(*stream, peer).await,
            None => {}
        }
    }

    /// Waits for the first byte, and shakes hands where that is expected. All of it has the time that a head has.
    async fn greeted(&self, stream: TcpStream) -> Option<Greeted> {
        let deadline = Instant::now() + self.limits.head_timeout;
        let mut first = [0];
        match timeout_at(deadline, stream.peek(&mut first)).await {
            Err(_) => {
                self.cut_off(Reason::Timeout, "nothing was sent");
                return None;
            }
            // It left without a word, or is gone.
            Ok(Ok(0) | Err(_)) => return None,
            Ok(Ok(_)) => {}
        }
        let speaks_tls = first[0] == TLS_HANDSHAKE;
        match (&self.tls, speaks_tls) {
            (None, false) => Some(Greeted::Plain(stream)),
            (Some(tls), true) => self.shake(tls, stream, deadline).await,
            (expected, _) => {
                Mistaken { server: self.name, expected_tls: expected.is_some() }.emit();
                if expected.is_some() {
                    tell(&stream);
                }
                None
            }
        }
    }

    async fn shake(&self, tls: &Tls, stream: TcpStream, deadline: Instant) -> Option<Greeted> {
        match timeout_at(deadline, tls.accept(stream)).await {
            Ok(Ok(stream)) => Some(Greeted::Tls(Box::new(stream))),
            Ok(Err(error)) => {
                self.cut_off(Reason::Error, &format!("the TLS handshake failed: {}", chain(&error)));
                None
            }
            Err(_) => {
                self.cut_off(Reason::Timeout, "the TLS handshake was not finished");
                None
            }
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S, peer: SocketAddr) {
        let Limits { head_timeout: head, idle_timeout: idle, write_timeout: write, .. } = self.limits;
        let phase = Arc::new(Phase::default());
        let stream = Timed::new(stream, Allowed { head, idle, write }, phase.clone());
        let mut server = http1::Builder::new();
        // The timeouts are the stream's: hyper has one for a head and the wait before it together, and none for writing.
        server.header_read_timeout(None).max_buf_size(HEAD_BYTES);
        let service =
            Phased { service: TowerToHyperService::new(self.router.clone()), phase: phase.clone(), peer: Peer(peer) };
        let connection = server.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.cancelled() => {
                if phase.is_silent() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        let why = || ended.as_ref().err().map_or_else(|| "nothing was sent".to_owned(), |error| chain(error));
        match (phase.has_timed_out(), &ended) {
            (true, _) => self.cut_off(Reason::Timeout, &why()),
            (false, Err(_)) => self.cut_off(Reason::Error, &why()),
            (false, Ok(())) => {}
        }
    }

    fn cut_off(&self, reason: Reason, why: &str) {
        CutOff { server: self.name, reason, why }.emit();
    }
}

/// It fits into the socket's buffer, which is empty; whoever is gone already need not be told.
fn tell(stream: &TcpStream) {
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close";
    let _ = stream.try_write(format!("{head}\r\nContent-Length: {}\r\n\r\n{USE_TLS}", USE_TLS.len()).as_bytes());
}

/// The router, telling the stream when a request is being worked on: no time-out of reading applies then.
struct Phased {
    service: TowerToHyperService<Router>,
    phase: Arc<Phase>,
    peer: Peer,
}

type Answered = Response<Written>;

impl Service<Request<Incoming>> for Phased {
    type Response = Answered;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answered, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.phase.working();
        request.extensions_mut().insert(self.peer);
        let phase = self.phase.clone();
        let answer = self.service.call(request.map(|body| Asked { body, phase, ended: false }));
        let phase = self.phase.clone();
        Box::pin(async move {
            let mut answer = answer.await?;
            answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            phase.answering();
            Ok(answer.map(|body| Written { body, phase }))
        })
    }
}

/// The body of a request, which tells the stream when it is dropped before its end.
struct Asked {
    body: Incoming,
    phase: Arc<Phase>,
    ended: bool,
}

impl HttpBody for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        this.ended |= matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.phase.leaves_unread();
        }
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
