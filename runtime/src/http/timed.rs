//! A stream that gives its client so much time and no more: to send a head, between requests, and to take an answer.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    /// For a head, and before the first one.
    pub head: Duration,
    /// Between requests.
    pub idle: Duration,
    /// To take what was written, from the moment that it stops taking it.
    pub write: Duration,
}

/// The phase of a connection, shared by the stream, which sees bytes, and the service, which sees requests. Both live in
/// one task. The number grows with every change; its remainder says what it is.
#[derive(Debug, Default)]
pub(super) struct Phase {
    number: AtomicU32,
    timed_out: AtomicBool,
    /// The last request has a body of which something was not read.
    unread: AtomicBool,
}

/// A connection that is closed while something comes that nobody reads is reset, and its client may never see the answer:
/// it has so long to see it. Nothing is read meanwhile.
const TO_BE_SEEN: Duration = Duration::from_millis(300);

/// Nothing has come of the connection's first request.
const FIRST: u32 = 0;
/// Nothing has come of the next request.
const BETWEEN: u32 = 1;
/// Some of a head has come.
const HEAD: u32 = 2;
/// A request is being worked on.
const WORKING: u32 = 3;
/// Its answer is being written.
const ANSWERING: u32 = 4;
/// All of the answer lies where the next flush writes it.
const ENDING: u32 = 5;
const PHASES: u32 = 6;

impl Phase {
    /// A request is being worked on from here on.
    pub(super) fn working(&self) {
        self.unread.store(false, Ordering::Relaxed);
        self.change_to(WORKING);
    }

    /// Nobody will read the rest of its body.
    pub(super) fn leaves_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// It is worked on no longer: its answer is given to the client.
    pub(super) fn answering(&self) {
        self.change_to(ANSWERING);
    }

    /// The last of the answer is on its way.
    pub(super) fn ending(&self) {
        if self.now() % PHASES == ANSWERING {
            self.change_to(ENDING);
        }
    }

    /// Nothing has come of a request that is not answered, and no answer is on its way.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.now() % PHASES, FIRST | BETWEEN)
    }

    /// Whether the client did not send in time what it had to, or did not take an answer. That nothing came of a further
    /// request is as it should be.
    pub(super) fn has_timed_out(&self) -> bool {
        self.timed_out.load(Ordering::Relaxed)
    }

    fn time_out(&self) {
        if self.now() % PHASES != BETWEEN {
            self.timed_out.store(true, Ordering::Relaxed);
        }
    }

    fn bytes_came(&self) {
        if self.is_silent() {
            self.change_to(HEAD);
        }
    }

    fn change_to(&self, phase: u32) {
        let round = (self.now() / PHASES).wrapping_add(1);
        self.number.store(round.wrapping_mul(PHASES).wrapping_add(phase), Ordering::Relaxed);
    }

    fn now(&self) -> u32 {
        self.number.load(Ordering::Relaxed)
    }
}

/// A stream under [`Allowed`].
pub(super) struct Timed<S> {
    stream: S,
    allowed: Allowed,
    phase: Arc<Phase>,
    /// The end of the phase that it was set in.
    reading: Option<(u32, Pin<Box<Sleep>>)>,
    /// The client has taken nothing since it was set.
    writing: Option<Pin<Box<Sleep>>>,
    /// All is said, and its end set.
    leaving: Option<Pin<Box<Sleep>>>,
}

impl<S> Timed<S> {
    pub(super) fn new(stream: S, allowed: Allowed, phase: Arc<Phase>) -> Self {
        Timed { stream, allowed, phase, reading: None, writing: None, leaving: None }
    }

    /// Pending while the client has time to send.
    fn wait_for_reading(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let now = self.phase.now();
        let (allowed, what) = match now % PHASES {
            FIRST => (self.allowed.head, "a request"),
            HEAD => (self.allowed.head, "the rest of a request's head"),
            BETWEEN => (self.allowed.idle, "another request"),
            _ => return Poll::Pending,
        };
        let ends = Instant::now() + allowed;
        let (set_in, sleep) = self.reading.get_or_insert_with(|| (now, Box::pin(sleep_until(ends))));
        if *set_in != now {
            *set_in = now;
            sleep.as_mut().reset(ends);
        }
        ready!(sleep.as_mut().poll(cx));
        self.phase.time_out();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, format!("{what} did not come within {allowed:?}"))))
    }

    /// Pending while the client has time to take what was written. The time begins when it stops taking, and ends when
    /// it has taken all: one that takes a byte now and then does not win any.
    fn wait_for_writing(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let allowed = self.allowed.write;
        let sleep = self.writing.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + allowed)));
        ready!(sleep.as_mut().poll(cx));
        self.phase.time_out();
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, format!("the answer was not read within {allowed:?}")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            // Many clients of TLS just close. Where more was to come, the length of the body tells.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            Poll::Ready(read) => {
                if buf.filled().len() > before {
                    this.phase.bytes_came();
                }
                Poll::Ready(read)
            }
            Poll::Pending => this.wait_for_reading(cx),
        }
    }
}

impl<S: AsyncWrite + Unpin> Timed<S> {
    fn written(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => self.wait_for_writing(cx).map(Err),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.written(cx, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.written(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has written all that it has. With TLS some of that may still be on its way to the socket.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_flush(cx) {
            Poll::Ready(flushed) => flushed?,
            Poll::Pending => return this.wait_for_writing(cx).map(Err),
        }
        this.writing = None;
        if this.phase.now() % PHASES == ENDING {
            this.phase.change_to(BETWEEN);
            // hyper looks for the next request when something comes; the time for that begins with a look.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    /// With TLS there is something to be written: that it ends.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.leaving.is_none() {
            match Pin::new(&mut this.stream).poll_shutdown(cx) {
                Poll::Ready(ended) => ended?,
                Poll::Pending => return this.wait_for_writing(cx).map(Err),
            }
        }
        if !this.phase.unread.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let seen = this.leaving.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + TO_BE_SEEN)));
        seen.as_mut().poll(cx).map(Ok)
    }
}
