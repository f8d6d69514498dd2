//! Someone between the store and the server who cuts the line around a commit.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a cut line swallows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The commit: the server never sees it.
    Commit,
    /// Its answer: the server commits, nobody hears of it.
    Answer,
}

type NextLoss = Arc<Mutex<Option<Lost>>>;

/// A port that passes everything on, but for the commit of a batch that it is to lose.
pub struct Between {
    pub url: String,
    next: NextLoss,
    _lines: JoinSet<()>,
}

impl Between {
    /// In front of the server of a URL.
    pub async fn start(url: &str) -> Self {
        let (before, rest) = url.split_once("://").unwrap();
        let (user, rest) = rest.rsplit_once('@').unwrap();
        let (address, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{before}://{user}@{}/{database}", listener.local_addr().unwrap());
        let (next, address) = (NextLoss::default(), address.to_owned());
        let mut lines = JoinSet::new();
        lines.spawn(accept(listener, address, next.clone()));
        Between { url, next, _lines: lines }
    }

    /// Cuts the line at the next commit that moves positions.
    pub fn lose(&self, lost: Lost) {
        *self.next.lock().unwrap() = Some(lost);
    }

    /// Whether that commit is still to come.
    pub fn armed(&self) -> bool {
        self.next.lock().unwrap().is_some()
    }
}

async fn accept(listener: TcpListener, address: String, next: NextLoss) {
    let mut lines = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect(&address).await.unwrap();
        lines.spawn(pass(client, server, next.clone()));
    }
}

async fn pass(client: TcpStream, server: TcpStream, next: NextLoss) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asked = async {
        let (mut buffer, mut moves) = (vec![0; 1 << 16], false);
        while let Ok(n @ 1..) = from_client.read(&mut buffer).await {
            let has = |wanted: &[u8]| buffer[..n].windows(wanted.len()).any(|bytes| bytes == wanted);
            moves |= has(b"UPDATE positions");
            let lost = if moves && has(b"COMMIT\0") { next.lock().unwrap().take() } else { None };
            moves &= !has(b"COMMIT\0");
            if lost != Some(Lost::Commit) && to_server.write_all(&buffer[..n]).await.is_err() {
                return None;
            }
            if lost.is_some() {
                return lost;
            }
        }
        None
    };
    let answered = tokio::io::copy(&mut from_server, &mut to_client);
    let lost = tokio::select! {
        lost = asked => lost,
        _ = answered => None,
    };
    if lost == Some(Lost::Answer) {
        // The server has answered and the answer goes nowhere.
        let _ = from_server.read(&mut [0; 64]).await;
    }
}
