//! Clients of one kind, all at once, repeatedly until they are stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::kinds::{Kind, Then};

/// Between two attempts of a client.
const AGAIN: Duration = Duration::from_millis(20);
/// A client that has nothing to send any more sends a byte so often.
const DRIP: Duration = Duration::from_millis(500);

/// The clients at work.
pub struct Attack {
    runtime: Runtime,
    clients: JoinSet<()>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    taken: AtomicU64,
    refused: AtomicU64,
    cut_off: AtomicU64,
}

/// What became of their requests.
pub struct Done {
    /// Answered 200 or 422.
    pub taken: u64,
    /// Answered otherwise.
    pub refused: u64,
    /// No response, as far as they read.
    pub cut_off: u64,
}

impl Attack {
    /// Starts all clients of a kind.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub fn begin(kind: &Kind, gateway: SocketAddr) -> Result<Attack> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.context("starting a runtime for hostile clients")?;
        let (request, counts): (Arc<[u8]>, _) = ((kind.request)().into(), Arc::<Counts>::default());
        let mut clients = JoinSet::new();
        for _ in 0..kind.clients {
            let client = Client { gateway, request: request.clone(), then: kind.then, counts: counts.clone() };
            clients.spawn_on(client.again_and_again(), runtime.handle());
        }
        Ok(Attack { runtime, clients, counts })
    }

    /// Ends them, in the middle of whatever they do.
    pub fn end(mut self) -> Done {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.counts;
        let done = Done { taken: of(&counts.taken), refused: of(&counts.refused), cut_off: of(&counts.cut_off) };
        self.runtime.block_on(self.clients.shutdown());
        done
    }
}

struct Client {
    gateway: SocketAddr,
    request: Arc<[u8]>,
    then: Then,
    counts: Arc<Counts>,
}

impl Client {
    async fn again_and_again(self) {
        loop {
            let counter = match self.once().await {
                Ok(Some(200 | 422)) => &self.counts.taken,
                Ok(Some(_)) => &self.counts.refused,
                Ok(None) | Err(_) => &self.counts.cut_off,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            sleep(AGAIN).await;
        }
    }

    /// One connection, until it is over; the status, if it was looked for.
    async fn once(&self) -> std::io::Result<Option<u16>> {
        let mut stream = TcpStream::connect(self.gateway).await?;
        stream.write_all(&self.request).await?;
        match self.then {
            Then::Read | Then::Wait => status(&mut stream).await,
            Then::NeverRead => unread(&mut stream).await,
            Then::Drip => drip(&mut stream).await,
        }
    }
}

async fn status(stream: &mut TcpStream) -> std::io::Result<Option<u16>> {
    let mut answer = [0; 16];
    stream.read_exact(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    Ok(text.split(' ').nth(1).and_then(|status| status.parse().ok()))
}

/// Waits until the other side closes. What it has sent stays in the socket.
async fn unread(stream: &mut TcpStream) -> std::io::Result<Option<u16>> {
    loop {
        sleep(DRIP).await;
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        // A closed peer responds with a reset, which the next read finds.
        stream.write_all(b"P").await?;
    }
}

async fn drip(stream: &mut TcpStream) -> std::io::Result<Option<u16>> {
    let (mut from, mut to) = stream.split();
    let mut answer = [0; 16];
    let dripping = async {
        while to.write_all(b"x").await.is_ok() {
            sleep(DRIP).await;
        }
    };
    tokio::select! {
        () = dripping => Ok(None),
        read = from.read_exact(&mut answer) => {
            read?;
            let text = String::from_utf8_lossy(&answer);
            Ok(text.split(' ').nth(1).and_then(|status| status.parse().ok()))
        }
    }
}
