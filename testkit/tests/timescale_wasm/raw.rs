//! A client that sees each message, and sends what tokio-postgres would not.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::DEADLINE;

/// A connection. It knows nothing but how messages begin and end.
pub struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Connects and waits until the server is ready.
    pub async fn to(url: &str) -> Raw {
        let (address, database) = url.rsplit_once('@').unwrap().1.split_once('/').unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let parameters = format!("user\0postgres\0database\0{database}\0\0");
        let length = u32::try_from(parameters.len() + 8).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], &[0, 3, 0, 0], parameters.as_bytes()].concat()).await.unwrap();
        let mut raw = Raw { stream };
        assert!(raw.answer().await.0.ends_with("KZ"));
        raw
    }

    /// Sends messages, each a letter and a body, in one piece.
    pub async fn send(&mut self, messages: &[(u8, &[u8])]) {
        let mut all = Vec::new();
        for (letter, body) in messages {
            all.push(*letter);
            all.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
            all.extend_from_slice(body);
        }
        self.stream.write_all(&all).await.unwrap();
    }

    /// The next message.
    pub async fn next(&mut self) -> (u8, Vec<u8>) {
        let read = async {
            let letter = self.stream.read_u8().await.unwrap();
            let length = self.stream.read_u32().await.unwrap();
            let mut body = vec![0; length as usize - 4];
            self.stream.read_exact(&mut body).await.unwrap();
            (letter, body)
        };
        timeout(DEADLINE, read).await.expect("a message in time")
    }

    /// The letters of all messages until the server is ready, and their bodies.
    pub async fn answer(&mut self) -> (String, Vec<Vec<u8>>) {
        let (mut letters, mut bodies) = (String::new(), Vec::new());
        while !letters.ends_with('Z') {
            let (letter, body) = self.next().await;
            letters.push(letter.into());
            bodies.push(body);
        }
        (letters, bodies)
    }
}

/// The body of a Parse.
pub fn parse(name: &str, sql: &str) -> Vec<u8> {
    format!("{name}\0{sql}\0\0\0").into_bytes()
}

/// The body of a Bind of the portal without a name, without values.
pub fn bind(statement: &str) -> Vec<u8> {
    format!("\0{statement}\0\0\0\0\0\0\0").into_bytes()
}
