//! A receiver of webhooks on loopback: keeps requests, and fails or responds slowly on request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// One delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its body as it came.
    pub text: String,
    /// Its body; null if it was not JSON.
    pub body: Value,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The status of the response.
    pub status: u16,
    /// When the response was sent.
    pub at: SystemTime,
}

impl Delivery {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether it was accepted.
    pub fn accepted(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The receiver. It stops when dropped.
#[derive(Debug)]
pub struct Receiver {
    url: String,
    desk: Arc<Desk>,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct Desk {
    state: Mutex<Orders>,
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Orders {
    deliveries: Vec<Delivery>,
    failures: VecDeque<u16>,
    delay: Duration,
}

impl Receiver {
    /// Listens on a free port.
    pub async fn start() -> Result<Receiver> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listening for webhooks")?;
        let url = format!("http://{}/webhook", listener.local_addr()?);
        let desk = Arc::new(Desk { state: Mutex::default(), count: watch::Sender::new(0) });
        let router = Router::new().fallback(receive).with_state(Arc::clone(&desk));
        let mut server = JoinSet::new();
        server.spawn(async move {
            // Serving ends only when the task is dropped.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Receiver { url, desk, _server: server })
    }

    /// Where to send.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the next deliveries with these statuses.
    pub fn fail_next(&self, statuses: impl IntoIterator<Item = u16>) {
        self.desk.lock().failures.extend(statuses);
    }

    /// Takes this long to respond from now on.
    pub fn dawdle(&self, delay: Duration) {
        self.desk.lock().delay = delay;
    }

    /// The requests so far, in order.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.desk.lock().deliveries.clone()
    }

    /// Waits until the requests are sufficient; an error with them if that takes too long.
    pub async fn until(&self, within: Duration, enough: impl Fn(&[Delivery]) -> bool) -> Result<Vec<Delivery>> {
        let mut count = self.desk.count.subscribe();
        let waited = timeout(within, async {
            while !enough(&self.deliveries()) {
                if count.changed().await.is_err() {
                    return;
                }
            }
        });
        match waited.await {
            Ok(()) => Ok(self.deliveries()),
            Err(_) => bail!("what came within {within:?} is not enough: {:#?}", self.deliveries()),
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn receive(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let delay = desk.lock().delay;
    sleep(delay).await;
    let text = |(name, value): (_, &axum::http::HeaderValue)| {
        (format!("{name}"), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let headers = headers.iter().map(|(name, value): (&axum::http::HeaderName, _)| text((name, value))).collect();
    let text = String::from_utf8_lossy(&body).into_owned();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut orders = desk.lock();
    let status = orders.failures.pop_front().unwrap_or(200);
    orders.deliveries.push(Delivery { text, body, headers, status, at: SystemTime::now() });
    drop(orders);
    desk.count.send_modify(|n| *n += 1);
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn post(receiver: &Receiver, body: &str) -> String {
        let address = receiver.url().trim_start_matches("http://").trim_end_matches("/webhook");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let head = format!(
            "POST /webhook HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-key: k\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn it_fails_as_often_as_told_and_keeps_everything_in_order() {
        let receiver = Receiver::start().await.unwrap();
        receiver.fail_next([503, 429]);
        let mut answers = Vec::new();
        for n in 0..3 {
            answers.push(post(&receiver, &format!("{{\"n\": {n}}}")).await);
        }
        assert!(answers[0].contains("503") && answers[1].contains("429") && answers[2].contains("200"), "{answers:?}");
        let came = receiver.until(Duration::from_secs(10), |d| d.iter().any(Delivery::accepted)).await.unwrap();
        assert_eq!(came.iter().map(|d| d.body["n"].as_i64().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(came[0].header("x-key"), Some("k"));
        let short = receiver.until(Duration::from_millis(20), |d| d.len() > 3).await;
        assert!(short.unwrap_err().to_string().contains("not enough"));
    }
}
