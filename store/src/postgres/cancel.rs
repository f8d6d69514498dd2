//! Ending what a server does for a session.
//!
//! As libpq does, the connection that asks for it stays open until the server closes it. PgBouncer 1.18 loses track of one that is
//! closed before, and closes connections of others in its place (pgbouncer/pgbouncer#846).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_postgres::CancelToken;
use tokio_postgres::config::Host;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use super::options::Target;

/// Why it was not asked: for nobody, since who gave up a question waits for nothing.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Asks for the end of a session's query, and waits until the server has heard it. Of several hosts, or addresses of one, nobody knows
/// which one has the session but the driver, which does not wait.
///
/// # Errors
/// When the server cannot be reached.
pub async fn cancel(target: &Target, token: CancelToken) -> Result<(), Failure> {
    let config = &target.config;
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match config.get_hosts() {
        [Host::Tcp(host)] if config.get_hostaddrs().is_empty() => {
            let mut found = lookup_host((host.as_str(), port)).await?;
            match (found.next(), found.next()) {
                (Some(only), None) => on(target, token, TcpStream::connect(only).await?, host).await,
                _ => Ok(token.cancel_query(target.tls.clone()).await?),
            }
        }
        [Host::Unix(path)] => {
            let stream = UnixStream::connect(path.join(format!(".s.PGSQL.{port}"))).await?;
            on(target, token, stream, "").await
        }
        _ => Ok(token.cancel_query(target.tls.clone()).await?),
    }
}

async fn on<S>(target: &Target, token: CancelToken, stream: S, host: &str) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut tls = target.tls.clone();
    let tls = MakeTlsConnect::<UntilClosed<S>>::make_tls_connect(&mut tls, host)?;
    Ok(token.cancel_query_raw(UntilClosed(stream), Patient(tls)).await?)
}

/// A stream that is shut down after the other side has closed it.
struct UntilClosed<S>(S);

/// Makes TLS streams of that kind.
struct Patient<T>(T);

impl<S: AsyncRead + Unpin> AsyncRead for UntilClosed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for UntilClosed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut bytes = [0; 64];
            let mut buf = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                // What is closed already may not be closed again: nobody minds.
                Ok(()) | Err(_) => return Pin::new(&mut self.0).poll_shutdown(cx).map(|_| Ok(())),
            }
        }
    }
}

impl<S: TlsStream + Unpin> TlsStream for UntilClosed<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.0.channel_binding()
    }
}

impl<S, T> TlsConnect<S> for Patient<T>
where
    T: TlsConnect<S, Future: Send + 'static>,
    T::Error: 'static,
{
    type Stream = UntilClosed<T::Stream>;
    type Error = T::Error;
    type Future = BoxFuture<'static, Result<Self::Stream, Self::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        let connecting = self.0.connect(stream);
        Box::pin(async move { connecting.await.map(UntilClosed) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn it_is_shut_down_after_the_other_side() {
        let (ours, mut theirs) = duplex(64);
        let mut ours = UntilClosed(ours);
        ours.write_all(b"cancel").await.unwrap();
        let mut asked = [0; 6];
        theirs.read_exact(&mut asked).await.unwrap();
        let mut shutting = Box::pin(ours.shutdown());
        let soon = tokio::time::timeout(Duration::from_millis(20), &mut shutting).await;
        assert!(soon.is_err(), "the other side has not closed it");
        drop(theirs);
        shutting.await.unwrap();
    }
}
