//! A receiver of webhooks that records when the first firing alert of each SLO arrived.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value;

type Came = Arc<Mutex<HashMap<String, Instant>>>;

/// The receiver. Its threads end with the process.
pub struct Hooks {
    url: String,
    came: Came,
}

impl Hooks {
    /// Listens on a free port.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start() -> Result<Hooks> {
        let listener = TcpListener::bind("127.0.0.1:0").context("listening for webhooks")?;
        let url = format!("http://{}/hook", listener.local_addr().context("listening for webhooks")?);
        let came = Came::default();
        let desk = Arc::clone(&came);
        let accept = move || {
            for stream in listener.incoming().flatten() {
                let desk = Arc::clone(&desk);
                // A sender that cannot be served tries again.
                let _ = Builder::new().name("webhook".to_owned()).spawn(move || serve(stream, &desk));
            }
        };
        Builder::new().name("webhooks".to_owned()).spawn(accept).context("starting a receiver of webhooks")?;
        Ok(Hooks { url, came })
    }

    /// Where to send.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// When each SLO's alert arrived.
    pub fn came(&self) -> HashMap<String, Instant> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Responds to requests until the sender closes the connection.
fn serve(stream: TcpStream, desk: &Came) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut length = 0;
        let mut line = String::new();
        while reader.read_line(&mut line).ok()? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            line.clear();
        }
        if length == 0 {
            return None;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        note(&serde_json::from_slice(&body).ok()?, desk);
        writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

fn note(message: &Value, desk: &Came) {
    let now = Instant::now();
    let mut came = desk.lock().unwrap_or_else(PoisonError::into_inner);
    for alert in message["alerts"].as_array().into_iter().flatten().filter(|alert| alert["status"] == "firing") {
        if let Some(slo) = alert["labels"]["slo"].as_str() {
            came.entry(slo.to_owned()).or_insert(now);
        }
    }
}
