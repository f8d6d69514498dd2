//! A server over HTTP that notes what it is asked, and answers by a script.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use tokio::task::JoinSet;

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// With a status and a text.
pub fn answer(status: u16, body: &str) -> Answer {
    Answer { status, headers: Vec::new(), body: body.to_owned() }
}

/// A redirect.
pub fn redirect(status: u16, to: &str) -> Answer {
    Answer { headers: vec![("location", to.to_owned())], ..answer(status, "") }
}

#[derive(Default)]
struct Book {
    script: VecDeque<Answer>,
    asked: Vec<Asked>,
}

/// The server. It ends when it is dropped.
pub struct Desk {
    book: Arc<Mutex<Book>>,
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl Desk {
    /// Answers by the script, then with 200 "ok".
    pub async fn open(script: impl IntoIterator<Item = Answer>) -> Desk {
        let book = Arc::new(Mutex::new(Book { script: script.into_iter().collect(), asked: Vec::new() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(note).with_state(Arc::clone(&book));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Desk { book, address, _server: server }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.book.lock().unwrap().asked.clone()
    }
}

async fn note(
    State(book): State<Arc<Mutex<Book>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut book = book.lock().unwrap();
    book.asked.push(Asked { method, uri, headers, body });
    let next = book.script.pop_front().unwrap_or_else(|| answer(200, "ok"));
    let mut response = Response::builder().status(next.status);
    for (name, value) in next.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(next.body)).unwrap()
}
