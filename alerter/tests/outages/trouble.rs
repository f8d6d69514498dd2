//! Ways in which a receiver takes nothing, on real sockets, and the answers that a sender makes of them.

use std::time::Duration;

use slipstream_alerter::ReceiverConfig;
use slipstream_alerter::notifier::dispatch::{Answer, Delivery, GroupKey};
use slipstream_alerter::notifier::payload::{Labels, Message};
use slipstream_alerter::notifier::transport::Transport;
use slipstream_alerter::notifier::transport::http::Sender;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What is wrong with a receiver.
#[derive(Debug, Clone, Copy)]
pub enum Trouble {
    /// Nobody listens.
    Down,
    /// Its answer takes thirty seconds, three times as long as an attempt may.
    Slow,
    /// It answers with a status.
    Status(u16),
    /// 429, and when to come again, seconds.
    RetryAfter(u64),
    /// It closes while it is sent the request.
    ClosesMidBody,
    /// It closes within the head of its answer.
    ClosesMidAnswer,
    /// It is elsewhere.
    Redirects,
    /// It speaks no TLS.
    BadTls,
}

/// How long an attempt at a receiver that is slow may take, where time is real.
const SHORT: Duration = Duration::from_millis(200);

impl Trouble {
    pub fn name(self) -> &'static str {
        match self {
            Trouble::Down => "down",
            Trouble::Slow => "slow",
            Trouble::Status(410) => "gone",
            Trouble::Status(_) => "failing",
            Trouble::RetryAfter(_) => "busy",
            Trouble::ClosesMidBody => "mid-body",
            Trouble::ClosesMidAnswer => "mid-answer",
            Trouble::Redirects => "moved",
            Trouble::BadTls => "tls",
        }
    }

    /// How long an attempt takes: a receiver's ten seconds, where it does not answer.
    pub fn takes(self) -> Duration {
        match self {
            Trouble::Slow => Duration::from_secs(10),
            _ => Duration::from_millis(20),
        }
    }

    /// What a sender makes of it.
    pub fn answer(self) -> Answer {
        // The first of the tests in this process installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let real = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = real.block_on(self.asked());
        self.check(&answer);
        answer
    }

    async fn asked(self) -> Answer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        match self {
            Trouble::Down => drop(listener),
            _ => drop(server.spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    self.receive(stream).await;
                }
            })),
        }
        let scheme = if matches!(self, Trouble::BadTls) { "https" } else { "http" };
        let url = format!("{scheme}://{address}/hook");
        let (timeout, long) = match self {
            Trouble::Slow => (SHORT, 0),
            // More than the sockets hold between them.
            Trouble::ClosesMidBody => (Duration::from_secs(20), 32 << 20),
            _ => (Duration::from_secs(20), 0),
        };
        let config = ReceiverConfig { timeout, ..ReceiverConfig::webhook("ops", url) };
        Sender::new(&config).unwrap().attempt(&delivery(long)).await
    }

    async fn receive(self, mut stream: TcpStream) {
        let mut some = [0; 64];
        let read = stream.read(&mut some).await.unwrap();
        assert!(read > 0, "it is asked");
        let rest = async |stream: &mut TcpStream| {
            let mut sink = vec![0; 1 << 20];
            // All that comes at once: the request is a small one, but for the one that is cut off.
            while let Ok(Ok(1..)) = tokio::time::timeout(Duration::from_millis(30), stream.read(&mut sink)).await {}
        };
        let answer = match self {
            Trouble::Down => unreachable!("nobody listens"),
            Trouble::ClosesMidBody => return,
            Trouble::Slow => {
                tokio::time::sleep(3 * SHORT).await;
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
            Trouble::Status(status) => format!("HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\nno"),
            Trouble::RetryAfter(seconds) => {
                format!("HTTP/1.1 429 Busy\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\n\r\n")
            }
            Trouble::ClosesMidAnswer => "HTTP/1.1 20".to_owned(),
            Trouble::Redirects => "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Trouble::BadTls => "HTTP/1.1 400 Bad Request\r\n\r\nthis is not TLS".to_owned(),
        };
        rest(&mut stream).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    /// Whether it is what the trouble is known for.
    fn check(self, answer: &Answer) {
        let is_it = match (self, answer) {
            (Trouble::Down | Trouble::BadTls, Answer::Failed { status: None, doubt, .. }) => !doubt,
            // It may have taken what it was sent.
            (
                Trouble::Slow | Trouble::ClosesMidBody | Trouble::ClosesMidAnswer,
                Answer::Failed { status: None, doubt, .. },
            ) => *doubt,
            (Trouble::Status(500), Answer::Failed { status: Some(500), doubt, .. }) => *doubt,
            (Trouble::RetryAfter(wanted), Answer::Failed { status: Some(429), retry_after, doubt, .. }) => {
                *retry_after == Some(Duration::from_secs(wanted)) && !doubt
            }
            (Trouble::Status(410), Answer::Refused { status: 410, .. }) => true,
            (Trouble::Redirects, Answer::Refused { status: 302, detail }) => detail.contains("follow_redirects"),
            _ => false,
        };
        assert!(is_it, "{self:?}: {answer:?}");
    }
}

/// A delivery of nothing in particular, so many bytes long.
fn delivery(bytes: usize) -> Delivery {
    let external = format!("http://grafana.test/{}", "x".repeat(bytes));
    let message = Message::compose("ops", &external, &Labels::new(), Vec::new(), 0);
    let group = GroupKey { route: "{}".to_owned(), labels: Labels::new() };
    Delivery { group, parts: Vec::new(), message, again: false, reminder: None }
}
