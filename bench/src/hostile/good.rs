//! Clients that do nothing wrong: requests one after the other, on a connection that is kept.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What a good client sends.
#[derive(Debug, Clone, Copy)]
pub struct Habit {
    /// Its name.
    pub name: &'static str,
    /// Events of a request.
    pub events: usize,
    /// Between an answer and the next request.
    pub pause: Duration,
}

/// One that sends what has just happened.
pub const FEW: Habit = Habit { name: "few", events: 10, pause: Duration::from_millis(5) };

/// One that collects first: some 700 kB a request.
pub const BATCHES: Habit = Habit { name: "batches", events: 5_000, pause: Duration::from_millis(250) };

const PATIENCE: Duration = Duration::from_secs(30);

/// The client at work.
pub struct Good {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Waited>,
}

/// How it went.
#[derive(Default)]
pub struct Waited {
    times: Vec<Duration>,
    /// Requests without status 200.
    pub failed: usize,
}

impl Good {
    /// Starts sending, on its own thread.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn begin(gateway: SocketAddr, habit: Habit) -> Result<Good> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::Builder::new().name(habit.name.to_owned());
        let thread = thread.spawn(move || send(gateway, habit, &told));
        Ok(Good { stop, thread: thread.context("starting a client")? })
    }

    /// Stops.
    ///
    /// # Errors
    /// When it has panicked.
    pub fn end(self) -> Result<Waited> {
        self.stop.store(true, Ordering::Relaxed);
        let Ok(mut waited) = self.thread.join() else { bail!("the good client has panicked") };
        waited.times.sort_unstable();
        Ok(waited)
    }
}

impl Waited {
    pub fn requests(&self) -> usize {
        self.times.len()
    }

    /// A quantile of the times from a request's first byte to its response's last one.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let rank = (quantile * self.times.len() as f64).ceil() as usize;
        self.times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

fn send(gateway: SocketAddr, habit: Habit, stop: &AtomicBool) -> Waited {
    let (mut waited, mut connection) = (Waited::default(), None);
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let request = request(habit, number);
        let began = Instant::now();
        let answered = one(&mut connection, gateway, &request);
        waited.times.push(began.elapsed());
        if !answered.is_ok_and(|status| status == 200) {
            waited.failed += 1;
            connection = None;
        }
        std::thread::sleep(habit.pause);
    }
    waited
}

fn request(Habit { name, events, .. }: Habit, number: usize) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros();
    let events: Vec<String> = (0..events)
        .map(|n| {
            format!(
                r#"{{"event_id":"{name}-{number}-{n}","time":{now},"service":"shop","endpoint":"/pay","method":"POST","status_code":200,"latency_ms":{n}}}"#
            )
        })
        .collect();
    let body = format!("[{}]", events.join(","));
    format!("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The status of a response that was read to its end.
fn one(connection: &mut Option<TcpStream>, gateway: SocketAddr, request: &str) -> Result<u16> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect_timeout(&gateway, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            connection.insert(stream)
        }
    };
    stream.write_all(request.as_bytes())?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            bail!("closed");
        }
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0usize) {
            return head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status");
        }
    }
}
