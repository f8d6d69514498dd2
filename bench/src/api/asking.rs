//! Clients that ask at a rate, whatever the answers take.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked, and how often.
#[derive(Clone, Copy)]
pub struct Habit {
    /// Its name.
    pub name: &'static str,
    /// The path of the n-th request, below /api/v1.
    pub path: fn(usize) -> String,
    /// Requests a second.
    pub per_second: usize,
    /// Connections that they are sent over.
    pub clients: usize,
}

/// How it went.
pub struct Answers {
    /// Of the habit.
    pub name: &'static str,
    /// Of the habit.
    pub per_second: usize,
    /// Bytes of an answer.
    pub bytes: usize,
    /// Requests without status 200.
    pub failed: usize,
    times: Vec<Duration>,
}

impl Answers {
    /// A quantile of the times from when a request was due to the end of its answer.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let rank = (quantile * self.times.len() as f64).ceil() as usize;
        self.times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// Asks by all habits at once.
///
/// # Errors
/// When a client cannot be started, or has panicked.
pub fn all(api: SocketAddr, habits: &[Habit], during: Duration) -> Result<Vec<Answers>> {
    let began = Instant::now() + Duration::from_millis(100);
    let mut running = Vec::new();
    for habit in habits {
        let next = Arc::new(AtomicUsize::new(0));
        let clients = (0..habit.clients).map(|_| {
            let (habit, next) = (*habit, next.clone());
            let thread = std::thread::Builder::new().name(habit.name.to_owned());
            thread.spawn(move || ask(api, habit, &next, began, during)).context("starting a client")
        });
        running.push((habit, clients.collect::<Result<Vec<_>>>()?));
    }
    let mut all = Vec::new();
    for (habit, clients) in running {
        let Habit { name, per_second, .. } = *habit;
        let mut answers = Answers { name, per_second, bytes: 0, failed: 0, times: Vec::new() };
        for client in clients {
            let Ok((times, failed, bytes)) = client.join() else { bail!("a client has panicked") };
            answers.times.extend(times);
            answers.failed += failed;
            answers.bytes = answers.bytes.max(bytes);
        }
        answers.times.sort_unstable();
        all.push(answers);
    }
    Ok(all)
}

/// One client: it takes the next request that is due, waits until then, and sends it.
fn ask(
    api: SocketAddr,
    habit: Habit,
    next: &AtomicUsize,
    began: Instant,
    during: Duration,
) -> (Vec<Duration>, usize, usize) {
    let (mut times, mut failed, mut bytes, mut connection) = (Vec::new(), 0, 0, None);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let due = Duration::from_secs_f64(number as f64 / habit.per_second as f64);
        if due >= during {
            return (times, failed, bytes);
        }
        let due = began + due;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        match get(&mut connection, api, &format!("/api/v1{}", (habit.path)(number))) {
            Ok((200, body)) => bytes = bytes.max(body.len()),
            _ => {
                failed += 1;
                connection = None;
            }
        }
        times.push(due.elapsed());
    }
}

/// Status and body of an answer.
///
/// # Errors
/// When there is none.
pub fn get(connection: &mut Option<TcpStream>, address: SocketAddr, path: &str) -> Result<(u16, Vec<u8>)> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    send(connection, address, request.as_bytes())
}

/// Sends a request, and reads its answer to the end.
///
/// # Errors
/// When there is none.
pub fn send(connection: &mut Option<TcpStream>, address: SocketAddr, request: &[u8]) -> Result<(u16, Vec<u8>)> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            connection.insert(stream)
        }
    };
    stream.write_all(request)?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 64 << 10]);
    let (head, length) = loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            bail!("closed");
        }
        answer.extend_from_slice(&buffer[..read]);
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        answer.drain(..end + 4);
        break (head, length.unwrap_or(0usize));
    };
    while answer.len() < length {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            bail!("closed");
        }
        answer.extend_from_slice(&buffer[..read]);
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    Ok((status, answer))
}
