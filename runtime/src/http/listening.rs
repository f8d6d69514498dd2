//! Where a server takes connections, and whether clients speak TLS there.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::Tls;
use super::events::AcceptFailed;
use crate::event::{Event, Seldom};

/// Time for some connections to be closed after the listener failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// And how often that is said.
const ACCEPT_SELDOM: Duration = Duration::from_secs(10);

/// A listener, with TLS or without. Without it is one [`From`] a [`TcpListener`].
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    tls: Option<Tls>,
}

impl Listening {
    /// Clients speak TLS, if there is any.
    pub fn with(listener: TcpListener, tls: Option<Tls>) -> Self {
        Listening { listener, tls }
    }

    /// Its address.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(super) fn tls(&self) -> Option<Tls> {
        self.tls.clone()
    }
}

impl From<TcpListener> for Listening {
    fn from(listener: TcpListener) -> Self {
        Listening::with(listener, None)
    }
}

/// Where connections come from.
pub(super) struct Accepting {
    name: &'static str,
    listening: Listening,
    seldom: Seldom,
}

impl Accepting {
    pub(super) fn new(name: &'static str, listening: Listening) -> Self {
        Accepting { name, listening, seldom: Seldom::every(ACCEPT_SELDOM) }
    }

    pub(super) async fn next(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listening.listener.accept().await {
                Ok(accepted) => return accepted,
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
